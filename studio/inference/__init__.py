"""Chat and sampling: one base model, its adapters, streamed answers."""
