"""Which datasets of the library matches and rounds have made for their pairs."""

from __future__ import annotations

from studio.core.paths import Workspace
from studio.evaluation.match import MatchStore
from studio.launch.matches import dataset_of
from studio.launch.round_store import RoundStore, round_dataset


def made_datasets(workspace: Workspace) -> frozenset[str]:
    """Return the names of the datasets that matches and rounds have made.

    Nobody has brought their rows: lists of what can be trained on, answered or measured leave them
    out, and *Data* shows them below the others.
    """
    matches = (dataset_of(name) for name in MatchStore(workspace).ids())
    return frozenset([*matches, *map(round_dataset, RoundStore(workspace).ids())])
