"""The command line: the same services as the user interface, one file per group of commands."""
