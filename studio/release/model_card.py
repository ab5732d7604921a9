"""The model card of an artefact: what it is, how it was made, how it does, how it is loaded."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData, try_to_load_from_cache

from studio.config.model import ModelConfig
from studio.core.errors import InputError
from studio.core.markdown_text import plain
from studio.core.paths import EMBEDDED, TINY_VLM
from studio.release.released_base import ReleasedBase

logger = logging.getLogger(__name__)
CARD = "README.md"
HERE = "path/or/name"
"""What the card's code calls the artefact: its folder, or its name on the hub."""
LIBRARIES = {"adapter": "peft", "merged": "transformers", "gguf": "gguf"}
RELATIONS = {"adapter": "adapter", "merged": "finetune", "gguf": "quantized"}
FREE = frozenset(
    (
        "apache-2.0",
        "mit",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc0-1.0",
        "cc-by-4.0",
        "unlicense",
    )
)
"""Licences under which what is made of a model may be given another licence."""


@dataclass(frozen=True)
class Licence:
    """A licence as the hub calls it, with the name and the address of one that it does not know."""

    name: str = ""
    other_name: str | None = None
    other_link: str | None = None


@dataclass(frozen=True)
class CardFacts:
    """What a card says beside what its artefact's report knows.

    Attributes:
        name: What people call the run.
        recipe: Lines of the recipe: `("Rank", "16")`.
        datasets: Hub ids of datasets.
        data: What was learned from, in sentences; names nobody.
        results: A section on held-out rows, as Markdown; empty where nothing was measured.
        figures: What else is known: `("Blind match", "won 61 % …")`.
        limits: What a reader should beware of, in sentences.
        system_prompt: What it was trained with.
    """

    name: str
    recipe: tuple[tuple[str, str], ...] = ()
    datasets: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    results: str = ""
    figures: tuple[tuple[str, str], ...] = ()
    limits: tuple[str, ...] = ()
    licence: Licence = Licence()
    system_prompt: str = ""


def model_card(facts: CardFacts, base: ReleasedBase, report: Mapping[str, Any], said: str) -> str:
    """Return the text of the card of an artefact.

    Args:
        report: The artefact's `release.json`.
        said: What came of its verification, as a sentence.
    """
    merged = report["kind"] != "adapter"
    data = ModelCardData(
        base_model=base.hub_id or None,
        base_model_relation=RELATIONS[str(report["kind"])] if base.hub_id else None,
        datasets=list(facts.datasets) or None,
        library_name=LIBRARIES[str(report["kind"])],
        license=facts.licence.name or None,
        license_name=facts.licence.other_name,
        license_link=facts.licence.other_link,
        pipeline_tag="image-text-to-text",
        tags=sorted({"trl", "vlm-studio", str(report["method"]), *_lora(merged), *_gguf(report)}),
    )
    card = ModelCard(f"---\n{data.to_yaml()}\n---\n\n{_text(facts, base, report, said)}")
    return str(card)


def licence_of(model: ModelConfig) -> Licence:
    """Return the licence in a base model's own card, where it is on this machine; empty elsewhere."""
    if model.id == EMBEDDED:
        file: object = TINY_VLM / CARD
    elif Path(model.id).is_dir():
        file = Path(model.id, CARD)
    else:
        file = try_to_load_from_cache(model.id, CARD, revision=model.revision)
    if not isinstance(file, str | Path) or not Path(file).is_file():
        return Licence()
    try:
        found = ModelCard.load(file, ignore_metadata_errors=True).data
    except (OSError, ValueError):
        logger.info("The card of %s cannot be read.", model.id, exc_info=True)
        return Licence()
    if not isinstance(found.license, str):
        return Licence()
    return Licence(found.license, found.license_name, found.license_link)


def settled_licence(asked: str, of_base: Licence) -> Licence:
    """Return the licence of what is released: the base's, unless another may be and is given.

    Raises:
        InputError: The base's licence goes on to what is made of it.
    """
    if not asked or asked == of_base.name:
        return of_base
    if of_base.name and of_base.name not in FREE:
        raise InputError(
            f"The base model is under {of_base.name}, which goes on to what is made of it; {asked} "
            "cannot be given.",
            remedy="Leave --license out.",
            field="license",
        )
    return Licence(asked)


def _lora(merged: bool) -> tuple[str, ...]:
    return () if merged else ("lora",)


def _gguf(report: Mapping[str, Any]) -> tuple[str, ...]:
    return ("gguf",) if report["kind"] == "gguf" else ()


