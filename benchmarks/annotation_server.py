"""The studio's labelling routes for `annotation.py`: one process, forked for each server.

python benchmarks/annotation_server.py WORKSPACE [--freezing]
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def nursery(workspace: Path, freezing: bool) -> None:
    """A process with everything imported; each line on its standard input forks a server.

    The studio's own routes, guards, store and images, with accounts by a header; only Gradio's
    page is left out. The routes are made once and a fork opens the database: it serves in a
    fraction of a second, so that many can be killed.
    """
    import uvicorn
    from fastapi import FastAPI

    from studio.annotation import AnnotationStore
    from studio.api.annotate import router
    from studio.api.save_rate import SaveRate
    from studio.core.paths import Workspace
    from studio.data.image_store import ImageStore

    place = Workspace.locate(workspace)
    opened: list[AnnotationStore] = []
    app = FastAPI()
    context = Headers(Later(lambda: opened[0]), ImageStore(place))
    # No person answers as fast as these clients.
    app.include_router(router(context, SaveRate(float("inf"))))

    @app.post("/nothing")
    def nothing() -> dict:
        return {}

    # What serving and opening import on the way is then there in every fork.
    uvicorn.Config(app).load()
    AnnotationStore(place.database_url).close()
    if freezing:
        freeze(place, 1)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            opened.append(AnnotationStore(place.database_url))
            if freezing:
                threading.Thread(target=freeze, args=(place,), daemon=True).start()
            serve(app, workspace)
            os._exit(0)
        os.waitpid(child, 0)


def freeze(place: Any, times: int = sys.maxsize) -> None:
    """Freeze rows of the library again and again, as plans and starts do in the studio's process.

    Each opens the database a second time and closes it.
    """
    from studio.config import run_file
    from studio.core.errors import InputError
    from studio.launch.frozen_rows import with_frozen_data

    config = run_file.parse({"method": "dpo", "data": {"source": "library:imported"}})
    for _ in range(times):
        with suppress(InputError):  # not imported yet
            with_frozen_data(config, place)
        time.sleep(0.02)


class Later:
    """Stands for something that is there when it is used, not when it is handed over."""

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def __getattr__(self, name: str) -> Any:
        try:
            found = self._find()
        except IndexError:
            return Later(lambda: getattr(self._find(), name))
        return getattr(found, name)


def serve(app: Any, workspace: Path) -> None:
    """Serve on a free port, written with the process id into `workspace/port`."""
    import uvicorn

    from studio.core.paths import write_json

    nursery = os.getppid()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))

    def announce() -> None:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        write_json(workspace / "port", {"port": port, "pid": os.getpid()})
        while os.getppid() == nursery:
            time.sleep(0.5)
        os._exit(1)  # whoever measures was ended

    threading.Thread(target=announce, daemon=True).start()
    server.run()


@dataclass
class Headers:
    """A context that believes the header `X-Name`."""

    store: object
    images: object
    accounts: None = None

    def user(self, request) -> str:
        return request.headers.get("x-name", "local")

    def is_lead(self, request) -> bool:
        return False


if __name__ == "__main__":
    nursery(Path(sys.argv[1]), "--freezing" in sys.argv)
