"""A planner that answers at once and remembers what it was asked."""

from studio.core.errors import ConfigError, RunFailedError, StoppedError
from studio.runs.lr_range_result import RangeLosses, RateSpan
from studio.runs.run_plan import FoundBatch, MemoryPlan, Plan, Suggestion, TowerPlan
from studio.training.planning.dry_step import Measured

GIB = 2**30

PLAN = Plan(
    trainable_parameters=163_840,
    total_parameters=1_918_976,
    towers=[TowerPlan("language", 28, 163_840, 935_040)],
    train_rows=400,
    evaluation_rows=0,
    steps=25,
    effective_batch=16,
    accumulation=1,
    tokens_median=71,
    tokens_max=80,
    device="cpu",
    dtype="float32",
    warnings=["<b>slow</b>"],
    memory=MemoryPlan(2 * GIB, GIB, GIB, GIB, 0, 4 * GIB, GIB),
    device_memory=8 * GIB,
    suggestions=[
        Suggestion("No adapter", "fits", {"adapter": None}, 1),
        Suggestion("Two rows at once", "saves 3.0 GiB", {"batch.per_device": 2}, 1),
    ],
)


class FakePlanner:
    ready = True
    loading = None

    def __init__(self):
        self.asked = []
        self.problem = None
        self.found = PLAN
        self.during = lambda: None
        self.losses = [3 - 0.05 * n for n in range(40)]

    def plan(self, config, gpu_gb=None):
        self.asked.append((config, gpu_gb))
        self.during()
        if self.problem:
            raise ConfigError([self.problem])
        return self.found

    def measure(self, config, stopped=None):
        self.asked.append((config, "measured"))
        self.during()
        self._ensure_wanted(stopped)
        if self.problem:
            raise ConfigError([self.problem])
        return Measured(8 * GIB, 2.0)

    def warm(self):
        pass

    def close(self):
        pass

    def stop_range_test(self):
        pass

    def range_test(self, config):
        losses = RangeLosses(RateSpan(1e-5, 1e-1, 40))
        for loss in self.losses:
            if loss is None:
                raise RunFailedError("The process was closed.")
            yield losses.add(loss)
        yield losses.result()

    def find_batch(self, config, gpu_gb=None, stopped=None):
        self.during()
        self._ensure_wanted(stopped)
        return FoundBatch(8, 16, 2, 5 * GIB, 8 * GIB, True, 16, 9 * GIB, 6 * GIB, 1.5, [16])

    def _ensure_wanted(self, stopped):
        if stopped is not None and stopped.is_set():
            raise StoppedError("The dry step was stopped; nothing was measured.")
