"""Evaluations of a few held-out rows of the embedded model, as tests make them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studio.config import run_file
from studio.core.paths import EMBEDDED, Workspace, write_json
from studio.evaluation.evaluated_rows import choose_rows
from studio.evaluation.evaluation import Evaluation
from studio.evaluation.evaluation_request import Wanted, prepare_request
from studio.evaluation.evaluation_store import EvaluationStore
from studio.runs import checkpoints
from studio.runs.store import Run, RunStore
from tests.adapter_folders import configured, save_adapter_of

SOURCE = "embedded:heldout"
METRICS = ("exact_match", "words")


def evaluation(
    workspace: Workspace,
    *adapters: str,
    limit: int = 4,
    metrics: Sequence[str] = METRICS,
    data: str = SOURCE,
    **wanted,
) -> Evaluation:
    """Write down an evaluation of the first rows."""
    asked = Wanted(
        EMBEDDED, adapters, metrics=tuple(metrics), data=data, max_new_tokens=8, **wanted
    )
    chosen = choose_rows(data, workspace, limit=limit)
    return EvaluationStore(workspace).create(*prepare_request(asked, chosen, workspace))


def run_with_adapter(workspace: Workspace, name: str = "small", **data) -> Run:
    """Make a finished run whose adapter changes answers, without training it."""
    values = {"source": "embedded:sft", "train": "train[:6]", **data}
    store = RunStore(workspace)
    run = store.create(run_file.parse({"name": name, "data": values}), state="finished")
    save_adapter_of(configured("LORA"), run.paths.adapter)
    write_json(
        run.paths.adapter / checkpoints.MARKER, {"kind": "adapter", "step": 3, "base": EMBEDDED}
    )
    return store.get(run.run_id)


def add_checkpoint(run: Run, step: int) -> Path:
    """Give a run a complete checkpoint with the weights that it ended with."""
    folder = run.paths.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for file in run.paths.adapter.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    checkpoints.mark_complete(folder)
    return folder
