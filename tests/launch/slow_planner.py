"""A planning child that loads in stages and searches until it is told to stop."""

import time

from studio.core.child_server import serve
from studio.core.errors import StoppedError


def handle(request):
    if "config" not in request.payload:
        return loading()
    if not request.payload.get("find_batch"):
        raise RuntimeError("only searches are answered")
    if not request.cancelled.wait(30):
        raise RuntimeError("nobody stopped the search")
    raise StoppedError("The search was stopped; no batch size was found.")


def loading():
    for stage in ("PyTorch", "TRL"):
        yield {"loading": stage}
        time.sleep(0.2)
    return {}


serve(handle)
