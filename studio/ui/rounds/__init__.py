"""Rounds: from what a model answers to a decision, and the next one."""
