"""Measures models: greedy answers, exact match, evasiveness, preference accuracy."""
