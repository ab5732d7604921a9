"""Training speed: TRL's own trainer and the fast path on the same model, rows, order and seeds.

    python benchmarks/training.py [--method dpo|sft] [--shape tiny|smolvlm-256m|smolvlm-500m]
        [--tiles 5] [--rows 3] [--epochs 3] [--data charts|text] [--no-checkpointing]
        [--dtype float32] [--quantization none] [--attention auto] [--device cpu|cuda] [--json]

The trainers take their steps in turn, each in a process of its own. `frozen` is a second
baseline: TRL with the vision tower, which is not trained, kept out of the graph. Filling the
feature cache counts as part of the first epoch; building the trainer, with the fast path's check
against the stock path, is reported beside (`setup_seconds`). `cpu_ratio_*` compare the CPU time
the trainers' own threads took, which means something on a machine that others use too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.random_models import SHAPES, save_random, write_rows

WORKER = Path(__file__).with_name("training_worker.py")
CHARTS = Path(__file__).resolve().parents[2] / "shared" / "data"
VARIANTS = ("stock", "frozen", "fast")
PARTS = ("preprocess", "vision", "language", "head", "backward", "optimizer")
GIB = 2**30


@dataclass
class Trained:
    """One trainer and what it reported."""

    process: subprocess.Popen
    setup: float = 0.0
    fill: dict[str, float] = field(default_factory=dict)
    base: int = 0
    steps: list[dict] = field(default_factory=list)

    def begin(self) -> None:
        """Wait until it is ready."""
        ready = self._answer()
        self.setup, self.base = ready["setup"], ready["base"]

    def prepare(self) -> None:
        """Let it do what comes before the first step."""
        self.fill = self._asked()

    def step(self) -> None:
        """Let it take one step."""
        self.steps.append(self._asked())

    def seconds(self, rows: int, epochs: int, clock: str = "seconds") -> float:
        """Time of the first `epochs` epochs, by the clock or (`cpu`) of its own threads."""
        return self.fill[clock] + sum(step[clock] for step in self.steps[: rows * epochs])

    def part(self, name: str) -> float:
        """Seconds per step in one part; `other` is what is left over."""
        if name == "other":
            named = sum(self.part(part) for part in PARTS)
            return self.seconds_per_step - named
        return sum(step["parts"].get(name, 0.0) for step in self.steps) / len(self.steps)

    @property
    def seconds_per_step(self) -> float:
        return sum(step["seconds"] for step in self.steps) / len(self.steps)

    @property
    def peak(self) -> int:
        return max(step["peak"] for step in self.steps)

    def _asked(self) -> dict:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("A trainer ended early; its reason is above.")
        return json.loads(line)


def settings(arguments: argparse.Namespace, folder: Path, rows: Path) -> dict:
    """The run file, as a mapping."""
    return {
        "name": "benchmark",
        "method": arguments.method,
        "model": {
            "id": str(folder / "model"),
            "dtype": arguments.dtype,
            "quantization": arguments.quantization,
            "attention": arguments.attention,
        },
        "adapter": {"rank": 8, "alpha": 16, "dropout": 0.0, "targets": "language"},
        "data": {"source": str(rows)},
        "batch": {
            "per_device": arguments.batch,
            "total": arguments.batch,
            "gradient_checkpointing": arguments.checkpointing,
        },
        "optimizer": {"learning_rate": 1e-4, "schedule": "constant", "warmup": 0},
        "schedule": {"epochs": arguments.epochs},
    }


def start(variant: str, folder: Path, device: str) -> Trained:
    """Start one trainer; on a CPU wait for it, so that it has the CPU to itself."""
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}
    trained = Trained(
        subprocess.Popen(
            [sys.executable, str(WORKER), variant, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | hidden,
        )
    )
    if device == "cpu":
        trained.begin()
    return trained


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Trained]:
    """Train all variants in turn."""
    save_random(SHAPES[arguments.shape], arguments.tiles, folder / "model")
    rows = write_rows(folder, arguments.method, arguments.rows, data=arguments.data, charts=CHARTS)
    values = settings(arguments, folder, rows)
    (folder / "settings.json").write_text(json.dumps(values), encoding="utf-8")
    trained = {name: start(name, folder, arguments.device) for name in arguments.variants}
    for one in trained.values():
        if arguments.device != "cpu":
            one.begin()
    for one in trained.values():
        one.prepare()
    steps = -(-arguments.rows // arguments.batch) * arguments.epochs
    for number in range(steps):
        for one in trained.values():
            one.step()
        losses = {name: one.steps[-1]["loss"] for name, one in trained.items()}
        times = {name: round(one.steps[-1]["seconds"], 2) for name, one in trained.items()}
        print(f"step {number + 1}/{steps}: {losses} {times}", file=sys.stderr, flush=True)
    for one in trained.values():
        one.process.stdin.close()
        one.process.wait()
    return trained


def report(arguments: argparse.Namespace, trained: dict[str, Trained]) -> dict[str, object]:
    """The figures; ratios are times faster, or memory as a share of stock's."""
    stock, fast = trained["stock"], trained["fast"]
    per_epoch, epochs = len(stock.steps) // arguments.epochs, arguments.epochs
    samples = arguments.rows * epochs
    found: dict[str, object] = {
        "method": arguments.method,
        "shape": arguments.shape,
        "tiles": arguments.tiles,
        "rows": arguments.rows,
        "epochs": epochs,
        "device": arguments.device,
        "ratio_first_epoch": stock.seconds(per_epoch, 1) / fast.seconds(per_epoch, 1),
        "ratio_total": stock.seconds(per_epoch, epochs) / fast.seconds(per_epoch, epochs),
        "memory_ratio": fast.peak / stock.peak,
        "max_loss_difference": max(
            abs(a["loss"] - b["loss"]) for a, b in zip(stock.steps, fast.steps, strict=True)
        ),
        "max_relative_loss_difference": max(
            abs(a["loss"] - b["loss"]) / max(abs(a["loss"]), 1e-12)
            for a, b in zip(stock.steps, fast.steps, strict=True)
        ),
        "stock_samples_per_second": samples / stock.seconds(per_epoch, epochs),
        "fast_samples_per_second": samples / fast.seconds(per_epoch, epochs),
        "last_epoch_ratio": sum(s["seconds"] for s in stock.steps[-per_epoch:])
        / sum(s["seconds"] for s in fast.steps[-per_epoch:]),
        "cpu_ratio_first_epoch": stock.seconds(per_epoch, 1, "cpu")
        / fast.seconds(per_epoch, 1, "cpu"),
        "cpu_ratio_total": stock.seconds(per_epoch, epochs, "cpu")
        / fast.seconds(per_epoch, epochs, "cpu"),
        "fill_seconds": fast.fill["seconds"],
        "setup_seconds": {name: one.setup for name, one in trained.items()},
        "peak_gib": {name: one.peak / GIB for name, one in trained.items()},
        "seconds_per_step": {
            name: {part: one.part(part) for part in (*PARTS, "other")}
            | {"all": one.seconds_per_step}
            for name, one in trained.items()
        },
    }
    if "frozen" in trained:
        frozen = trained["frozen"]
        found["frozen_samples_per_second"] = samples / frozen.seconds(per_epoch, epochs)
        found["ratio_first_epoch_frozen"] = frozen.seconds(per_epoch, 1) / fast.seconds(
            per_epoch, 1
        )
        found["ratio_total_frozen"] = frozen.seconds(per_epoch, epochs) / fast.seconds(
            per_epoch, epochs
        )
    return found


