"""What can be said of rows without a model: one short file per kind of finding."""
