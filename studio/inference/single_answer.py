"""One question to a model and its adapter, answered in this process; for the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.config import run_file
from studio.config.model import ModelConfig
from studio.core.errors import InputError, NotFoundError
from studio.core.paths import Workspace
from studio.data.image_decoding import open_image
from studio.inference.model_choice import Answerer, resolve
from studio.inference.protocol import ChatDelta, Stopped, said, user_turn
from studio.inference.sampling import Sampling
from studio.runs.run_names import find_run
from studio.runs.store import RunStore

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """An answer, who gave it, and how it ended.

    Attributes:
        tokens: Tokens of the answer, without the stop token.
        stopped: As in `ChatDelta`.
    """

    model: str
    text: str
    tokens: int = 0
    stopped: Stopped = "end"


def ask(
    workspace: Workspace,
    *,
    model: str,
    adapter: str | None,
    images: Sequence[str | Path],
    question: str,
    compare: bool = False,
    quantization: str = "none",
    same_base: bool = False,
    sampling: Sampling | None = None,
) -> list[Asked]:
    """Ask the adapter (or the base model), and the base model too when comparing.

    Args:
        adapter: Run id, or an adapter folder.
        same_base: The base that the adapter names is `model` under another name or path.

    Raises:
        InputError: The model, the adapter or an image cannot be used.
    """
    config = run_file.parse({"model": {"id": model, "quantization": quantization}}).model
    answerers = _answerers(workspace, config, adapter, compare)
    pictures = [_open(path) for path in images]
    from studio.inference.engine import Engine

    engine = Engine()
    system = _system_prompt(workspace, adapter)
    messages = [*([said("system", system)] if system else []), user_turn(question, len(pictures))]
    sampling = sampling or Sampling()
    return [
        _asked(
            name,
            engine.chat(one.model, one.adapter, messages, pictures, sampling, same_base=same_base),
        )
        for name, one in answerers.items()
    ]


def _asked(name: str, answer: Iterable[ChatDelta]) -> Asked:
    deltas = list(answer)
    text = "".join(delta.text for delta in deltas)
    return Asked(name, text, deltas[-1].tokens, deltas[-1].stopped)


def _answerers(
    workspace: Workspace, model: ModelConfig, adapter: str | None, compare: bool
) -> dict[str, Answerer]:
    if adapter is None:
        return {model.id: Answerer(model)}
    folder = Path(adapter)
    if folder.is_dir():
        adapted = Answerer(model, folder)
    else:
        adapted = resolve(RunStore(workspace), model, adapter)
    return {**({model.id: Answerer(model)} if compare else {}), adapter: adapted}


def _system_prompt(workspace: Workspace, adapter: str | None) -> str | None:
    """The one the adapter was trained with."""
    if adapter is None or Path(adapter).is_dir():
        return None
    run = find_run(RunStore(workspace), adapter.partition("@")[0], "adapter")
    return run.config.data.system_prompt


def _open(name: str | Path):
    path = Path(name)
    if ADDRESS.match(str(name)):
        raise InputError(
            f"{name} is an address, not a file: nothing is fetched.",
            remedy="Save the image, and give the path of the file.",
            field="image",
        )
    if not path.is_file():
        raise NotFoundError(f"There is no image {path}.", remedy="Check the path.", field="image")
    return open_image(path)
