"""The processes that the studio starts for itself."""

from __future__ import annotations

from pathlib import Path

from studio.cli.options import WorkspaceOption, locate


def worker(run_dir: Path) -> int:
    """Train the run in RUN_DIR."""
    from studio.train.worker import main

    return main(run_dir)


def planner(workspace: WorkspaceOption = None) -> int:
    """Answer planning requests over standard input and output."""
    from studio.train.planner import main

    main(locate(workspace))
    return 0


def inference(workspace: WorkspaceOption = None) -> int:
    """Answer chat requests over standard input and output."""
    from studio.infer.worker import main

    main(locate(workspace))
    return 0
