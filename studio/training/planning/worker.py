"""The planning child: `python -m studio planner`. It answers while its libraries still load."""

from __future__ import annotations

import importlib
import queue
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from studio.config import RunConfig, run_file
from studio.core.child_server import Request, serve
from studio.core.paths import Workspace
from studio.core.torch_import import loading
from studio.runs.lr_range_result import Point, RateSpan

Values = dict[str, Any]
STAGES = (
    ("PyTorch", ("torch",)),
    ("transformers", ("transformers", "peft")),
    ("TRL", ("trl.trainer.sft_trainer", "trl.trainer.dpo_trainer")),
    (
        "the planner itself",
        ("studio.training.planning.preflight_plan", "studio.training.planning.batch_finder"),
    ),
)
LOOK_SECONDS, IDLE_SECONDS = 0.1, 1.0


class Libraries:
    """What planning needs, imported in a thread of its own, one after the other.

    Attributes:
        stage: What is being loaded, in words; empty when nothing is.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.stage = STAGES[0][0]
        self._workspace = workspace
        self._loaded, self._asked = threading.Event(), threading.Event()
        self._error: Exception | None = None

    def load(self) -> None:
        """Start loading; does not wait for it."""
        threading.Thread(target=self._load, name="libraries", daemon=True).start()

    def _load(self) -> None:
        try:
            with loading():
                for self.stage, modules in STAGES:
                    for module in modules:
                        importlib.import_module(module)
            from studio.models.log_levels import quiet_libraries

            quiet_libraries()
        except (ImportError, OSError, RuntimeError) as error:
            self._error = error
        finally:
            self.stage = ""
            self._loaded.set()
        if self._error is None and not self._asked.wait(IDLE_SECONDS):
            self._load_a_model_class()

    def _load_a_model_class(self) -> None:
        """What transformers and PEFT import with the first model; done while nobody waits."""
        from studio.models.load import skeleton_of
        from studio.models.model_source import load_processor
        from studio.training.planning.preflight_plan import tower_plans

        config = RunConfig()
        load_processor(config.model)
        tower_plans(config, skeleton_of(config.model), self._workspace)

    def ensure(self) -> None:
        """Wait until all is loaded; raise what went wrong."""
        self._asked.set()
        self._loaded.wait()
        if self._error is not None:
            raise self._error

    def progress(self) -> Generator[Values, None, Values]:
        """Yield a `loading` message for every stage, until all is loaded."""
        told = ""
        while not self._loaded.wait(LOOK_SECONDS):
            if self.stage and self.stage != told:
                told = self.stage
                yield {"loading": told}
        if self._error is not None:
            raise self._error
        return {}


def main(workspace: Workspace) -> None:
    """Answer planning requests until standard input closes.

    A request holds `config` and, for a GPU that is not here, `gpu_gb`; one without `config` is
    told what is `loading` and ends when the libraries are loaded. The answer is a `plan`. With
    `find_batch` it is a `found` (`FoundBatch`); with `confirm` as well, after a dry step;
    cancelling it ends the search. With `lr_range` (a `RateSpan`) every step is a `point`, and the
    last message a `found` (`RangeResult`).
    """
    libraries = Libraries(workspace)
    libraries.load()

    def handle(request: Request) -> Values | Generator[Values, None, Values]:
        if "config" not in request.payload:
            return libraries.progress()
        libraries.ensure()
        return _answer(request, workspace)

    serve(handle)


def _answer(request: Request, workspace: Workspace) -> Values | Generator[Values, None, Values]:
    from studio.training.planning.batch_finder import find_batch_size
    from studio.training.planning.device_memory import Target
    from studio.training.planning.preflight_plan import plan_run

    payload = request.payload
    config = run_file.parse(payload["config"])
    elsewhere = Target.gpu(payload["gpu_gb"]) if payload.get("gpu_gb") else None
    if payload.get("lr_range"):
        return _range_test(config, workspace, RateSpan(**payload["lr_range"]))
    if payload.get("find_batch"):
        confirm = bool(payload.get("confirm"))
        found = find_batch_size(
            config, workspace, elsewhere, confirm=confirm, stopped=request.cancelled
        )
        return {"found": found.to_json()}
    plan, _ = plan_run(config, workspace, elsewhere)
    return {"plan": plan.to_json()}


def _range_test(
    config: RunConfig, workspace: Workspace, span: RateSpan
) -> Generator[Values, None, Values]:
    from studio.training.lr_range_test import range_test

    steps: queue.SimpleQueue[Point | None] = queue.SimpleQueue()
    with ThreadPoolExecutor(1) as pool:
        test = pool.submit(range_test, config, workspace, span, steps.put)
        test.add_done_callback(lambda _: steps.put(None))
        while (point := steps.get()) is not None:
            yield {"point": asdict(point)}
        return {"found": test.result().to_json()}
