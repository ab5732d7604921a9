"""A run released: its weights written for others, and each artefact kept only if it answers as the run.

What torch is needed for is loaded as it is called: the page's process never comes here.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from studio import __version__
from studio.core.errors import (
    BusyError,
    ConflictError,
    InputError,
    RunFailedError,
    StudioError,
    first_line,
)
from studio.core.paths import Workspace, read_state, write_atomic
from studio.core.torch_import import loading
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.data.sources.registry import is_on_hub
from studio.evaluation.evaluated_rows import (
    RUN,
    choose_rows,
    held_out_rows,
    spread,
    with_system_prompt,
)
from studio.launch.release_facts import card_facts
from studio.launch.release_push import ensure_pushable, push_release
from studio.release.artefact_files import (
    digest_of,
    ensure_for_others,
    ensure_room,
    replaced,
    write_json_text,
    write_zip,
)
from studio.release.model_card import CARD, CardFacts, model_card
from studio.release.released_base import released_base
from studio.release.verification import Verification, ensure_release, said_of, verify
from studio.runs.run_weights import RunWeights, find_weights
from studio.runs.store import RunStore

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from studio.release.gguf import GgufVerification
    from studio.release.trained_answers import TrainedAnswers

logger = logging.getLogger(__name__)
Kind = Literal["adapter", "merged", "gguf"]
Tell = Callable[[str], None]
REPORT = "release.json"
FEWEST_ROWS, DEFAULT_ROWS, MOST_ROWS = 8, 32, 2_000
DISK_SHARE = 1.1
ZIP_COPIES = 2
TOLD = ("embedded:", "exports/", "run:")
"""Beginnings of sources that say nothing of this machine."""
GGUF_COPIES = 2.2
SHARD = r"[1-9]\d{0,3}(KB|MB|GB)"


@dataclass(frozen=True)
class ReleaseRequest:
    """What is to be released.

    Attributes:
        run: `RUN` or `RUN@STEP`.
        merge: Whether a merged model is made, too.
        into: Of a quantized base: into the weights that the run was trained on (`dequantized`) or
            into the 16-bit ones (`base`).
        dtype: Number format of the merged model; `auto`: that of the base.
        data: Rows to be asked; empty: those that the run holds out.
        rows: How many of them.
        gguf: Type of a GGUF that is made of the merged model; empty: none.
        llama_cpp: A checkout of llama.cpp, which that takes.
        out: Where it is written; None: into the workspace.
        licence: Of what is released, as the hub calls it; empty: that of the base.
        push: Repository that gets the merged model, or the adapter where none is made; empty: none.
        private: Of a repository that is made for it.
    """

    run: str
    merge: bool = False
    into: Literal["dequantized", "base"] = "dequantized"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    shard_size: str = "5GB"
    data: str = ""
    rows: int = DEFAULT_ROWS
    longest: int = 64
    gguf: str = ""
    llama_cpp: Path | None = None
    out: Path | None = None
    licence: str = ""
    push: str = ""
    private: bool = True


@dataclass(frozen=True)
class Artefact:
    """Something that was released.

    Attributes:
        archive: The same packed; None where it was not.
        report: What its `release.json` says.
        known: Whether it was there already, made of the same weights.
        pushed: Where it is on the hub; empty where it was not pushed.
    """

    kind: Kind
    folder: Path
    report: dict[str, Any]
    archive: Path | None = None
    known: bool = False
    pushed: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "kind": self.kind,
            "folder": str(self.folder),
            "archive": str(self.archive) if self.archive else None,
            "known": self.known,
            "pushed": self.pushed,
            "report": self.report,
        }


@dataclass
class _Making:
    """One release under way: what is asked once for all of its artefacts."""

    workspace: Workspace
    request: ReleaseRequest
    weights: RunWeights
    digest: str
    tell: Tell
    facts: CardFacts
    trained: TrainedAnswers | None = field(default=None)


def release(
    workspace: Workspace,
    request: ReleaseRequest,
    tell: Tell = lambda _: None,
    hub: HfApi | None = None,
) -> list[Artefact]:
    """Write a run's weights for others, each artefact verified in a fresh process.

    An artefact that is there already and was made of the same weights in the same way stays.

    Args:
        tell: Called with what is being done, in words.
        hub: Where it is pushed to; None: the hub that the environment names.

    Raises:
        InputError: The run, the rows or the settings cannot be used; nothing was computed.
        BusyError: The same run is being released already.
        RunFailedError: It could not be written, or does not answer as the run: nothing is kept.
        ConflictError: The run's weights were replaced meanwhile.
    """
    weights = find_weights(RunStore(workspace), request.run)
    if request.gguf:
        request = replace(request, merge=True)
    _ensure_released(request, weights)
    place = (request.out or workspace.releases / weights.name).resolve()
    place.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place / ".release.lock")
    try:
        held = lock.acquire(timeout=0)
    except Timeout as error:
        raise BusyError(
            f"{weights.name} is being released already.", remedy="Wait for its end."
        ) from error
    with held:
        facts = card_facts(workspace, weights, request.licence)
        making = _Making(workspace, request, weights, digest_of(weights.folder), tell, facts)
        made: list[Artefact] = []
        if weights.is_adapter:
            made.append(_adapter(making, place / "adapter"))
        if request.merge:
            made.append(_merged(making, place / "merged"))
        if request.gguf:
            made.append(_gguf(making, place / f"gguf-{request.gguf}", made[-1].folder))
        if request.push:
            tell(f"Sending it to {request.push}")
            address = push_release(made[-1].folder, request.push, private=request.private, api=hub)
            made[-1] = replace(made[-1], pushed=address)
        return made


def _ensure_released(request: ReleaseRequest, weights: RunWeights) -> None:
    if not FEWEST_ROWS <= request.rows <= MOST_ROWS:
        raise InputError(
            f"{request.rows} rows cannot be asked.",
            remedy=f"Ask {FEWEST_ROWS} to {MOST_ROWS:,}.",
            field="rows",
        )
    if not re.fullmatch(SHARD, request.shard_size):
        raise InputError(
            f"{request.shard_size[:40]!r} is no size of a file.",
            remedy="Write 5GB or 500MB.",
            field="shard_size",
        )
    if not weights.is_adapter and not request.merge:
        raise InputError(
            f"Run {weights.run.run_id} trained every weight: it has left a model, no adapter.",
            remedy="Release it with --merge.",
            field="merge",
        )
    if request.push:
        ensure_pushable(request.push)
    if request.gguf:
        with loading():
            from studio.release.gguf import find_llama_cpp

        find_llama_cpp(request.llama_cpp, request.gguf)
    if request.out is not None and request.out.exists() and not request.out.is_dir():
        raise InputError(f"{request.out} is a file.", remedy="Give a folder.", field="out")


def _adapter(making: _Making, target: Path) -> Artefact:
    """The adapter's folder and its ZIP."""
    archive = target.with_name("adapter.zip")
    settings: dict[str, Any] = {}
    if known := _known(making, target, settings):
        if _write_card(making, target, known) or not archive.is_file():
            write_zip(target, archive)
        return Artefact("adapter", target, known, archive, known=True)
    weights = making.weights
    size = sum(file.stat().st_size for file in weights.folder.glob("*.safetensors"))
    ensure_room(target, DISK_SHARE * ZIP_COPIES * size)
    trained = _asked(making)
    making.tell("Writing the adapter")
    with _written(making, "adapter"), replaced(target) as folder:
        from studio.release.adapter_artefact import write_adapter
        from studio.release.trained_answers import where_is

        write_adapter(weights, folder)
        making.tell("Asking the adapter in a fresh process")
        where = where_is(weights.run.config.model, trained.dtype, adapter=folder, processor=folder)
        report = _finish(making, folder, "adapter", settings, verify(trained, where))
    archive.unlink(missing_ok=True)
    return Artefact("adapter", target, report, write_zip(target, archive))


