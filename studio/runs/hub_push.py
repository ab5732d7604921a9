"""Pushing what a run learned to the hub: its card, the upload, and what became of it.

A run that trained is finished whether its push succeeds or not; `status.json` says where the
weights went or why they did not, so that the push can be tried again.
"""

from __future__ import annotations

import re
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from studio.config.run import RunConfig
from studio.core.errors import BusyError, RunFailedError, first_line
from studio.core.paths import EMBEDDED, RunPaths
from studio.metrics import METRICS, Metric
from studio.runs import held_out_result
from studio.runs.event_log import EventLog
from studio.runs.held_out_result import HeldOutResult
from studio.runs.status import read_status, update_status

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD = "README.md"
BASE_TAG = "base_model:"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
RESULTS_BEGIN, RESULTS_END = "<!-- results -->", "<!-- end of results -->"
_RESULTS = re.compile(rf"\s*{RESULTS_BEGIN}.*?{RESULTS_END}\s*", re.DOTALL)
TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{8,}")


def push_weights(
    config: RunConfig, paths: RunPaths, repository: str, api: HfApi | None = None
) -> str:
    """Upload the run's adapter folder to a private repository; its address.

    What became of it is in the run's status afterwards; a library's own words are in its log.

    Raises:
        BusyError: It is being pushed already.
        RunFailedError: It could not be pushed; the weights are here as before.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    api = api or HfApi()
    lock = FileLock(paths.push_lock)
    try:
        held = lock.acquire(timeout=0)
    except Timeout as error:
        raise BusyError(
            f"{paths.run_id} is being pushed already.", remedy="Wait for its end."
        ) from error
    with held:
        update_status(paths, push_error="", push_remedy="")
        try:
            write_card(config, paths.adapter, held_out_result.read(paths))
            api.create_repo(repository, private=True, exist_ok=True)
            done = api.upload_folder(repo_id=repository, folder_path=paths.adapter)
        except (HTTPError, OSError, ValueError) as error:
            # Connections, refusals, a missing login (OSError); a card or name the hub refuses.
            raise _failed(paths, repository, error) from error
        address = str(getattr(done, "repo_url", "") or f"https://huggingface.co/{repository}")
        update_status(paths, pushed=address)
        return address


def push_cut_short(paths: RunPaths) -> None:
    """Let a run whose worker went while it pushed end as it had trained, with its push failed."""
    state = "stopped" if read_status(paths).trained == "stopped" else "finished"
    why = {
        "push_error": "The weights are saved here, but the worker ended before they were pushed.",
        "push_remedy": f"Push them again: {_again(paths)}.",
    }
    events = EventLog(paths.events)
    events.append("warning", message=why["push_error"], remedy=why["push_remedy"])
    events.append(state)
    update_status(paths, state=state, stage="", ended=time.time(), **why)


def push_under_way(paths: RunPaths) -> bool:
    """Return whether some process pushes the run's weights right now."""
    if not paths.push_lock.exists():
        return False
    lock = FileLock(paths.push_lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def write_card(config: RunConfig, folder: Path, measured: HeldOutResult | None = None) -> None:
    """Complete the card of a folder of weights; one is made where there is none.

    Args:
        measured: What the run came to on its held-out rows; it gets a section of its own.
    """
    from huggingface_hub import ModelCard

    file = folder / CARD
    if not file.is_file():
        file.write_text(f"# {config.name}\n", encoding="utf-8")
    card = ModelCard.load(file, ignore_metadata_errors=True)
    base = config.model.id if is_hub_id(config.model.id) else None
    card.data.base_model = base
    card.data.library_name = "peft" if config.adapter else "transformers"
    card.data.pipeline_tag = "image-text-to-text"
    tags = [tag for tag in card.data.tags or [] if not tag.startswith(BASE_TAG)]
    kept = [f"{BASE_TAG}adapter:{base}"] if base and config.adapter else []
    card.data.tags = sorted({*tags, *kept, "trl", config.method})
    card.text = _RESULTS.sub("", card.text).rstrip() + results_section(measured)
    card.save(file)


def results_section(measured: HeldOutResult | None) -> str:
    """Return what a card says of held-out rows: a sentence and a table with 95 % intervals."""
    if measured is None or measured.state != "measured":
        return "\n"
    lines = []
    for name, figure in measured.metrics.items():
        metric, value = METRICS.get(name), figure.get("value")
        if metric is None or value is None:
            continue
        pair = measured.paired.get(name) or {}
        shown = [_shown(metric, figure.get(part)) for part in ("value", "low", "high")]
        change = _change(metric, pair.get("difference"))
        lines.append(f"| {metric.label} | {shown[0]} | {shown[1]} to {shown[2]} | {change} |")
    against = "the base model" if measured.against == "base" else "the run it goes on from"
    table = "\n".join(["| | value | 95 % interval | change |", "|---|---:|---:|---:|", *lines])
    return (
        f"\n\n{RESULTS_BEGIN}\n## Results on held-out rows\n\n{measured.sentence}.\n\n{table}\n\n"
        f"{measured.rows:,} rows that were not trained on, greedy answers; the change is against "
        f"{against}, on the same rows.\n{RESULTS_END}\n"
    )


def _change(metric: Metric, difference: float | None) -> str:
    if difference is None:
        return "–"
    return f"{100 * difference:+.1f} points" if metric.percent else f"{difference:+.3g}"


def _shown(metric: Metric, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if metric.percent else f"{value:.3g}"


def hide_local_base(folder: Path) -> None:
    """Take a base model that is a folder of this machine out of the card in `folder`."""
    from huggingface_hub import ModelCard

    file = folder / CARD
    if not file.is_file():
        return
    card = ModelCard.load(file, ignore_metadata_errors=True)
    base = card.data.base_model
    if not isinstance(base, str) or is_hub_id(base):
        return
    card.data.base_model = None
    card.data.tags = [tag for tag in card.data.tags or [] if not tag.startswith(BASE_TAG)]
    card.save(file)


def is_hub_id(model: str) -> bool:
    """Return whether `model` names a repository of the hub, not a folder or the embedded model."""
    return model != EMBEDDED and bool(HUB_ID.fullmatch(model)) and not Path(model).exists()


def _again(paths: RunPaths) -> str:
    return f"in Runs, or with `python -m studio runs push {paths.run_id}`"


def _failed(paths: RunPaths, repository: str, error: Exception) -> RunFailedError:
    """The refusal of a push, written into the run's status and, with its traceback, its log."""
    text = TOKEN.sub("hf_…", "".join(traceback.format_exception(error)))
    with paths.log.open("a", encoding="utf-8") as log:
        log.write(f"The push to {repository} failed.\n{text}")
    reason = TOKEN.sub("hf_…", first_line(error))
    message = f"The weights are saved here but could not be pushed to {repository}: {reason}"
    remedy = (
        "Check the connection, the name and the login (`hf auth login`), then push again: "
        f"{_again(paths)}."
    )
    update_status(paths, push_error=message, push_remedy=remedy)
    return RunFailedError(message, remedy=remedy, field="push_to_hub")
