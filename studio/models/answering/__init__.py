"""Many rows answered fast: greedy answers and log-probabilities, the same as one row at a time.

`answering` (what others call) → `row_prompts` (rows as token ids) → `image_bank` (each image
encoded once, kept in memory and on disk) → `batches` (rows of one image together, of one length
beside each other) → `decoder` (the shared beginning of rows computed once, a growing cache, rows
that have ended taken out) → `kept_answers` (what is known is never computed again). What the
decoder is not proved for goes to `models.generation` and `models.likelihood`, and is said.
"""
