"""What whoever leads a studio must know of its workspace, wherever they look."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import make_url

from studio.annotation.database.sqlite_file import rescued_copies
from studio.api.context import StudioContext
from studio.core.local_time import minute


def notices(context: StudioContext) -> list[str]:
    """Sentences for leads; empty while all is well."""
    trouble = context.store.trouble if context.store else ""
    if trouble:
        return [f"Nothing is saved: {trouble}"]
    return [*_others(context), *_rescued(context)]


def _others(context: StudioContext) -> list[str]:
    if context.presence is None:
        return []
    others = context.presence.others()
    if not others:
        return []
    runs = "This studio" if context.supervisor.supervising else "The other"
    return [
        f"Another {other} uses this workspace too. Labels of both are kept. {runs} starts the runs."
        for other in others
    ]


def _rescued(context: StudioContext) -> list[str]:
    database = make_url(context.workspace.database_url)
    if database.get_backend_name() != "sqlite":
        return []
    return [
        f"Labels of {minute(copy.stat().st_mtime)} were "
        f"rescued into {copy}. Stop the studio and put them back with `python -m studio restore "
        f"{copy}`, or move that file away if they are not needed."
        for copy in rescued_copies(Path(database.database or ""))
    ]
