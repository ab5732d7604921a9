"""The run file: every setting declared once, with its type, bounds, words and level."""

from studio.config.run import RunConfig

__all__ = ["RunConfig"]
