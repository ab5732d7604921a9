"""Stands in for `python -m studio inference`: tells what it was asked, word by word."""

import os
import sys

from studio.core.child_server import Request, encode_error, serve
from studio.core.errors import ModelError

loaded: list[str] = []


def answer(request):
    kind = request.payload["kind"]
    if kind == "chat":
        return chat(request)
    if kind == "compare":
        return compare(request)
    if kind == "load":
        loaded[:] = [request.payload["load"]["run"]]
    return status()


def status():
    return {
        "model": {"id": "embedded"},
        "adapters": loaded,
        "answering": 0,
        "device": "cpu",
        "resident": 123,
        "on_gpu": 0,
        "gpu_free": 0,
    }


def chat(request):
    asked = request.payload["chat"]
    text = asked["messages"][-1]["parts"][-1]["text"]
    if text == "refuse":
        raise ModelError("No.", remedy="Ask something else.", field="question")
    if text == "die":
        sys.stderr.write("the end\n")
        sys.stderr.flush()
        os._exit(9)
    if text == "forever":
        yield from forever(request)
    for word in (asked["run"] or "base", " says ", text):
        yield {"text": word, "stage": "", "done": False}
    return {"text": "", "tokens": 3, "tokens_per_second": 1.5, "stopped": "end"}


def compare(request):
    for number, asked in enumerate(request.payload["compare"]):
        answer = chat(Request({"chat": asked}, request.part(number)))
        try:
            while True:
                yield {"number": number, "delta": next(answer)}
        except StopIteration as end:
            yield {"number": number, "delta": {**end.value, "done": True}}
        except ModelError as error:
            yield {"number": number, "failed": encode_error(error)}


def forever(request):
    while not request.cancelled.wait(0.02):
        yield {"text": "more "}
    sys.stderr.write("cancelled\n")
    sys.stderr.flush()


serve(answer)
