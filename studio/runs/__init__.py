"""One folder per run: its settings, events, status and commands. No training code here."""
