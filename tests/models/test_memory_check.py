from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from studio.config import RunConfig
from studio.config.model import ModelConfig
from studio.core.errors import BusyError
from studio.core.paths import Workspace
from studio.inference import engine as engines
from studio.inference.engine import Engine
from studio.inference.protocol import user_turn
from studio.inference.sampling import Sampling
from studio.models.load import load_model
from studio.models.memory_check import bytes_needed, refuse_if_too_large
from studio.runs.status import update_status
from studio.runs.store import RunStore

CPU = torch.device("cpu")


@pytest.fixture
def runs(tmp_path: Path) -> RunStore:
    return RunStore(Workspace.locate(tmp_path / "workspace"))


def test_the_estimate_covers_the_weights_and_falls_with_their_bits() -> None:
    weights = load_model(ModelConfig(), device=CPU).model.get_memory_footprint()
    full, half, four_bit = (
        bytes_needed(model, CPU)
        for model in (
            ModelConfig(dtype="float32"),
            ModelConfig(dtype="bfloat16"),
            ModelConfig(dtype="bfloat16", quantization="nf4"),
        )
    )

    assert weights <= full <= 1.3 * weights
    assert half == pytest.approx(full / 2)
    assert four_bit < half


def test_a_model_that_fits_is_let_in(runs: RunStore) -> None:
    refuse_if_too_large(ModelConfig(), runs)


def test_one_that_does_not_is_refused_and_the_training_run_named(
    runs: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.models.memory_check.pick_device", lambda: CPU)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1_000_000))
    with pytest.raises(BusyError, match="GB are free in main memory"):
        refuse_if_too_large(ModelConfig(), runs)

    run = runs.create(RunConfig(name="night shift"))
    me = psutil.Process()
    update_status(run.paths, state="running", pid=me.pid, pid_started=me.create_time())
    with pytest.raises(BusyError, match="while run night shift is training"):
        refuse_if_too_large(ModelConfig(), runs)


CPU_SHORT = (
    "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 9 bytes."
)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB"), "CUDA out of memory"),
        (RuntimeError(CPU_SHORT), "DefaultCPUAllocator: can't allocate memory"),
        (MemoryError(), "MemoryError"),
    ],
    ids=["gpu", "cpu", "python"],
)
def test_an_answer_that_runs_out_of_memory_says_so_and_the_next_one_comes(
    engine: Engine, image, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def ask() -> str:
        question = (user_turn("How many bars are there?", 1),)
        deltas = engine.chat(ModelConfig(), None, question, [image], Sampling())
        return "".join(delta.text for delta in deltas)

    def failing(error: Exception):
        def fail(_) -> None:
            raise error

        return fail

    with monkeypatch.context() as patched:
        patched.setattr(engines, "stream", failing(error))
        with pytest.raises(BusyError, match=f"Memory ran out with embedded: {told}"):
            ask()
        patched.setattr(engines, "stream", failing(RuntimeError("shapes do not match")))
        with pytest.raises(RuntimeError, match="shapes"):
            ask()
    assert ask()
