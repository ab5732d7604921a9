"""An examination of the machine: versions, devices, disk, database, and what follows."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from studio.annotation import AnnotationStore
from studio.core.errors import StudioError
from studio.core.logs import log_told
from studio.core.paths import Workspace, sqlite_url
from studio.launch.open_studios import Presence

REQUIRED = (
    "torch",
    "torchvision",
    "transformers",
    "trl",
    "peft",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "gradio",
    "sqlalchemy",
    "alembic",
    "pillow",
    "pydantic",
)
LOW_DISK = 5 * 1024**3
PROBE_SECONDS = 120
PROBE = """
import torch
print("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
if torch.cuda.is_available():
    for i in range(torch.cuda.device_count()):
        p = torch.cuda.get_device_properties(i)
        print(f"{p.name}, {p.total_memory / 1024**3:.0f} GB")
print("bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "fp32")
"""


@dataclass(frozen=True)
class Examined:
    """One thing looked at. `ok` is false only when something needed does not work."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Examination:
    """All checks."""

    checks: list[Examined]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks]}


def examine(workspace: Workspace) -> Examination:
    """Look at everything; takes a few seconds because torch is loaded in a child."""
    device = _device()
    return Examination(
        [
            _python(),
            *_packages(),
            device,
            *_abilities(device),
            _disk(workspace),
            _database(workspace),
            _studios(workspace),
            Examined("log", True, _log(workspace)),
        ]
    )


def _python() -> Examined:
    fits = sys.version_info >= (3, 11)
    return Examined(
        "python",
        fits,
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "" if fits else "Install Python 3.11 or newer.",
    )


def _packages() -> list[Examined]:
    checks = []
    for name in REQUIRED:
        try:
            checks.append(Examined(name, True, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            checks.append(
                Examined(name, False, "not installed", "Run `pip install -r requirements.txt`.")
            )
    return checks


def _device() -> Examined:
    probe = [sys.executable, "-c", PROBE]
    try:
        done = subprocess.run(
            probe, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        found = f"torch did not load within {PROBE_SECONDS} seconds"
        return Examined("device", False, found, "Try again when the disk and driver are idle.")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Examined("device", False, f"torch does not load: {last}", "Reinstall torch.")
    return Examined("device", True, "; ".join(done.stdout.split("\n")).strip("; "))


def _abilities(device: Examined) -> list[Examined]:
    kind = device.found.split(";")[0]
    quantizes = kind == "cuda" or (
        kind == "cpu" and platform.machine().lower() in ("x86_64", "amd64")
    )
    slow = " (works, slowly: meant for the embedded model)" if kind == "cpu" else ""
    return [
        Examined("SFT, DPO, LoRA", device.ok, f"on {kind}{slow}"),
        Examined(
            "int8, NF4, FP4",
            True,
            "available" if quantizes else f"not available on {kind}",
            "" if quantizes else "Use model.quantization: none.",
        ),
        Examined(
            "flash attention",
            True,
            "available"
            if kind == "cuda" and importlib.util.find_spec("flash_attn")
            else "not available; sdpa is used",
        ),
    ]


def _disk(workspace: Workspace) -> Examined:
    there = next(part for part in (workspace.root, *workspace.root.parents) if part.is_dir())
    free = shutil.disk_usage(there).free
    return Examined(
        "disk",
        free > LOW_DISK / 10,
        f"{free / 1024**3:.1f} GB free at {workspace.root}",
        "" if free > LOW_DISK else "Checkpoints and models need room: free some space.",
    )


def _database(workspace: Workspace) -> Examined:
    own = workspace.database_url == sqlite_url(workspace.database)
    if own and not workspace.root.is_dir():
        return Examined("database", True, "none yet; the first import makes it")
    try:
        store = AnnotationStore(workspace.database_url)
        found = f"{sum(1 for _ in store.datasets())} datasets"
        store.close()
    except StudioError as error:
        log_told(error)
        return Examined("database", False, f"{error.message} {error.detail}".strip(), error.remedy)
    return Examined("database", True, found)


def _log(workspace: Workspace) -> str:
    begun = "" if workspace.log.exists() else " (begins with the first message)"
    return f"{workspace.log}{begun}"


def _studios(workspace: Workspace) -> Examined:
    others = Presence(workspace).others()
    return Examined("studios", True, "; ".join(map(str, others)) or "none has this workspace open")
