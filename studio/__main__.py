"""`python -m studio`."""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path
from types import TracebackType

CHILDREN = ("worker", "remote", "recipe", "planner", "checker", "inference", "dry-step")
"""Commands that the studio starts itself, with a log that is to have every traceback."""


def main(arguments: list[str]) -> int:
    """Run one command; a run's worker at once, since it needs nothing of the command line."""
    if arguments[:1] == ["worker"] and len(arguments) == 2 and Path(arguments[1]).is_dir():
        from studio.training.worker import main as worker

        return worker(Path(arguments[1]))
    from studio.cli.main import main as command_line

    if not set(arguments[:1]) & set(CHILDREN):
        sys.excepthook = tell_failure
    return command_line(arguments)


def studio() -> int:
    """Run `vlm-studio`: the studio in the browser, or one command where one is named."""
    arguments = sys.argv[1:]
    if not arguments or (arguments[0].startswith("--") and arguments[0] != "--help"):
        from studio.ui.serve import main as serve

        return serve(arguments, "vlm-studio")
    return main(arguments)


def tell_failure(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Say in a sentence what no command foresaw, and keep its traceback in a file."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="vlm-studio-", suffix=".log", delete=False
    ) as log:
        traceback.print_exception(kind, error, trace, file=log)
    said = str(error).strip().splitlines()
    reason = f"{kind.__name__}: {said[0]}" if said else kind.__name__
    sys.stderr.write(
        f"The command failed: {reason}\nNothing else is known of it; {log.name} has the details. "
        "`python -m studio doctor` shows whether something does not fit.\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
