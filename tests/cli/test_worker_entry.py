"""`python -m studio worker RUN_DIR` goes to the worker without loading the command line."""

import subprocess
import sys

ENTER = """
import sys, types

sys.modules["studio.training.worker"] = types.SimpleNamespace(main=lambda folder: print(folder) or 7)
from studio.__main__ import main

code = main(sys.argv[1:])
print(sorted({"typer", "rich", "gradio"} & set(sys.modules)))
sys.exit(code)
"""


def enter(*arguments):
    return subprocess.run(
        [sys.executable, "-c", ENTER, *arguments], capture_output=True, text=True, timeout=300
    )


def test_a_worker_is_entered_without_the_command_line(tmp_path):
    found = enter("worker", str(tmp_path))
    assert (found.returncode, found.stdout.splitlines()) == (7, [str(tmp_path), "[]"])


def test_everything_else_is_the_command_lines():
    found = enter("worker", "--help")
    assert "Train the run in RUN_DIR" in found.stdout and found.returncode == 0
    assert "typer" in found.stdout.splitlines()[-1]
