"""Commands to runs: stop, save, resume, extend, and going on after memory ran out."""
