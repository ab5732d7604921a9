"""What a page may send to Gradio's events, checked before Gradio reads it."""