def _text(facts: CardFacts, base: ReleasedBase, report: Mapping[str, Any], said: str) -> str:
    merged = report["kind"] != "adapter"
    method = str(report["method"]).upper()
    what = "A vision-language model" if merged else "An adapter (PEFT) for a vision-language model"
    what += " for llama.cpp (GGUF)" if report["kind"] == "gguf" else ""
    step = f", step {report['step']:,}" if isinstance(report.get("step"), int) else ""
    parts = [
        f"# {plain(facts.name)}",
        f"{what}, trained with {method}{step}. {base.sentence}{_merge(report)}",
        f"## How it is used\n\n{_usage(facts, base, report)}",
        "## How it was trained\n\n| | |\n|---|---|\n"
        + "\n".join(f"| {plain(name)} | {plain(value)} |" for name, value in facts.recipe),
        "## What it learned from\n\n" + " ".join(facts.data),
    ]
    if facts.results.strip():
        parts.append(facts.results.strip())
    if facts.figures:
        lines = [f"- {plain(name)}: {plain(text)}" for name, text in facts.figures]
        parts.append("## What else is known of it\n\n" + "\n".join(lines))
    parts += [
        f"## Whether this is what was trained\n\nThe files here were asked what the trained run had "
        f"been asked, {_asked_with(report)}: {said} `release.json` has the figures.",
        "## Limits\n\n" + "\n".join(f"- {line}" for line in facts.limits),
        f"## How to cite\n\n```bibtex\n{_bibtex(facts, base)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _merge(report: Mapping[str, Any]) -> str:
    if report["kind"] == "adapter":
        return ""
    into = report["settings"].get("into")
    if report["quantization"] == "none":
        return " The adapter is part of the weights." if into else " Every weight was trained."
    where = "the 16-bit base" if into == "base" else "the weights it was trained on, dequantized"
    return f" The adapter was merged into {where}."


def _asked_with(report: Mapping[str, Any]) -> str:
    if report["kind"] == "gguf":
        return "with llama.cpp"
    with_peft = " and PEFT" if report["kind"] == "adapter" else ""
    return f"in a fresh process with plain transformers{with_peft}"


def _usage(facts: CardFacts, base: ReleasedBase, report: Mapping[str, Any]) -> str:
    if report["kind"] == "gguf":
        model = f"model-{report['settings']['type']}.gguf"
        return (
            f"```sh\nllama-mtmd-cli -m {model} --mmproj mmproj.gguf --image picture.png --jinja "
            '-p "Which is the highest?" --temp 0\n```\n\nOllama: `ollama create NAME -f Modelfile`.'
        )
    merged = report["kind"] != "adapter"
    lines = [
        "from PIL import Image",
        "from transformers import AutoModelForImageTextToText, AutoProcessor",
    ]
    if merged:
        lines += [
            "",
            f'here = "{HERE}"',
            'model = AutoModelForImageTextToText.from_pretrained(here, dtype="auto")',
        ]
    else:
        name = "assets/tiny-vlm" if base.name == EMBEDDED else base.name or "the/base"
        revision = f', revision="{base.revision}"' if base.revision else ""
        lines = ["from peft import PeftModel", *lines, "", f'here = "{HERE}"']
        lines += [
            f'base = AutoModelForImageTextToText.from_pretrained("{name}"{revision}, dtype="auto")',
            "model = PeftModel.from_pretrained(base, here)",
        ]
    system = ""
    if facts.system_prompt:
        text = (
            facts.system_prompt.encode("unicode_escape")
            .decode()
            .replace('"', '\\"')
            .replace("`", "\\x60")
        )
        system = f'    {{"role": "system", "content": [{{"type": "text", "text": "{text}"}}]}},\n'
    lines += [
        "processor = AutoProcessor.from_pretrained(here)",
        "",
        "messages = [",
        *([system.rstrip("\n")] if system else []),
        '    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Which is the highest?"}]}',
        "]",
        "text = processor.apply_chat_template(messages, add_generation_prompt=True)",
        'image = Image.open("picture.png").convert("RGB")',
        'inputs = processor(text=[text], images=[[image]], add_special_tokens=False, return_tensors="pt")',
        "found = model.generate(**inputs.to(model.device, model.dtype), max_new_tokens=64, do_sample=False)",
        'print(processor.batch_decode(found[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)[0])',
    ]
    code = "```python\n" + "\n".join(lines) + "\n```"
    quantized = report["quantization"]
    if merged or quantized == "none":
        return code
    return (
        f"{code}\n\nIt was trained on the base in {quantized.upper()}: loaded so (`BitsAndBytesConfig` "
        "of transformers), it answers exactly as it did then; on the base in 16 bits it answers a "
        "little differently."
    )


def _bibtex(facts: CardFacts, base: ReleasedBase) -> str:
    of = f", fine-tuned from {base.hub_id}" if base.hub_id else ""
    title = "".join(sign for sign in facts.name if sign not in "{}\\\n`")
    return f"@misc{{vlm_studio_model,\n  title = {{{title}{of}}},\n  note = {{Trained with VLM Studio}}\n}}"
