"""Wing: what was trained, written so that others can use it, and shown to answer as the run does."""
