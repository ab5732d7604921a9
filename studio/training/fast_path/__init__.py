"""Preference and supervised training with no work done twice, at the losses of the stock trainers.

One batch goes through: rows with undecoded images and rows as token ids
(`studio.models.image_features`) → `prefix_tree` (shared prefixes laid out once) → `collator`
(tensors) → each image encoded once, or read from disk (`studio.models.image_features`) →
`shared_prompt_forward` (only scored positions projected) → the loss code of TRL, which never learns that
anything was shared. `applicability` says which of it applies to a model.
"""
