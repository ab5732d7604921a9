"""What the studio adds to single model families of transformers, each with its reason."""
