"""A model asked as whoever downloads it would: with transformers and PEFT, nothing of the studio.

`python plain_model.py QUESTIONS.json ANSWERS.json` loads what the questions name in a process of its
own. `ask` is also what asks the trained model beforehand, so that both are asked alike.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

AT_ONCE = 16
Answers = list[dict[str, Any]]


def load(where: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the model and the processor that `where` names.

    Args:
        where: `model`, and optionally `revision`, `adapter` (a folder), `processor` (a folder),
            `dtype`, `device`, `quantization` (arguments of `BitsAndBytesConfig`).
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig

    dtype = getattr(torch, where["dtype"])
    settings: dict[str, Any] = {}
    if where.get("quantization"):
        values = dict(where["quantization"])
        if values.get("load_in_4bit"):
            values["bnb_4bit_compute_dtype"] = dtype
        settings = {
            "quantization_config": BitsAndBytesConfig(**values),
            "device_map": {"": where["device"]},
        }
    model = AutoModelForImageTextToText.from_pretrained(
        where["model"],
        revision=where.get("revision"),
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=False,
        **settings,
    )
    if not settings:
        model = model.to(where["device"])
    if where.get("adapter"):
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, where["adapter"])
    processor = AutoProcessor.from_pretrained(
        where.get("processor") or where["model"], trust_remote_code=False
    )
    return model.eval(), processor


@torch.inference_mode()
def ask(
    model: Any,
    processor: Any,
    rows: Sequence[Mapping[str, Any]],
    longest: int,
    given: Sequence[Sequence[int]] | None = None,
) -> Answers:
    """Return for each row the greedy answer, and how likely the model finds the given one.

    Args:
        rows: `messages` as the chat template takes them, and `images`, paths in their order.
        longest: Tokens after which an answer is cut.
        given: For each row the token ids to score; None: the answers themselves.

    Returns:
        For each row `tokens` (ids of the answer), `text`, and `log_probs`, in nats, of every token
        of the given answer.
    """
    written = _greedy(model, processor, rows, longest)
    scored = [one["tokens"] for one in written] if given is None else given
    for row, answer, ids in zip(rows, written, scored, strict=True):
        answer["log_probs"] = _log_probs(model, processor, row, list(ids))
    return written


def _greedy(model: Any, processor: Any, rows: Sequence[Mapping[str, Any]], longest: int) -> Answers:
    answers: Answers = [{} for _ in rows]
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]["images"]))
    while order:
        count = len(rows[order[0]]["images"])
        batch = [place for place in order if len(rows[place]["images"]) == count][:AT_ONCE]
        order = order[len(batch) :]
        inputs = _inputs(model, processor, [rows[place] for place in batch])
        end = model.generation_config.eos_token_id
        ends = end if isinstance(end, list) else [end]
        found = model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=longest,
            pad_token_id=processor.tokenizer.pad_token_id,
        )
        for place, ids in zip(batch, found[:, inputs["input_ids"].shape[1] :], strict=True):
            kept = _until_end(ids.tolist(), ends)
            text = processor.tokenizer.decode(kept, skip_special_tokens=True)
            answers[place] = {"tokens": kept, "text": text.strip()}
    return answers


def _until_end(ids: list[int], ends: Sequence[int | None]) -> list[int]:
    stop = next((place for place, token in enumerate(ids) if token in ends), len(ids) - 1)
    return ids[: stop + 1]


def _log_probs(
    model: Any, processor: Any, row: Mapping[str, Any], answer: list[int]
) -> list[float]:
    if not answer:
        return []
    inputs = _inputs(model, processor, [row])
    shape = inputs["input_ids"].shape
    fresh = torch.tensor([answer], device=model.device)
    for name, value in list(inputs.items()):
        if isinstance(value, torch.Tensor) and value.shape == shape:
            added = fresh if name == "input_ids" else torch.zeros_like(fresh)
            added = torch.ones_like(fresh) if name == "attention_mask" else added
            inputs[name] = torch.cat([value, added.to(value.dtype)], dim=1)
    logits = model(**inputs).logits[0, shape[1] - 1 : -1].float()
    return logits.log_softmax(-1).gather(-1, fresh[0][:, None])[:, 0].tolist()


def _inputs(model: Any, processor: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    texts = [
        processor.apply_chat_template(
            list(row["messages"]), tokenize=False, add_generation_prompt=True
        )
        for row in rows
    ]
    images = [[_opened(path) for path in row["images"]] for row in rows]
    inputs = processor(
        text=texts,
        images=images if images[0] else None,
        padding=True,
        padding_side="left",
        add_special_tokens=False,
        return_tensors="pt",
    )
    return inputs.to(model.device, dtype=model.dtype)


def _opened(path: str) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def main(questions: Path, answers: Path) -> None:
    """Answer the questions of one file into another."""
    asked = json.loads(questions.read_text(encoding="utf-8"))
    model, processor = load(asked["where"])
    found = ask(model, processor, asked["rows"], asked["longest"], asked["given"])
    answers.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
