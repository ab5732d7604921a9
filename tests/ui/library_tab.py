"""The Data tab with a real store and no browser, and files of pairs to import into it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PIL import Image

from studio.annotation import AnnotationStore
from studio.annotation.library.import_job import Importer
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.ui.data.import_form import ROLES, ImportForm
from studio.ui.data.tab import DataTab
from tests.ui.tab_context import Context

HOSTILE = "<img src=x onerror=alert(1)> ${alert(2)} {{constructor}}"
REQUEST = SimpleNamespace(query_params={})
FIELDS = ("",) * len(ROLES)
ASK = ("", "ask", *FIELDS[2:])


def typed(
    source: str, *mapping: str, recognised: dict[str, str] | None = None, **more: Any
) -> list[Any]:
    """What the import form holds, in the order of its fields."""
    usual = {"split": "", "limit": 0, "name": "", "labels": False, "images": "", "keep": True}
    known = {"upload": "", "saved": {}, "recognised": recognised or {}}
    return [source, *(usual | known | more).values(), *(mapping or FIELDS)]


@contextmanager
def opened_tab(folder: Path) -> Iterator[DataTab]:
    """A Data tab over an empty library."""
    workspace = Workspace.locate(folder / "workspace")
    store = AnnotationStore(f"sqlite:///{workspace.database}")
    context = Context(workspace, store, ImageStore(workspace))
    yield DataTab(context, ImportForm(context, Importer(workspace, store)))
    store.close()


def write_pairs(folder: Path, count: int, question: str = "How many?", bad: int = 0) -> str:
    """Pairs about one image, and bad rows after them; the path of the file."""
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(buffer, "PNG")
    (folder / "a.png").write_bytes(buffer.getvalue())
    rows = [
        {"id": str(n), "image": "a.png", "ask": f"{question} {n}", "chosen": HOSTILE,
         "rejected": f"no {n}", "note": HOSTILE}
        for n in range(count)
    ]  # fmt: skip
    path = folder / "pairs.jsonl"
    path.write_text("\n".join([*map(json.dumps, rows), *["broken"] * bad]))
    return str(path)


def imported(tab: DataTab, path: str, *mapping: str) -> None:
    """Import a file and wait for its end."""
    going, refused, _ = tab.form.start(REQUEST, *typed(path, *(mapping or ASK)))
    assert going and not refused
    assert tab.form.importer.wait(30).state == "done"
