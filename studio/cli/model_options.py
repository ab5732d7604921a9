"""Options of the commands that ask models about rows, each declared once."""

from __future__ import annotations

from typing import Annotated

import typer

AdaptersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--adapter",
        metavar="RUN[@STEP]|DIR|endpoint:URL#MODEL",
        help="A run, a checkpoint of it, an adapter folder, or a model of an OpenAI-compatible "
        "server; may be given several times.",
    ),
]
SplitOption = Annotated[
    str | None, typer.Option(help="A split or a slice of one, for example test[:10%].")
]
ColumnsOption = Annotated[
    list[str] | None, typer.Option("--column", metavar="ROLE=NAME", help="question=query")
]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Only the first rows.")]
LongestAnswerOption = Annotated[
    int, typer.Option(min=1, max=4096, help="Longest answer; it is cut there.")
]
BatchSizeOption = Annotated[int, typer.Option(min=1, max=1024, help="Answers at once.")]
QuantizationOption = Annotated[str, typer.Option(help="none, int8, nf4 or fp4.")]
SameBaseOption = Annotated[
    bool,
    typer.Option(
        "--same-base",
        help="The model that the adapter names is this one under another name or path.",
    ),
]
KeyOption = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="The environment variable that holds the key of the endpoint."
    ),
]
