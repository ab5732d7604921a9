"""VLM Studio: make a vision-language model prefer better answers."""

__version__ = "0.1.0"
