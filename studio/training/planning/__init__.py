"""How much memory a run takes: counted on the meta device, then measured by a dry step.

`weights` and `optimizers` are formulas; `trace` runs the model's own code on tensors without
storage and adds up what lives at once; `rows` finds the largest batch; `estimate` puts them
together; `suggest` says what to change; `measure` runs one real step in a process of its own.
"""
