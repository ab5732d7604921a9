"""One module per tab; each exports `build(context)` and imports no other tab."""
