"""A run by what people call it: its id, the beginning of its id, or its name."""

from __future__ import annotations

import re

from studio.core.errors import InputError, NotFoundError
from studio.core.paths import can_be_path
from studio.runs.store import SAID_ID, Run, RunStore, is_run_id

SHOWN = 5
_TIME = re.compile(r"\b\d{8}-\d{6}-(?=\S)")


def find_run(store: RunStore, name: str, field: str = "") -> Run:
    """Return the run of this id, else the only one whose id begins so, else the only one so named.

    Raises:
        NotFoundError: There is none.
        InputError: Several could be meant; the sentence lists them.
    """
    said = name[:SAID_ID]
    if not name or not can_be_path(name):
        raise _none(store, said, field)
    if is_run_id(name) and store.workspace.run(name).config.is_file():
        return store.get(name)  # without a look at all the others
    runs = store.list()
    for chosen in (
        [run for run in runs if run.run_id.startswith(name)],
        [run for run in runs if _name_of(run) == name],
    ):
        if len(chosen) > 1:
            ids = ", ".join(run.run_id for run in chosen[:SHOWN])
            more = ", …" if len(chosen) > SHOWN else ""
            raise InputError(
                f"{len(chosen)} runs can be meant by {said!r}: {ids}{more}.",
                remedy="Write more of the id.",
                field=field,
            )
        if chosen:
            return chosen[0]
    raise _none(store, said, field)


def without_times(text: str) -> str:
    """Return a sentence in which ids of runs have lost the time they begin with.

    Where a run is shown, when it was is there already.
    """
    return _TIME.sub("", text)


def _name_of(run: Run) -> str:
    config = run.known_config
    return config.name if config else ""


def _none(store: RunStore, said: str, field: str) -> NotFoundError:
    return NotFoundError(
        f"There is no run {said!r} in {store.workspace.root}.",
        remedy="`python -m studio runs list` shows those there are.",
        field=field,
    )
