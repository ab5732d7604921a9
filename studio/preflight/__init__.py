"""Preflight: what is in the rows, and what a model will really see of them.

Only `tokens`, `sight` and `processor` need transformers; they are imported when a model is asked
for. Everything else stays importable without torch.
"""