def _merged(making: _Making, target: Path) -> Artefact:
    """The base with the adapter in its weights."""
    with loading():
        from studio.release import merge
        from studio.release.trained_answers import free, where_is

    weights, request = making.weights, making.request
    model = weights.run.config.model
    if weights.is_adapter:
        merge.ensure_mergeable(weights, request.into)
    dtype = merge.saved_dtype(model, request.dtype)
    settings = {"dtype": dtype, "into": request.into if weights.is_adapter else ""}
    if known := _known(making, target, settings):
        _write_card(making, target, known)
        return Artefact("merged", target, known, known=True)
    ensure_room(target, DISK_SHARE * merge.bytes_of(model, dtype))
    trained = _asked(making)
    making.tell("Merging")
    with _written(making, "merged model"), replaced(target) as folder:
        from studio.release.adapter_artefact import write_processor

        merge.write_merged(
            weights, folder, into=request.into, dtype=dtype, shard_size=request.shard_size
        )
        free()
        write_processor(weights, folder)
        making.tell("Asking the merged model in a fresh process")
        where = where_is(model, dtype) | {
            "model": str(folder),
            "revision": None,
            "quantization": None,
        }
        report = _finish(making, folder, "merged", settings, verify(trained, where))
    return Artefact("merged", target, report)


def _gguf(making: _Making, target: Path, merged: Path) -> Artefact:
    """The merged model for llama.cpp."""
    from studio.release.gguf import find_llama_cpp, verify_gguf, write_gguf

    request = making.request
    settings = {"type": request.gguf, "into": request.into}
    if known := _known(making, target, settings):
        _write_card(making, target, known)
        return Artefact("gguf", target, known, known=True)
    tools = find_llama_cpp(request.llama_cpp, request.gguf)
    size = sum(file.stat().st_size for file in merged.glob("*.safetensors"))
    ensure_room(target, GGUF_COPIES * size)
    trained = _asked(making)
    making.tell("Writing GGUF")
    with _written(making, "GGUF"), replaced(target) as folder:
        system = making.facts.system_prompt
        model, eyes = write_gguf(merged, folder, tools, request.gguf, system)
        making.tell("Asking llama.cpp")
        found = verify_gguf(model, eyes, tools, trained, request.gguf)
        report = _finish(making, folder, "gguf", settings, found)
    return Artefact("gguf", target, report)


