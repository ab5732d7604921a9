"""`python -m studio`."""

import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run one command; a run's worker at once, since it needs nothing of the command line."""
    if arguments[:1] == ["worker"] and len(arguments) == 2 and Path(arguments[1]).is_dir():
        from studio.train.worker import main as worker

        return worker(Path(arguments[1]))
    from studio.cli.main import main as command_line

    return command_line(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
