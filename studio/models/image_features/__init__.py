"""Features of images, made once: what is known of model families, the encoder, and the files that keep them."""
