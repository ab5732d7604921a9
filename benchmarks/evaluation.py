"""Answering speed: the evaluation's batches against a loop of single `generate` calls.

    python benchmarks/evaluation.py [--shape tiny|smolvlm-256m|smolvlm-500m] [--tiles 5]
        [--images 2] [--questions 4] [--tokens 16] [--small-rows 16] [--small-tokens 32]
        [--parts questions contestants cached decoding] [--json]

Both ways answer the same rows with the same random weights in one process, one after the other,
and their answers are compared. `questions`: some questions to each image; `contestants`: base
and adapter on one question to each; `cached`: the same rows when features are on disk; `decoding`:
rows of one small tile (128 pixels, 4 tokens) with longer answers. A floor is what the work cannot be done below with the
model as it is, from parts timed alone in the loop: each image through the vision tower once (not at
all when cached), each prompt's shared beginning read once per contestant, each token of a batch
for the price of one row's. Ratios are of CPU time, which means something on a machine that others
use too; seconds by the clock stand beside.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.random_models import SHAPES, Shape, save_random

GOALS = {"questions": 3.0, "contestants": 1.8, "cached": 3.0, "decoding": 3.0}
PARTS = tuple(GOALS)
SWITCH = 0.3
SMALL = 2
"""Image tokens along each side of the small tile: 128 pixels for SmolVLM."""
ASKED = (
    "Which bar is the highest?",
    "How many bars are there in this chart?",
    "What is the sum of the two largest values?",
    "Is the last value above the first one, and by how much?",
    "Read out the data.",
    "What does the chart show?",
)


@dataclass
class Clock:
    """CPU seconds of all threads, and seconds by the clock."""

    cpu: float = 0.0
    wall: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add what happens inside."""
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.cpu += time.process_time() - cpu
        self.wall += time.perf_counter() - wall


@dataclass
class Loop:
    """What single calls took, with the parts of it."""

    all: Clock = field(default_factory=Clock)
    vision: Clock = field(default_factory=Clock)
    read: Clock = field(default_factory=Clock)
    written: Clock = field(default_factory=Clock)
    texts: list[str] = field(default_factory=list)


class Bench:
    """One model of random weights, its adapter, and rows."""

    def __init__(
        self, arguments: argparse.Namespace, folder: Path, tiles: int, shape: Shape
    ) -> None:
        from studio.config.model import ModelConfig
        from studio.core.paths import Workspace
        from studio.data.image_store import ImageStore
        from studio.models.load import load_model

        save_random(shape, tiles, folder / "model")
        self.config = ModelConfig(id=str(folder / "model"), dtype=arguments.dtype)
        self.loaded = load_model(self.config)
        self.workspace = Workspace.locate(folder / "workspace")
        self.images = ImageStore(self.workspace)
        self.side = shape.tile * (2 if tiles > 1 else 1)
        self.adapter = self._adapter(folder / "adapter")

    def _adapter(self, folder: Path) -> Path:
        import torch
        from peft import get_peft_model

        from studio.config.adapter import AdapterConfig
        from studio.models.adapter_config import lora_config
        from studio.models.load import load_model, skeleton_of

        torch.manual_seed(1)
        wanted = lora_config(AdapterConfig(rank=8, alpha=16), skeleton_of(self.config))
        adapted = get_peft_model(load_model(self.config).model, wanted)
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter.data, std=0.02)
        adapted.save_pretrained(folder)
        return folder

    def rows(self, images: int, questions: int) -> list[Any]:
        """Rows about drawn images."""
        from studio.data.schema import Message, Part, Row

        found = []
        for number in range(images):
            sha = self.images.add(_picture(number, self.side))
            for asked in range(questions):
                text = ASKED[(number + asked) % len(ASKED)]
                turn = Message("user", (Part("image"), Part("text", text)))
                found.append(Row(f"{number}-{asked}", (sha,), (turn,)))
        return found

    def answering(self, settings: Any) -> Any:
        """The way that is measured, with a base model of its own."""
        from studio.models.answering.answering import Answering
        from studio.models.answering.settings import Contestant
        from studio.models.load import load_model

        made = Answering(load_model(self.config), self.config, self.images, settings)
        for contestant in (Contestant("adapter", self.adapter), Contestant("base")):
            made.activate(contestant)  # loaded, as in the loop, before time is taken
        made.answers([_text_row()], [contestant])
        return made

    def loop(self, rows: Sequence[Any], tokens: int, adapter: Path | None = None) -> Loop:
        """Single calls of `generate`."""
        from studio.models.load import load_model
        from studio.models.loaded_adapters import AdapterShelf

        loaded = load_model(self.config)
        loaded.model.eval()
        AdapterShelf(loaded.model, self.config).activate(adapter)
        self._call(loaded, _text_row(), 1)
        found = Loop()
        _watch(loaded.model, found)
        for row in rows:
            with found.all.running():
                found.texts.append(self._call(loaded, row, tokens))
        return found

    def _call(self, loaded: Any, row: Any, tokens: int) -> str:
        from studio.evaluation.evaluation_examples import example_of
        from studio.models.prompt_inputs import encode

        model, processor = loaded.model, loaded.processor
        inputs = encode(model, processor, [example_of(row, self.images)], "left")
        made = model.generate(**inputs, do_sample=False, max_new_tokens=tokens)
        ids = made[0, inputs["input_ids"].shape[1] :]
        return processor.tokenizer.decode(ids, skip_special_tokens=True).strip()


