"""Writing candidates: several sampled answers of one prompt against as many separate generations.

    python benchmarks/candidates.py [--shape tiny|smolvlm-256m|smolvlm-500m] [--tiles 5]
        [--count 8] [--rows 1] [--tokens 16] [--json]

Both ways write `--count` answers to each row with the same random weights, temperature and top-p,
in one process, one after the other: separate calls of `generate`, each of which sees the image and
reads the prompt again, and one prefill for all of them. `same_at_temperature_0`: without a
temperature both write the same. `log_prob_difference`: the largest between a sample's
log-probability as it was drawn and as it is scored alone. `speedup` is of CPU time, which means
something on a machine that others use too; by the clock stands beside.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.evaluation import Bench, Clock, _text_row
from benchmarks.random_models import SHAPES

GOAL = 4.0
TEMPERATURE, TOP_P = 1.0, 0.95


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Write the answers in both ways; return the figures."""
    import torch

    from studio.models.answering.answering import Answering
    from studio.models.answering.sampling import Draw
    from studio.models.answering.settings import AnswerSettings, Contestant
    from studio.models.prompt_inputs import encode

    bench = Bench(arguments, folder, arguments.tiles, SHAPES[arguments.shape])
    rows, count, tokens = bench.rows(arguments.rows, 1), arguments.count, arguments.tokens
    base = [Contestant("base")]
    hot = [Draw(TEMPERATURE, TOP_P, seed=1)] * count
    settings = AnswerSettings(max_new_tokens=tokens)

    def answering() -> Answering:
        return Answering(bench.loaded, bench.config, bench.images, settings)

    warm = answering()
    warm.samples([_text_row()], hot, base)
    together, separate = Clock(), Clock()
    with together.running():
        found = answering().samples(rows, hot, base).by_name["base"]
    reasons = {entry.reason for entry in found if entry.reason}
    if reasons:
        raise SystemExit(f"A row was not answered: {reasons.pop()}")

    from studio.evaluation.evaluation_examples import example_of

    model, processor = bench.loaded.model, bench.loaded.processor
    torch.manual_seed(0)
    written = 0
    with separate.running():
        for row in rows:
            for _ in range(count):
                inputs = encode(model, processor, [example_of(row, bench.images)], "left")
                made = model.generate(
                    **inputs,
                    do_sample=True,
                    temperature=TEMPERATURE,
                    top_p=TOP_P,
                    top_k=0,
                    max_new_tokens=tokens,
                )
                written += made.shape[1] - inputs["input_ids"].shape[1]
    return {
        "shape": arguments.shape,
        "tiles": arguments.tiles,
        "count": count,
        "rows": len(rows),
        "tokens": sum(one.tokens for entry in found for one in entry.answers),
        "separate_tokens": written,
        "cpu_seconds": round(together.cpu, 2),
        "separate_cpu_seconds": round(separate.cpu, 2),
        "seconds": round(together.wall, 2),
        "separate_seconds": round(separate.wall, 2),
        "speedup": round(separate.cpu / together.cpu, 2),
        "speedup_by_the_clock": round(separate.wall / together.wall, 2),
        "goal": GOAL,
        "reached": separate.cpu / together.cpu >= GOAL,
        "different": sum(len({one.text for one in entry.answers}) for entry in found),
        **compared(bench, answering(), rows, tokens, hot),
    }


def compared(
    bench: Bench, answering: Any, rows: Sequence[Any], tokens: int, hot: Sequence[Any]
) -> dict[str, Any]:
    """Return whether both ways write the same, and how far log-probabilities are apart."""
    from studio.evaluation.evaluation_examples import example_of
    from studio.models.answering.sampling import Draw
    from studio.models.answering.settings import Contestant
    from studio.models.prompt_inputs import encode

    cold = answering.samples(rows, [Draw(0.0), Draw(0.0)], [Contestant("base")]).by_name["base"]
    model, processor = bench.loaded.model, bench.loaded.processor
    same = 0
    for row, entry in zip(rows, cold, strict=True):
        inputs = encode(model, processor, [example_of(row, bench.images)], "left")
        made = model.generate(**inputs, do_sample=False, max_new_tokens=tokens)
        ids = made[0, inputs["input_ids"].shape[1] :]
        text = processor.tokenizer.decode(ids, skip_special_tokens=True).strip()
        same += all(one.text == text for one in entry.answers)
    apart = max(abs(one - other) for one, other in log_probs(answering, rows[0], tokens, hot))
    return {
        "same_at_temperature_0": same == len(rows),
        "log_prob_difference": float(f"{apart:.1e}"),
    }


def log_probs(
    answering: Any, row: Any, tokens: int, draws: Sequence[Any]
) -> list[tuple[float, float]]:
    """Return the log-probability of each drawn answer as it was drawn, and as it is scored alone."""
    from studio.models.answering.tasks import Samples

    prompt = answering._writer.prompt(0, row)
    bank, decoder = answering._own, answering._decoder
    bank.hold(prompt.images)
    made = Samples(tokens, tuple(draws)).token_rows(answering._writer, prompt, bank)
    drawn: dict[int, list[float]] = {one.number: [] for one in made}
    choose = decoder._next

    def watched(logits: Any, penalised: Any, active: Sequence[Any], chances: Any) -> list[int]:
        chosen = choose(logits, penalised, active, chances)
        each = logits.float().log_softmax(-1)
        for place, (one, token) in enumerate(zip(active, chosen, strict=True)):
            drawn[one.number].append(float(each[place, token]))
        return chosen

    decoder._next = watched
    try:
        written = decoder.answers([made], lambda: False)
    finally:
        del decoder._next
    found = []
    for number, ids in written.items():
        behind = answering._writer.token_row(
            prompt, bank.expansions, bank.features, number=0, answer=ids
        )
        found.append((sum(drawn[number][: len(ids)]), decoder.scores([[behind]])[0][0]))
    return found


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=tuple(SHAPES), default="smolvlm-256m")
    parser.add_argument("--tiles", type=int, default=5)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    from studio.models.log_levels import quiet_libraries

    arguments = parse()
    quiet_libraries()
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments, Path(folder))
    if arguments.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:<24}{value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
