"""Evaluate: models scored on rows, their answers side by side, blind matches between them."""
