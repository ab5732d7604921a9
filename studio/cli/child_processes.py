"""The processes that the studio starts for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studio.cli.options import WorkspaceOption, locate
from studio.core.paths import Workspace
from studio.core.torch_import import loading


def worker(run_dir: Path) -> int:
    """Train the run in RUN_DIR."""
    from studio.training.worker import main

    return main(run_dir)


def recipe(run_dir: Path) -> int:
    """Write down what the run in RUN_DIR comes down to."""
    from studio.config import run_file
    from studio.core.paths import RunPaths
    from studio.models.log_levels import quiet_libraries

    quiet_libraries()
    from studio.training.script_recipe import write_recipe

    paths = RunPaths(run_dir.resolve())
    write_recipe(run_file.load_run(paths.config), paths, locate(str(paths.root.parent.parent)))
    return 0


def remote(run_dir: Path) -> int:
    """Send the run in RUN_DIR to Hugging Face Jobs and follow it."""
    from studio.launch.hf_job_monitor import follow_remote

    return follow_remote(run_dir)


def planner(workspace: WorkspaceOption = None) -> int:
    """Answer planning requests over standard input and output."""
    from studio.training.planning.worker import main

    main(locate(workspace))
    return 0


def checker(workspace: WorkspaceOption = None) -> int:
    """Answer checking requests over standard input and output."""
    with loading():
        from studio.annotation.library.preflight_rows import opened_rows
        from studio.preflight.worker import main

    main(locate(workspace), opened_rows)
    return 0


def inference(
    workspace: WorkspaceOption = None,
    passing: Annotated[Path | None, typer.Option(help="Images of questions alone.")] = None,
) -> int:
    """Answer chat requests over standard input and output."""
    with loading():
        from studio.inference.worker import main

    main(locate(workspace), Workspace(passing) if passing is not None else None)
    return 0


def dry_step(workspace: WorkspaceOption = None) -> int:
    """Measure one step of the run file given on standard input."""
    with loading():
        from studio.training.planning.dry_step_worker import main

    main(locate(workspace))
    return 0


def evaluator(evaluation_dir: Path) -> int:
    """Compute the evaluation in EVALUATION_DIR."""
    with loading():
        from studio.evaluation.evaluation_worker import compute
        from studio.models.log_levels import quiet_libraries

    quiet_libraries()
    from studio.launch.candidates import delivery_of
    from studio.launch.evaluation_job import run_waits

    folder = evaluation_dir.resolve()
    place = locate(str(folder.parent.parent))
    compute(
        place,
        folder.name,
        deliver=delivery_of(place, folder.name),
        makes_way=lambda: run_waits(place),
    )
    return 0


def run_evaluator(run_dir: Path) -> int:
    """Measure the finished run in RUN_DIR on its held-out rows."""
    from studio.models.log_levels import quiet_libraries

    quiet_libraries()
    folder = run_dir.resolve()
    place = locate(str(folder.parent.parent))
    with loading():
        from studio.launch.held_out_evaluation import evaluate_run

    evaluate_run(place, folder.name)
    return 0
