"""The annotation store that a process has open already, or one opened for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from studio.annotation import AnnotationStore
from studio.core.paths import Workspace


@contextmanager
def opened_store(workspace: Workspace, store: AnnotationStore | None) -> Iterator[AnnotationStore]:
    """Yield the store that is open; without one, open the workspace's and close it at the end."""
    if store is not None:
        yield store
        return
    with closing(AnnotationStore(workspace.database_url)) as opened:
        yield opened
