"""The loss on every answer of a conversation: TRL's collator scores the last one only.

A row says which earlier answers are scored (`scored`: their places in the prompt). The tokens of a
row stay as they are; only labels are added. Scripts that runs are written as get this file's text.
"""

from __future__ import annotations

from typing import Any

from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from studio.models.answer_spans import scored_tokens

SCORED = "scored"


class TurnCollator(DataCollatorForVisionLanguageModeling):
    """TRL's collator, with labels on the earlier answers that a row says are scored."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Return a batch; examples have `images`, `prompt`, `completion` and `scored`."""
        rows = [(one["prompt"], one["completion"], one.get(SCORED)) for one in examples]
        output = super().torch_call(examples)
        for ids, labels, row in zip(output["input_ids"], output["labels"], rows, strict=True):
            asked, said, scored = row
            if not scored:
                continue
            prompt = int((labels != -100).nonzero()[0])
            inside = scored_tokens(self.processor, asked, said, scored, ids[:prompt].tolist())
            for place in inside:
                labels[place] = ids[place]
        return output
