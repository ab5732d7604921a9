from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from studio.config import RunConfig
from studio.config.model import ModelConfig
from studio.core.errors import BusyError
from studio.core.paths import Workspace
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
