"""Faster imports while the studio starts; nothing else is touched."""

from __future__ import annotations

import ast
import gc
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import without garbage collection, which finds nothing to free in modules being loaded.

    Python 3.11 splits source text one character at a time, and Gradio asks for it for each of
    its components while it is imported; there it is done with a pattern, as 3.12 and later do.
    """
    slow = getattr(ast, "_splitlines_no_ff", None) if sys.version_info < (3, 12) else None
    gc.disable()
    if slow is not None:
        vars(ast)["_splitlines_no_ff"] = _LINE.findall
    try:
        yield
    finally:
        if slow is not None:
            vars(ast)["_splitlines_no_ff"] = slow
        gc.enable()
