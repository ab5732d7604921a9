"""What chat costs beside a bare `generate`, on the embedded model.

    python benchmarks/chat.py [--repeats 5] [--tokens 24] [--json]

`switch_seconds`: an adapter in memory made the active one in place of another (goal 0.3).
`both_over_one`: base and adapter asked at once, over one answer of as many tokens (goal 1.4).
`first_token_over_bare`: from a question about an image that was not asked about before to its first
piece of text, over a bare `generate` of one token with the same preparation (goal 1.10). Ratios are of
medians taken in turn in one process. `OMP_NUM_THREADS=1` keeps them steady while others compute.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

GOALS = {"switch_seconds": 0.3, "both_over_one": 1.4, "first_token_over_bare": 1.10}


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), arguments.repeats, arguments.tokens)
    figures = {**{name: round(value, 3) for name, value in found.items()}, "goals": GOALS}
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, goal in GOALS.items():
            print(f"{name}: {figures[name]} (goal {goal})")


def measure(folder: Path, repeats: int, tokens: int) -> dict[str, float]:
    """Return the figures, by the names of their goals."""
    import torch

    from studio.config.model import ModelConfig
    from studio.core.paths import SAMPLES
    from studio.data.image_decoding import open_image
    from studio.inference.answer_batch import Column
    from studio.inference.chat_inputs import build_inputs
    from studio.inference.engine import Engine
    from studio.inference.protocol import user_turn
    from studio.inference.sampling import Sampling
    from studio.models.load import load_model
    from studio.models.loaded_adapters import AdapterShelf

    model = ModelConfig()
    adapters = [_adapter(folder / name, seed) for seed, name in enumerate(("a", "b"))]
    images = sorted((SAMPLES / "heldout" / "images").glob("*.png"))[: repeats + 1]
    image = open_image(images[0])
    asked = (user_turn("Read out the data.", 1),)
    engine, bare = Engine(), load_model(model)
    sampling = Sampling(max_new_tokens=tokens)

    taken: list[float] = []

    def answer(adapter: Path | None) -> None:
        for _ in engine.chat(model, adapter, asked, [image], sampling):
            pass

    def first(number: int) -> None:
        new = open_image(images[number % len(images)])
        stream = engine.chat(model, None, asked, [new], sampling)
        next(delta for delta in stream if delta.text)
        taken.append(time.perf_counter())
        stream.close()

    def plain(number: int) -> None:
        new = open_image(images[number % len(images)])
        inputs = build_inputs(bare.processor, bare.model, asked, [new])
        with torch.inference_mode():
            bare.model.generate(**inputs, max_new_tokens=1, do_sample=False)

    def both() -> None:
        columns = [Column(adapter, asked, [image], sampling) for adapter in (None, adapters[0])]
        for _ in engine.compare(model, columns):
            pass

    shelf = AdapterShelf(load_model(model).model, model)
    for adapter in adapters:
        answer(adapter)
        shelf.activate(adapter)
    times = _timed(
        {
            "switch": lambda number: shelf.activate(adapters[number % 2]),
            "one": lambda _: answer(adapters[0]),
            "both": lambda _: both(),
            "first": first,
            "bare": plain,
        },
        repeats,
        taken,
    )
    median = {name: statistics.median(seconds) for name, seconds in times.items()}
    return {
        **{f"{name}_seconds": seconds for name, seconds in median.items()},
        "switch_seconds": median["switch"],
        "both_over_one": median["both"] / median["one"],
        "first_token_over_bare": median["first"] / median["bare"],
    }


def _timed(
    works: dict[str, Callable[[int], None]], repeats: int, taken: list[float]
) -> dict[str, list[float]]:
    """Return the seconds of each, taken in turn; the first round warms up.

    Args:
        taken: When the first token came; `first` ends with its last entry.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(repeats + 1):
        for name, work in works.items():
            began = time.perf_counter()
            work(number)
            ended = taken[-1] if name == "first" else time.perf_counter()
            if number:
                times[name].append(ended - began)
    return times


def _adapter(folder: Path, seed: int) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model

    from studio.config.model import ModelConfig
    from studio.core.paths import write_json
    from studio.models.load import load_model
    from studio.runs.checkpoints import MARKER

    torch.manual_seed(seed)
    targets = r".*text_model.*(q_proj|v_proj|down_proj)"
    settings = LoraConfig(r=4, lora_alpha=4, target_modules=targets, init_lora_weights=False)
    get_peft_model(load_model(ModelConfig()).model, settings).save_pretrained(folder)
    write_json(folder / MARKER, {"kind": "adapter", "base": "embedded"})
    return folder


if __name__ == "__main__":
    main()
