"""What else goes on while people label, for `annotation.py --kills`: commands, over and over.

    python benchmarks/annotation_background.py WORKSPACE SCRATCH

Imports, exports, backups, checks, plans and doctor, each in a process of its own that opens the
database and closes it. Ends when its standard input closes and prints how often each was done.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import threading
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
DATASET = "imported"
RUN = f"""
name: planned
method: dpo
model: {{id: embedded}}
data: {{source: "library:{DATASET}"}}
"""


def commands(scratch: Path, number: int) -> list[list[str]]:
    """Every command once; `number` makes what it leaves differ from round to round."""
    backup = scratch / "backup.db"
    backup.unlink(missing_ok=True)
    return [
        ["import", "embedded:preferences", "--name", DATASET, "--limit", str(4 + number % 40)],
        ["backup", str(backup)],
        ["export", "--dataset", DATASET, "--format", "jsonl", "--include-imported"],
        ["doctor"],
        ["check", f"library:{DATASET}"],
        ["plan", str(scratch / "run.yaml")],
    ]


def run(command: list[str], workspace: Path) -> int:
    """One command in a process of its own; its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    from studio.cli.main import main

    code = 1
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            code = main([*command, "--workspace", str(workspace)])
    finally:
        os._exit(code)


def prepare(scratch: Path) -> None:
    """Load what the commands need, so that each of them starts at once."""
    from importlib import import_module

    for name in (
        "cli.main",
        "preflight.check",
        "launch.frozen_rows",
        "training.planning.preflight_plan",
    ):
        import_module(f"studio.{name}")
    from studio.launch import doctor

    doctor.PROBE = "print('cpu')\nprint('fp32')"  # devices are not what this is about
    (scratch / "run.yaml").write_text(RUN, "utf-8")


def main(workspace: Path, scratch: Path) -> None:
    """Go through the commands until nobody wants it any more."""
    prepare(scratch)
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    done: dict[str, int] = {}
    failed: dict[str, int] = {}
    number = 0
    while not over.is_set():
        for command in commands(scratch, number):
            if number and over.is_set():  # each was done once: nobody waits for a whole round more
                break
            counts = failed if run(command, workspace) else done
            counts[command[0]] = counts.get(command[0], 0) + 1
            if number == 0 and command[0] == "import":
                (scratch / "imported").touch()
        number += 1
    sys.stdout.write(json.dumps({"done": done, "failed": failed}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
