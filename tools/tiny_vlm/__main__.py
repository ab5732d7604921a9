"""`python -m tools.tiny_vlm build` trains the embedded model; `samples` writes the sample sets."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[2] / "assets"


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, then imports what the command needs."""
    options = _parser().parse_args(arguments)
    options.run(options)


def _build(options: argparse.Namespace) -> None:
    from tools.tiny_vlm.card import model_card
    from tools.tiny_vlm.measure import measure
    from tools.tiny_vlm.training import Recipe, train

    recipe = Recipe(steps=options.steps, seed=options.seed)
    started = time.monotonic()
    model, processor = train(recipe)
    minutes = (time.monotonic() - started) / 60
    model.save_pretrained(options.out)
    processor.save_pretrained(options.out)
    measured = measure(model, processor, per_kind=options.questions)
    card = model_card(measured, recipe, model.num_parameters(), minutes)
    (options.out / "README.md").write_text(card, encoding="utf-8")
    sys.stderr.write(f"Trained in {minutes:.1f} minutes; saved to {options.out}\n")


def _samples(options: argparse.Namespace) -> None:
    from tools.tiny_vlm.samples import write_samples

    write_samples(options.out, options.seed)
    sys.stderr.write(f"Saved to {options.out}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.tiny_vlm", description=__doc__)
    commands = parser.add_subparsers(required=True)
    build = commands.add_parser("build", help="train the embedded model from scratch")
    build.add_argument("--out", type=Path, default=ASSETS / "tiny-vlm")
    build.add_argument("--steps", type=int, default=3000, help="optimizer steps")
    build.add_argument("--seed", type=int, default=0)
    build.add_argument("--questions", type=int, default=200, help="measured per kind afterwards")
    build.set_defaults(run=_build)
    samples = commands.add_parser("samples", help="write the sample sets")
    samples.add_argument("--out", type=Path, default=ASSETS / "samples")
    samples.add_argument("--seed", type=int, default=0)
    samples.set_defaults(run=_samples)
    return parser


if __name__ == "__main__":
    main()
