"""What is done with private names of Gradio."""
