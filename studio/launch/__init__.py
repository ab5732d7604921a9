"""What the command line and the user interface both do; nothing here imports torch."""