def _watch(model: Any, loop: Loop) -> None:
    """Time the vision tower, the reading of prompts and the writing of tokens."""
    from studio.models.towers import find_towers

    towers = find_towers(model)
    language = model.get_submodule(towers.language)
    began: list[tuple[float, float]] = []

    def begin(*_: Any) -> None:
        began.append((time.process_time(), time.perf_counter()))

    def end(clock: Clock) -> None:
        cpu, wall = began.pop()
        clock.cpu += time.process_time() - cpu
        clock.wall += time.perf_counter() - wall

    def language_end(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        width = output.last_hidden_state.shape[1]
        end(loop.read if width > 1 else loop.written)

    vision = model.get_submodule(towers.vision)
    vision.register_forward_pre_hook(begin)
    vision.register_forward_hook(lambda *_: end(loop.vision))
    language.register_forward_pre_hook(begin)
    language.register_forward_hook(language_end, with_kwargs=True)


def _text_row() -> Any:
    """A row that wakes a model up."""
    from studio.data.schema import Message, Part, Row

    return Row("first", (), (Message("user", (Part("text", "Hello?"),)),))


def _picture(number: int, side: int) -> bytes:
    import io

    from PIL import Image, ImageDraw

    dice = random.Random(number)
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    for bar in range(6):
        top = dice.randrange(side)
        colour = tuple(dice.randrange(256) for _ in range(3))
        draw.rectangle((bar * side // 6, top, (bar + 1) * side // 6 - 8, side), fill=colour)
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def compared(
    name: str, loops: Sequence[Loop], measured: Clock, texts: Sequence[str], floor: float
) -> dict[str, Any]:
    """The figures of one part."""
    cpu = sum(loop.all.cpu for loop in loops)
    wanted = [text for loop in loops for text in loop.texts]
    same = sum(one == other for one, other in zip(wanted, texts, strict=True))
    speedup = cpu / measured.cpu
    return {
        "speedup": round(speedup, 2),
        "goal": GOALS[name],
        "reached": speedup >= GOALS[name],
        "floor_speedup": round(cpu / floor, 2),
        "measured_over_floor": round(measured.cpu / floor, 2),
        "cpu_seconds": round(measured.cpu, 2),
        "loop_cpu_seconds": round(cpu, 2),
        "seconds": round(measured.wall, 2),
        "loop_seconds": round(sum(loop.all.wall for loop in loops), 2),
        "speedup_by_the_clock": round(sum(loop.all.wall for loop in loops) / measured.wall, 2),
        "rows": len(texts),
        "same_answers": same,
    }


def floor_of(
    loops: Sequence[Loop], *, images: int, beginnings: int, batches: int, vision: bool = True
) -> float:
    """CPU seconds that the work cannot be done below.

    Args:
        images: Distinct images.
        beginnings: Beginnings of prompts to be read, in each loop.
        batches: Batches that are written, in each loop.
    """
    first = loops[0]
    rows = len(first.texts)
    total = first.vision.cpu / rows * images if vision else 0.0
    for loop in loops:
        total += loop.read.cpu / rows * beginnings + loop.written.cpu / rows * batches
    return total


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All parts that are asked for."""
    found: dict[str, Any] = {}
    wanted = set(arguments.parts)
    shape = SHAPES[arguments.shape]
    if wanted & {"questions", "contestants", "cached"}:
        _large(arguments, Bench(arguments, folder / "large", arguments.tiles, shape), found)
    if "decoding" in wanted:
        small = replace(shape, tile=SMALL * shape.patch * shape.shuffle)
        _small(arguments, Bench(arguments, folder / "small", 1, small), found)
    return {"shape": arguments.shape, "tiles": arguments.tiles, "parts": found}


def _large(arguments: argparse.Namespace, bench: Bench, found: dict[str, Any]) -> None:
    from studio.models.answering.settings import AnswerSettings, Contestant

    images, tokens = arguments.images, arguments.tokens
    base, tuned = Contestant("base"), Contestant("adapter", bench.adapter)
    settings = AnswerSettings(max_new_tokens=tokens)
    if "questions" in arguments.parts:
        rows = bench.rows(images, arguments.questions)
        clock, result = _timed(bench.answering(settings), rows, [base])
        loop = bench.loop(rows, tokens)
        floor = floor_of([loop], images=images, beginnings=images, batches=1)
        found["questions"] = compared("questions", [loop], clock, result["base"], floor)
        _say("questions", found)
    if not {"contestants", "cached"} & set(arguments.parts):
        return
    rows = bench.rows(images, 1)
    kept = replace(settings, features=bench.workspace.cache / "features")
    answering = bench.answering(kept)
    clock, result = _timed(answering, rows, [base, tuned])
    loops = [bench.loop(rows, tokens), bench.loop(rows, tokens, bench.adapter)]
    floor = floor_of(loops, images=images, beginnings=images, batches=1)
    texts = [*result["base"], *result["adapter"]]
    found["contestants"] = compared("contestants", loops, clock, texts, floor)
    _say("contestants", found)
    switch = Clock()
    with switch.running():
        answering.activate(tuned)
        answering.activate(base)
    found["switch"] = {
        "seconds": round(switch.wall / 2, 3),
        "cpu_seconds": round(switch.cpu / 2, 3),
        "goal": SWITCH,
        "reached": switch.wall / 2 <= SWITCH,
    }
    if "cached" in arguments.parts:
        again = bench.answering(kept)
        clock, result = _timed(again, rows, [base])
        if again.encoded:
            raise SystemExit("Features were computed although they are on disk.")
        floor = floor_of(loops[:1], images=images, beginnings=images, batches=1, vision=False)
        found["cached"] = compared("cached", loops[:1], clock, result["base"], floor)
        _say("cached", found)


def _small(arguments: argparse.Namespace, bench: Bench, found: dict[str, Any]) -> None:
    from studio.models.answering.settings import AnswerSettings, Contestant

    count, tokens = arguments.small_rows, arguments.small_tokens
    rows = bench.rows(count, 1)
    settings = AnswerSettings(max_new_tokens=tokens)
    clock, result = _timed(bench.answering(settings), rows, [Contestant("base")])
    loop = bench.loop(rows, tokens)
    batches = -(-count // settings.batch_size)
    floor = floor_of([loop], images=count, beginnings=count, batches=batches)
    found["decoding"] = compared("decoding", [loop], clock, result["base"], floor)
    _say("decoding", found)


def _timed(
    answering: Any, rows: Sequence[Any], contestants: Sequence[Any]
) -> tuple[Clock, dict[str, list[str]]]:
    clock = Clock()
    with clock.running():
        result = answering.answers(rows, contestants)
    texts = {}
    for name, entries in result.by_name.items():
        reasons = {entry.reason for entry in entries if entry.reason}
        if reasons:
            raise SystemExit(f"A row was not answered: {reasons.pop()}")
        texts[name] = [entry.text for entry in entries]
    return clock, texts


def _say(name: str, found: dict[str, Any]) -> None:
    print(f"{name}: {found[name]}", file=sys.stderr, flush=True)


def table(found: dict[str, Any]) -> str:
    """The figures for people."""
    heads = ("speedup", "goal", "floor_speedup", "measured_over_floor", "same_answers", "rows")
    lines = [f"{'':<14}" + "".join(f"{head:>21}" for head in heads)]
    for name, part in found["parts"].items():
        if name in GOALS:
            lines.append(f"{name:<14}" + "".join(f"{part[head]:>21}" for head in heads))
    switch = found["parts"].get("switch")
    if switch:
        lines.append(f"adapter switch {switch['seconds']} s (goal {switch['goal']} s)")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=tuple(SHAPES), default="smolvlm-256m")
    parser.add_argument("--tiles", type=int, default=5)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--questions", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--small-rows", type=int, default=16)
    parser.add_argument("--small-tokens", type=int, default=32)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    from studio.models.log_levels import quiet_libraries

    arguments = parse()
    quiet_libraries()
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments, Path(folder))
    print(json.dumps(found) if arguments.json else table(found))


if __name__ == "__main__":
    main()
