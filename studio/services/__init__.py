"""What the UI and the command line call: no torch and no Gradio here."""
