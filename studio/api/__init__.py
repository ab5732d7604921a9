"""The routes of the studio, for its pages and for programs; no Gradio here."""
