"""The browser interface: reads state from disk, hands work to services, never imports torch."""