def table(found: dict[str, object]) -> str:
    """The figures for people."""
    times = found["seconds_per_step"]
    lines = [f"{'s per step':<12}" + "".join(f"{name:>10}" for name in times)]
    for part in (*PARTS, "other", "all"):
        lines.append(f"{part:<12}" + "".join(f"{times[name][part]:>10.2f}" for name in times))
    peaks = found["peak_gib"]
    lines.append(f"{'peak GiB':<12}" + "".join(f"{peaks[name]:>10.2f}" for name in times))
    lines += [
        f"first epoch {found['ratio_first_epoch']:.1f}×, all epochs {found['ratio_total']:.1f}×, "
        f"last epoch {found['last_epoch_ratio']:.1f}×, memory {found['memory_ratio']:.2f}×",
        f"by CPU time: first epoch {found['cpu_ratio_first_epoch']:.1f}×, "
        f"all epochs {found['cpu_ratio_total']:.1f}×",
        f"largest loss difference {found['max_loss_difference']:.1e}",
    ]
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--method", choices=("dpo", "sft"), default="dpo")
    parser.add_argument("--shape", choices=tuple(SHAPES), default="smolvlm-256m")
    parser.add_argument("--tiles", type=int, default=5)
    parser.add_argument("--rows", type=int, default=3)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--data", choices=("charts", "text"), default="charts")
    parser.add_argument("--checkpointing", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--quantization", default="none")
    parser.add_argument("--attention", default="auto")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=VARIANTS)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def require(arguments: argparse.Namespace) -> None:
    """End with a sentence when the comparison cannot be made here."""
    if not {"stock", "fast"} <= set(arguments.variants):
        raise SystemExit("--variants needs stock and fast: they are what is compared.")
    if arguments.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise SystemExit("--device cuda: no CUDA device is here. Leave it out for the CPU.")


def main() -> None:
    arguments = parse()
    require(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = report(arguments, measure(arguments, Path(folder)))
    print(json.dumps(found) if arguments.json else table(found))


if __name__ == "__main__":
    main()
