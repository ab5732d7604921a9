"""The embedded vision-language model: the charts it knows, its training, and the sample sets."""
