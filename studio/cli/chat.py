"""Asking a model about images from the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from studio.cli.model_options import QuantizationOption, SameBaseOption
from studio.cli.options import JsonOption, WorkspaceOption, look_at, print_json
from studio.core.errors import InputError


def chat(
    model: Annotated[str, typer.Argument(help='Hub id, folder or "embedded".')],
    question: Annotated[str, typer.Argument(help="What to ask.")],
    image: Annotated[
        list[str] | None, typer.Option("--image", help="An image; may be given several times.")
    ] = None,
    adapter: Annotated[
        str | None, typer.Option("--adapter", help="Run id or adapter folder.")
    ] = None,
    same_base: SameBaseOption = False,
    compare: Annotated[bool, typer.Option("--compare", help="Ask the base model too.")] = False,
    max_new_tokens: Annotated[int, typer.Option(min=1, max=4096)] = 256,
    temperature: Annotated[float, typer.Option(min=0.0, max=2.0)] = 0.0,
    quantization: QuantizationOption = "none",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Ask one question about images."""
    from studio.inference.protocol import why_empty
    from studio.inference.sampling import Sampling
    from studio.inference.single_answer import ask
    from studio.models.log_levels import quiet_libraries

    quiet_libraries()
    if adapter is None and (same_base or compare):
        raise InputError(
            "--compare and --same-base are about an adapter.", remedy="Name it with --adapter."
        )
    answers = ask(
        look_at(workspace),
        model=model,
        adapter=adapter,
        images=image or [],
        question=question,
        compare=compare,
        sampling=Sampling(max_new_tokens=max_new_tokens, temperature=temperature),
        quantization=quantization,
        same_base=same_base,
    )
    if json:
        print_json({"answers": [asdict(answer) for answer in answers]})
    else:
        for answer in answers:
            why = why_empty(answer.tokens, answer.stopped)
            text = answer.text if answer.text.strip() else f"(empty answer) {why}"
            typer.echo(f"{answer.model}: {text}" if len(answers) > 1 else text)
    return 0
