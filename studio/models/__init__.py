"""Models: finding, loading, quantizing and adapting them."""
