"""What no command foresaw is a sentence on the error stream and a traceback in a file."""

import subprocess
import sys
from pathlib import Path

FAILING = """
import sys
import studio.cli.main
from studio.__main__ import main

def fails(arguments):
    raise RuntimeError("the library broke\\nin two lines")

studio.cli.main.main = fails
sys.exit(main({arguments!r}))
"""


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", FAILING.format(arguments=list(arguments))],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_that_breaks_says_so_and_keeps_the_traceback():
    done = run("plan", "run.yaml")
    assert done.returncode == 1 and not done.stdout
    assert "The command failed: RuntimeError: the library broke" in done.stderr
    assert "Traceback" not in done.stderr
    log = Path(next(word for word in done.stderr.split() if word.endswith(".log")))
    assert "Traceback" in log.read_text() and "in two lines" in log.read_text()
    log.unlink()


def test_children_of_the_studio_keep_theirs_in_their_own_logs():
    done = run("planner")
    assert done.returncode == 1 and "Traceback" in done.stderr
