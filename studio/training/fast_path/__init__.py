"""Preference and supervised training with no work done twice, at the losses of the stock trainers.

One batch goes through: `refs` (rows with undecoded images) → `tokens` (rows as token ids) →
`tree` (shared prefixes laid out once) → `collate` (tensors) → `images` and `features` (each image
encoded once, or read from disk) → `head` (only scored positions projected) → the loss code of
TRL, which never learns that anything was shared. `choose` says which of it applies to a model.
"""
