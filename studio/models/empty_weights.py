"""One model without weights at a time in a process.

PEFT's `low_cpu_mem_usage` replaces `nn.Module.register_parameter` of the whole process for as long
as it adds an adapter. A model that another thread builds meanwhile goes through it too, and fails
over attributes that transformers gives its parameters. Plans run in several threads.
"""

from __future__ import annotations

import threading

BUILDING = threading.RLock()
"""Held by whoever builds a model without weights, or puts an adapter on one."""
