"""Everything that can be asked of the application, found in it and not listed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from starlette.routing import Mount, Route

VALUES = {"run_id": "r1", "number": "1", "pair_id": "1", "sha": "0" * 64, "token": "t" * 32,
          "module": "main.js"}  # fmt: skip


def routes(found, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(method, path as it is declared, path with values) of every route."""
    for route in found:
        if isinstance(route, Mount):
            yield from routes(route.routes, prefix + route.path)
        elif hasattr(route, "original_router"):  # how FastAPI keeps an included router
            yield from routes(route.original_router.routes, prefix + route.include_context.prefix)
        elif isinstance(route, Route):
            path = re.sub(r"{(\w+)(:\w+)?}", lambda part: VALUES.get(part[1], "x"), route.path)
            for method in sorted((route.methods or {"GET"}) - {"OPTIONS"}):
                yield method, prefix + route.path, prefix + path
        else:
            yield "?", f"{prefix}{getattr(route, 'path', route)}", prefix
