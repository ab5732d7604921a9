"""Formats of other tools, one module each: how its file is written, and what it holds."""
