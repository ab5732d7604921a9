"""Releasing a run from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.options import JsonOption, WorkspaceOption, locate, print_json, say

if TYPE_CHECKING:
    from studio.launch.release import Artefact


def release(
    run: Annotated[str, typer.Argument(metavar="RUN[@STEP]", help="A run, or a checkpoint of it.")],
    merge: Annotated[
        bool, typer.Option("--merge", help="Also a model with the adapter in its weights.")
    ] = False,
    into: Annotated[
        str,
        typer.Option(
            metavar="dequantized|base",
            help="Of a quantized base: merge into the weights that the run was trained on, or "
            "into the 16-bit ones.",
        ),
    ] = "dequantized",
    dtype: Annotated[
        str, typer.Option(help="Of the merged model: auto, float32, bfloat16 or float16.")
    ] = "auto",
    shard_size: Annotated[
        str, typer.Option("--shard-size", help="Largest file of the merged model: 5GB, 500MB.")
    ] = "5GB",
    gguf: Annotated[
        str,
        typer.Option(
            metavar="TYPE", help="Also GGUF for llama.cpp and Ollama: f16, q8_0, q4_k_m …"
        ),
    ] = "",
    llama_cpp: Annotated[
        Path | None,
        typer.Option("--llama-cpp", metavar="DIR", help="A checkout of llama.cpp, for --gguf."),
    ] = None,
    data: Annotated[
        str,
        typer.Option(metavar="SOURCE", help="Rows to compare on; else those the run holds out."),
    ] = "",
    rows: Annotated[int, typer.Option(help="How many of them are asked.")] = 32,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where it is written; else into the workspace."),
    ] = None,
    push: Annotated[
        str,
        typer.Option(
            metavar="OWNER/NAME",
            help="Send the last that is made to the hub: GGUF, the merged model, or the adapter.",
        ),
    ] = "",
    public: Annotated[
        bool, typer.Option("--public", help="A repository that is made for it is public.")
    ] = False,
    licence: Annotated[
        str,
        typer.Option("--license", metavar="ID", help="As the hub calls it; else the base's."),
    ] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Write a run's weights for others, and keep only what answers as the run does."""
    from studio.launch.release import ReleaseRequest
    from studio.launch.release import release as make
    from studio.models.log_levels import quiet_libraries

    place = locate(workspace)
    quiet_libraries()
    request = ReleaseRequest(
        run=run,
        merge=merge,
        into=_one_of(into, ("dequantized", "base"), "--into"),
        dtype=_one_of(dtype, ("auto", "float32", "bfloat16", "float16"), "--dtype"),
        shard_size=shard_size,
        data=data,
        rows=rows,
        gguf=gguf.lower(),
        llama_cpp=llama_cpp,
        out=out,
        licence=licence,
        push=push,
        private=not public,
    )
    made = make(place, request, lambda text: say(f"{text} …"))
    if json:
        print_json({"artefacts": [one.to_json() for one in made]})
        return 0
    for one in made:
        _tell(one)
    return 0


def _tell(made: Artefact) -> None:
    from studio.release.verification import said_of

    known = " (there already, of the same weights)" if made.known else ""
    typer.echo(f"{made.kind}: {made.folder}{known}")
    if made.archive is not None:
        typer.echo(f"  packed: {made.archive}")
    typer.echo(f"  {said_of(made.report)}")
    if made.pushed:
        typer.echo(f"  on the hub: {made.pushed}")


def _one_of(value: str, choices: tuple[str, ...], option: str) -> Any:
    if value not in choices:
        raise typer.BadParameter(f"{option} takes {', '.join(choices)}.")
    return value
