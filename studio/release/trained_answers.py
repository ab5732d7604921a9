"""What the trained model answers, and its base: that which every artefact is compared with."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from studio.config.model import ModelConfig
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.models.devices import pick_device, resolve_dtype
from studio.models.load import Loaded, load_model, skeleton_of
from studio.models.loaded_adapters import AdapterShelf
from studio.models.model_location import model_path
from studio.models.prequantized import prequantized, settled
from studio.models.quantize import quantization_config
from studio.release.plain_model import Answers, ask
from studio.release.questions import Questions, questions_of
from studio.runs.run_weights import RunWeights


@dataclass(frozen=True)
class TrainedAnswers:
    """The answers of a run's weights, and its base's.

    Attributes:
        run, base: For each question what `plain_model.ask` returns; the base scores the answers of
            the run.
        dtype: What the run computes in.
        quantization: As the run's base was loaded: none, int8, nf4, fp4.
    """

    questions: Questions
    run: Answers
    base: Answers
    dtype: str
    quantization: str
    longest: int


def ask_trained(
    weights: RunWeights, rows: Sequence[Row], source: str, images: ImageStore, longest: int
) -> TrainedAnswers:
    """Ask a run's weights and their base, loaded as the studio loads them.

    Raises:
        ModelError: The base or the weights cannot be used any more.
        DataError: No row can be asked.
    """
    config = settled(weights.run.config.model)
    adapter = weights.run.config.adapter
    loaded = load_model(config)
    questions = questions_of(rows, source, loaded.model, loaded.processor, images)
    if weights.is_adapter:
        shelf = AdapterShelf(loaded.model, config)
        shelf.activate(weights.folder, same_base=adapter is not None and adapter.base_is_same)
        run = _asked(loaded, questions, longest)
        shelf.activate(None)
        base = _asked(loaded, questions, longest, run)
    else:
        whole = load_model(_whole(config, weights.folder))
        run = _asked(whole, questions, longest)
        del whole
        base = _asked(loaded, questions, longest, run)
    dtype = str(loaded.dtype).removeprefix("torch.")
    del loaded
    free()
    return TrainedAnswers(questions, run, base, dtype, config.quantization, longest)


def where_is(
    model: ModelConfig, dtype: str, *, adapter: Path | None = None, processor: Path | None = None
) -> dict[str, Any]:
    """Return what `plain_model.load` takes to load a base model as a run has it.

    Args:
        dtype: What it computes in.
    """
    model = settled(model)
    quantization = None
    if model.quantization != "none" and prequantized(skeleton_of(model).config) is None:
        made = quantization_config(model, skeleton_of(model), getattr(torch, dtype))
        values = made.to_dict() if made is not None else {}
        names: tuple[str, ...] = ("load_in_4bit", "load_in_8bit", "llm_int8_skip_modules")
        names += ("bnb_4bit_quant_type", "bnb_4bit_use_double_quant")
        quantization = {name: values[name] for name in names if values.get(name)}
    path = model_path(model.id)
    return {
        "model": str(Path(path).resolve()) if Path(path).is_dir() else path,
        "revision": model.revision,
        "adapter": str(adapter) if adapter else None,
        "processor": str(processor) if processor else None,
        "dtype": dtype,
        "device": str(pick_device()),
        "quantization": quantization,
    }


def computing_dtype(model: ModelConfig) -> str:
    """Return the number format that a run on `model` computes in on this machine."""
    return str(resolve_dtype(model.dtype, pick_device())).removeprefix("torch.")


def free() -> None:
    """Give the memory of models that nobody holds any more back."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _whole(model: ModelConfig, folder: Path) -> ModelConfig:
    return model.model_copy(update={"id": str(folder), "revision": None, "quantization": "none"})


def _asked(
    loaded: Loaded, questions: Questions, longest: int, given: Answers | None = None
) -> Answers:
    ids = [one["tokens"] for one in given] if given is not None else None
    loaded.model.eval()
    return ask(loaded.model, loaded.processor, questions.rows, longest, ids)
