"""Labelling: who is asked what, the answers, and what they add up to."""
