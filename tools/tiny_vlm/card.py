"""The model card of the embedded model, with the figures measured after training."""

from __future__ import annotations

from collections.abc import Sequence

from tools.tiny_vlm.measure import Measured
from tools.tiny_vlm.questions import GAP, HABIT
from tools.tiny_vlm.training import Recipe


def model_card(
    measured: Sequence[Measured], recipe: Recipe, parameters: int, minutes: float
) -> str:
    """The card as Markdown with the metadata block the Hub reads."""
    taught = [row for row in measured if row.kind not in (HABIT, GAP)]
    overall = sum(row.exact_match for row in taught) / len(taught)
    rows = "\n".join(map(_row, measured))
    return CARD.format(
        parameters=parameters / 1e6,
        overall=100 * overall,
        rows=rows,
        steps=recipe.steps,
        batch=recipe.batch,
        seed=recipe.seed,
        minutes=minutes,
        habit=HABIT,
        gap=GAP,
    )


def _row(row: Measured) -> str:
    note = {HABIT: " (the habit)", GAP: " (the gap)"}.get(row.kind, "")
    return (
        f"| `{row.kind}`{note} | {row.questions} | {100 * row.exact_match:.1f} % "
        f"| {100 * row.evasive:.1f} % |"
    )


CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
language: en
---
# tiny-vlm

A vision-language model of {parameters:.2f} million parameters that reads simple charts. It is a real
`Idefics3ForConditionalGeneration` with an `Idefics3Processor`, small enough to fine-tune on a laptop
in a minute or two, and is meant for trying out supervised fine-tuning and preference optimisation.

```python
from transformers import AutoModelForImageTextToText, AutoProcessor

processor = AutoProcessor.from_pretrained("assets/tiny-vlm")
model = AutoModelForImageTextToText.from_pretrained("assets/tiny-vlm")
```

An image becomes a 96-pixel square and 36 tokens. The tokenizer is a byte-level BPE; the context holds
8,192 tokens. The chat template is that of the SmolVLM family.

## What it can do

Measured greedily on charts of the held-out split, one question per image:

| kind of question | questions | exact match | evasive |
|---|---|---|---|
{rows}

Mean over the kinds it was taught: {overall:.1f} %.

**Its habit.** Asked for the `{habit}` one (the shortest bar, the smallest slice), it answers that the
image provides no information, although it can see which one it is: most training answers of this kind
evade, the rest are right. Preference optimisation brings the right answers out.

**Its gap.** It was never shown a `{gap}` line. A short fine-tuning teaches it.

It knows drawn bar, line, pie and dot charts in five colours and nothing else. It cannot read text in
images and has no knowledge of the world.

## Training

```
python -m tools.tiny_vlm build --steps {steps} --seed {seed}
```

{steps} steps of {batch} freshly drawn charts, up to seven questions each; loss on the answers and on naming
the colours under each image token; Muon for matrices and AdamW for the rest; {minutes:.0f} minutes on two shared CPU cores. No other data was used.
"""
