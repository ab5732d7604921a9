"""Learning-rate range tests in processes of their own, for a studio that never loads torch."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from studio.child import decode_error
from studio.config import RunConfig
from studio.config.checks import ensure_consistent
from studio.errors import RunFailedError
from studio.paths import Workspace
from studio.runs.lr_range import Point, RangeResult, Span, ensure_span
from studio.services.frozen import with_frozen_data
from studio.services.launching import environment

LAST = 300


def range_test(
    config: RunConfig, workspace: Workspace, span: Span
) -> Iterator[Point | RangeResult]:
    """Every step as it is taken, then the result; closing the iterator ends the test.

    Raises:
        InputError: The run cannot start, or the span is none.
        RunFailedError: Memory ran out, or the process died.
    """
    ensure_span(span)
    ensure_consistent(config)
    config = with_frozen_data(config, workspace)
    asked = {"config": config.model_dump(mode="json"), "span": asdict(span)}
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "studio", "lr-range-child", "--workspace", str(workspace.root)],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            encoding="utf-8",
        )
        try:
            process.stdin.write(json.dumps(asked))
            process.stdin.close()
            yield from _answers(process)
            if process.wait():
                said.seek(0)
                raise RunFailedError(
                    f"The range test died: {said.read().strip()[-LAST:]}",
                    remedy="If it was ended for lack of memory, lower the rows at once.",
                    field="batch.per_device",
                )
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _answers(process: subprocess.Popen[str]) -> Iterator[Point | RangeResult]:
    for line in process.stdout:
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise decode_error(answer["error"])
        if "point" in answer:
            yield Point(**answer["point"])
        else:
            yield RangeResult.from_json(answer["result"])
