"""What every other part stands on: errors, paths, logs, child processes."""
