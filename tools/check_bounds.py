"""Checks that the lower bounds of requirements.txt are true: `python tools/check_bounds.py`.

Installs the lowest version of every direct requirement into a new virtual environment and runs the
core tests there. Takes a quarter of an hour; run it when a bound or a use of a library changes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORE = (
    "tests/config",
    "tests/data",
    "tests/annotation",
    "tests/runs",
    "tests/preflight",
    "tests/models",
    "tests/inference",
    "tests/training/test_run_training.py",
    "tests/training/fast_path/test_fast_trainers.py",
    "tests/training/planning/test_preflight_plan.py",
    "tests/training/test_model_setup.py",
    "tests/ui/shell/test_app.py",
    "tests/api/access/test_rules.py",
    "tests/ui/events/test_event_guard.py",
    "tests/ui/compat/test_gradio_parts.py",
)
BOUND = re.compile(r"^([\w.\[\]-]+)>=([\w.]+)")


def lowest(requirements: Path) -> list[str]:
    """Read each direct requirement with its lower bound, as `name==version` lines."""
    found = [BOUND.match(line) for line in requirements.read_text("utf-8").splitlines()]
    return [f"{one[1].split('[')[0]}=={one[2]}" for one in found if one]


def main() -> int:
    """Install and test; returns pytest's exit code, or pip's where nothing resolves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install-only", action="store_true", help="only see whether it resolves")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="environment to make and keep")
    parser.add_argument("tests", nargs="*", default=CORE, help="instead of the core tests")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bounds-") as folder:
        environment, pins = flags.keep or Path(folder) / "venv", Path(folder) / "lowest.txt"
        pins.write_text("\n".join(lowest(ROOT / "requirements.txt")), "utf-8")
        venv.create(environment, with_pip=True)
        python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        install = [python, "-m", "pip", "install", "-q", "--no-compile", "-c", pins]
        installed = subprocess.run([*install, "-r", ROOT / "requirements-dev.txt"], check=False)
        if installed.returncode or flags.install_only:
            return installed.returncode
        return subprocess.run([python, "-m", "pytest", "-q", *flags.tests], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