@contextmanager
def _written(making: _Making, what: str) -> Iterator[None]:
    """Turn what goes wrong with the disk and the memory into sentences.

    Raises:
        RunFailedError: Either of them was full.
    """
    from studio.models.oom import MEMORY_ERRORS, ran_out

    try:
        yield
    except (OSError, SafetensorError) as error:
        logger.exception("The %s of %s", what, making.weights.name)
        raise RunFailedError(
            f"The {what} could not be written: {first_line(error)}.",
            remedy="See that there is room and that the folder can be written, then release "
            "again. Nothing was kept of it; the run is as it was.",
            field="out",
        ) from error
    except MEMORY_ERRORS as error:
        if isinstance(error, StudioError) or not ran_out(error):
            raise
        raise RunFailedError(
            f"Memory ran out while the {what} was made: {first_line(error)}",
            remedy="End what else takes memory, then release again. Nothing was kept of it; the run "
            "is as it was.",
        ) from error


def _asked(making: _Making) -> TrainedAnswers:
    """What the run answers, and its base; asked once."""
    if making.trained is None:
        rows, source = _probe_rows(making.workspace, making.weights, making.request)
        with loading():
            from studio.models.memory_check import refuse_if_too_large
            from studio.release.trained_answers import ask_trained

        refuse_if_too_large(making.weights.run.config.model, RunStore(making.workspace))
        making.tell(f"Asking the run and its base {len(rows):,} questions")
        images = ImageStore(making.workspace)
        longest = making.request.longest
        making.trained = ask_trained(making.weights, rows, source, images, longest)
    return making.trained


def _probe_rows(
    workspace: Workspace, weights: RunWeights, request: ReleaseRequest
) -> tuple[Sequence[Row], str]:
    """Rows to ask: those named, else those held out, else those trained on; and where from."""
    run = weights.run
    data = run.config.data
    if request.data:
        found = choose_rows(request.data, workspace)
        told = request.data.startswith(TOLD) or is_on_hub(request.data, workspace)
        rows, source = list(found.rows), found.source if told else "rows of a file"
    elif data.evaluation and (rows := held_out_rows(run, workspace)):
        source = f"rows held out by {run.run_id}"
    else:
        found = choose_rows(data.source, workspace, split=data.train, columns=data.columns)
        rows, source = list(found.rows), "rows that the run was trained on, for it held none out"
    source = source.removeprefix(RUN)
    if data.system_prompt:
        rows = list(with_system_prompt(rows, data.system_prompt))
    return spread(rows, request.rows), source


def _known(making: _Making, target: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """The report of an artefact that was made of the same weights in the same way.

    It was asked at least as many rows, and those that are named now, if any are.
    """
    report, request = read_state(target / REPORT), making.request
    if report.get("weights_sha256") != making.digest or report.get("settings") != settings:
        return None
    asked = report.get("asked", {})
    other = bool(request.data) and asked.get("data") != _mark(request.data)
    return None if other or asked.get("rows", 0) < request.rows else report


def _mark(source: str) -> str:
    """What tells sources apart without naming them: it may be a path of this machine."""
    return hashlib.sha256(source.encode()).hexdigest()[:12] if source else ""


def _finish(
    making: _Making,
    folder: Path,
    kind: Kind,
    settings: dict[str, Any],
    found: Verification | GgufVerification,
) -> dict[str, Any]:
    """Write the report into a verified artefact, and look through it once more."""
    weights = making.weights
    ensure_release(found, {"adapter": "adapter", "merged": "merged model", "gguf": "GGUF"}[kind])
    if digest_of(weights.folder) != making.digest:
        raise ConflictError(
            f"The weights of {weights.name} were replaced while they were released.",
            remedy="Release again. Nothing was kept.",
        )
    base = released_base(weights.run.config.model)
    report = {
        "kind": kind,
        "run": weights.run.run_id,
        "name": weights.run.config.name,
        "method": weights.run.config.method,
        "step": weights.step,
        "base": {"name": base.name, "revision": base.revision},
        "quantization": weights.run.config.model.quantization,
        "settings": settings,
        "weights_sha256": making.digest,
        "asked": {"data": _mark(making.request.data), "rows": making.request.rows},
        "verification": found.to_json(),
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "made_with": {"vlm-studio": __version__}
        | {name: version(name) for name in ("transformers", "peft", "torch")},
    }
    write_json_text(folder / REPORT, report)
    _write_card(making, folder, report)
    return report


def _write_card(making: _Making, folder: Path, report: dict[str, Any]) -> bool:
    """Write the card as it is by what is known now, and look through everything; whether it changed."""
    base = released_base(making.weights.run.config.model)
    file, text = folder / CARD, model_card(making.facts, base, report, said_of(report))
    changed = not file.is_file() or file.read_text(encoding="utf-8") != text
    if changed:
        write_atomic(file, text)
    ensure_for_others(folder, places=(making.workspace.root, making.weights.folder))
    return changed
