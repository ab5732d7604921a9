"""What a run's metrics and its log say about its health."""
