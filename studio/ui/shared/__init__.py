"""Pieces of HTML that several tabs show."""
