"""A child process that answers."""

import sys
import textwrap
from pathlib import Path

import pytest

from studio.core.child_client import PipeWorker

CHILD = """
    import ctypes, os, subprocess, sys, time
    from studio.core.child_server import serve
    from studio.core.errors import ConfigError, FieldProblem, ModelError

    def echo(request):
        print("library noise on standard output")
        subprocess.run(["echo", '{"id": 1, "text": "noise of a subprocess"}'])
        yield {"text": "one"}
        yield {"text": "two"}
        return {"pid": os.getpid(), **request.payload}

    def count(request):
        shown = 0
        while not request.cancelled.wait(0.01):
            shown += 1
            yield {"shown": shown}
        return {"stopped": True}

    def deaf(request):
        yield {"began": True}
        ctypes.PyDLL(None).sleep(600)  # keeps the interpreter to itself

    def answer(request):
        kind = request.payload["kind"]
        if kind == "echo":
            return echo(request)
        if kind == "count":
            return count(request)
        if kind == "value":
            return {"value": request.payload["value"]}
        if kind == "stderr":
            sys.stderr.write("x" * 1_000_000 + "\\n")
            return {}
        if kind == "refuse":
            raise ModelError("No such adapter.", remedy="Pick another.", field="adapter")
        if kind == "gone":
            raise ModelError("There is no such model.") from FileNotFoundError("config.json")
        if kind == "broken":
            raise ModelError("It cannot be loaded: odd.") from ValueError("odd")
        if kind == "problems":
            raise ConfigError([FieldProblem("a", "wrong"), FieldProblem("b", "wrong too")])
        if kind == "bug":
            return {"value": [][0]}
        if kind == "deaf":
            return deaf(request)
        print("the last words", file=sys.stderr)
        sys.stderr.flush()
        os._exit(3)

    print("import noise")
    serve(answer)
"""


@pytest.fixture
def worker(tmp_path: Path):
    child = tmp_path / "child.py"
    child.write_text(textwrap.dedent(CHILD))
    worker = PipeWorker([str(child)], tmp_path / "child.log", command=[sys.executable])
    yield worker
    worker.close()
