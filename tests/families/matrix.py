"""docs/support-matrix.md, from what the families did."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
from transformers import __version__ as transformers_version
from trl import __version__ as trl_version

from tests.families.trial import Step, Trial

TITLES = {
    "idefics2": "Idefics 2",
    "idefics3": "Idefics 3 (the embedded model)",
    "smolvlm": "SmolVLM, SmolVLM 2",
    "llava": "LLaVA 1.5",
    "llava_next": "LLaVA-NeXT",
    "granite_vision": "Granite Vision 3",
    "llava_onevision": "LLaVA-OneVision",
    "internvl": "InternVL",
    "gemma3": "Gemma 3",
    "paligemma": "PaliGemma 2",
    "qwen2_vl": "Qwen2-VL",
    "qwen2_5_vl": "Qwen2.5-VL",
    "qwen3_vl": "Qwen3-VL",
    "qwen3_5": "Qwen3.5",
    "vipllava": "VipLLaVA",
    "pixtral": "Pixtral",
    "mistral3": "Mistral Small 3",
    "aya_vision": "Aya Vision",
    "cohere2_vision": "Command A Vision",
    "lfm2_vl": "LFM2-VL",
    "glm4v": "GLM-4V",
    "ovis2": "Ovis 2",
    "deepseek_vl": "DeepSeek-VL",
    "mllama": "Llama 3.2 Vision",
    "gemma4": "Gemma 4",
    "qwen3_vl_moe": "Qwen3-VL, mixture of experts",
    "lighton_ocr": "LightOnOCR",
}
NOTES = {
    "paligemma": "reads its prompt in both directions: answers are marked so that no token sees "
    "the next one; a checkpoint without a chat template gets PaliGemma's own form",
    "mllama": "images come in through cross-attention: its masks are made to cover the answers, and "
    "tokens that see no image are told nothing of one",
    "aya_vision": "its logits are scaled as its language model scales them, in chat as in training",
    "cohere2_vision": "its logits are scaled too",
    "granite_vision": "its logits are scaled too",
    "ovis2": "its processor is always asked for tensors",
    "qwen3_vl_moe": "LoRA reaches attention; the experts are one tensor each, not linear layers, "
    "and stay as they are, also under quantization",
    "qwen2_vl": "as in all of Qwen-VL, the projector is the `merger` inside the vision code",
}
WITHOUT = {
    "an encoder and a decoder: an answer does not continue its prompt, which TRL's trainers build "
    "on; refused before anything is trained": (
        "florence2",
        "pix2struct",
        "pp_formulanet",
        "t5gemma2",
        "udop",
        "vision-encoder-decoder",
    ),
    "no next-token answers about images (actions, proteins, diffusion)": (
        "pi0",
        "evolla",
        "diffusion_gemma",
    ),
}
HEAD = """# Which models can be trained

Made by `python benchmarks/families.py --write`; do not edit. Each family was built from its own
configuration with two layers and random weights, saved with a processor of its own class, and sent
through the studio's own path: plan, load, one SFT step, one DPO step, one SFT step over NF4
weights on the CPU (QLoRA), and an answer about an image with the trained adapter. The plan's
parameter counts, trainable and total, equal those of the loaded model in each part. It says that
the code fits together, not how well a checkpoint learns.

*By hand*: the log-probability of every scored token, SFT and DPO, on both paths, in a padded batch
of unlike rows (no image, one, two; text before the images), equals the one worked out with the
plain model one sequence at a time, within 1e-4; training and chat give the model the same prompts,
token for token; and another image gives other log-probabilities.

transformers {transformers}, TRL {trl}.

| family | `model_type` | parts | plan exact | SFT | DPO | QLoRA | answers | by hand | image once | shared prompt |
|---|---|---|:---:|:---:|:---:|:---:|:---:|:---:|:---:|:---:|
"""


BY_HAND = 1e-4
"""Largest difference of a token's log-probability that is rounding."""


def render(trials: Iterable[Trial], by_hand: Mapping[str, Mapping[str, float]]) -> str:
    """The page.

    Args:
        by_hand: What `tests.families.by_hand.measured` gave for each family.
    """
    trials = list(trials)
    head = HEAD.format(transformers=transformers_version, trl=trl_version)
    rows = "".join(_row(trial, by_hand[trial.family]) for trial in trials)
    return head + rows + _notes(trials) + _without(trials)


def _row(trial: Trial, by_hand: Mapping[str, float]) -> str:
    differences = [value for name, value in by_hand.items() if name != "sees"]
    fast = trial.steps["dpo"].fast_path.values
    cells = [
        TITLES[trial.family],
        f"`{trial.kind}`",
        _parts(trial),
        _mark(_exact(trial)),
        *(_mark(_sound(trial.steps[name])) for name in ("sft", "dpo", "qlora")),
        _mark(trial.answer.done),
        _mark(max(differences) <= BY_HAND),
        _mark(fast["share_images"]),
        _mark(fast["share_prompts"]),
    ]
    return f"| {' | '.join(cells)} |\n"


def _parts(trial: Trial) -> str:
    head = "head" if trial.parameters.get("head") else "head (tied)"
    found = ("vision", "projector", "language")
    return ", ".join([*(name for name in found if trial.parameters.get(name)), head])


def _exact(trial: Trial) -> bool:
    return all(
        (tower["total"], tower["trainable"])
        == (trial.parameters.get(tower["name"], 0), trial.trainable.get(tower["name"], 0))
        for tower in trial.plan["towers"]
    )


def _sound(step: Step) -> bool:
    return math.isfinite(step.loss) and step.moved == 1


def _mark(good: bool) -> str:
    return "✓" if good else "–"


def _notes(trials: list[Trial]) -> str:
    lines = [
        "\n*Image once* and *shared prompt* are parts of the [fast path](fast-path.md); where they",
        "are not proved (–), the run says so and takes TRL's own path, at the same losses.\n",
    ]
    lines += [f"- {TITLES[t.family]}: {NOTES[t.family]}." for t in trials if t.family in NOTES]
    return "\n".join(lines) + "\n"


def _without(trials: list[Trial]) -> str:
    known = {config.model_type for config in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING}
    lines = ["\n## Not supported\n"]
    for reason, kinds in WITHOUT.items():
        lines.append(f"- {_named(kinds)}: {reason}.")
    lines += [
        "- Models without a chat template, such as BLIP and many base models: refused before anything",
        "  is trained, for it is not known how they are asked.",
        "- Models that need code from their repository: it is never run.",
    ]
    rest = known - {trial.kind for trial in trials} - {k for ks in WITHOUT.values() for k in ks}
    lines += [
        "\n## Not tried\n",
        "Transformers has these too. Whether they train here is not known; `plan` shows their parts",
        f"first: {_named(sorted(rest))}.",
    ]
    return "\n".join(lines) + "\n"


def _named(kinds: Iterable[str]) -> str:
    return ", ".join(f"`{kind}`" for kind in kinds)
