"""Exports: label policies, file formats, frozen datasets, the hub."""
