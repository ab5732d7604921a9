"""Rows and images: read any source, normalise it, turn it into training rows."""
