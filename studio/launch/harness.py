"""Benchmarks measured by another harness, lmms-eval or VLMEvalKit, in an environment of its own.

Their packages do not fit beside the studio's, so they are never imported: a harness is a command, run
with the Python that it is installed for, and its figures are read from the files that it writes.
"""

from __future__ import annotations

import csv
import json
import logging
import os
import secrets
import shlex
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, get_args

from studio.core.errors import InputError, RunFailedError
from studio.core.paths import Workspace, read_state, write_atomic, write_json
from studio.evaluation.benchmarks import Benchmark, find_benchmark
from studio.evaluation.evaluated_models import ENDPOINT, EvaluatedModel, find_model
from studio.models.endpoint import Endpoint
from studio.runs.store import RunStore

logger = logging.getLogger(__name__)
Harness = Literal["lmms-eval", "vlmevalkit"]
PACKAGES: Mapping[Harness, str] = {"lmms-eval": "lmms_eval", "vlmevalkit": "vlmeval"}
WHERE: Mapping[Harness, str] = {
    "lmms-eval": "pip install lmms-eval",
    "vlmevalkit": "git clone https://github.com/open-compass/VLMEvalKit && pip install -e VLMEvalKit",
}
KIT_CLASSES = {
    "chartqa": "ImageVQADataset",
    "textvqa": "ImageVQADataset",
    "docvqa": "ImageVQADataset",
    "infovqa": "ImageVQADataset",
    "pope": "ImageYORNDataset",
    "mmmu": "MMMUDataset",
    "ai2d": "ImageMCQDataset",
    "scienceqa": "ImageMCQDataset",
}
"""VLMEvalKit's class for each of its data sets."""
LAST_LINES = 12
FIGURES = "figures.json"
CONFIG = "config.json"


@dataclass(frozen=True)
class AskedHarness:
    """What is to be measured, as somebody names it.

    Attributes:
        adapter: Run, `RUN@STEP` or folder; empty for the base itself.
        endpoint: Address where the model is served; its name there is `served_as`.
        python: Of the environment that the harness is installed in; empty to be shown the command.
        checkout: Folder of VLMEvalKit with its `run.py`.
    """

    benchmark: str
    model: str
    adapter: str = ""
    harness: str = "lmms-eval"
    endpoint: str = ""
    served_as: str = ""
    key_from: str = ""
    python: str = ""
    checkout: str = ""
    limit: int | None = None


@dataclass(frozen=True)
class HarnessPlan:
    """A command that is ready to be run.

    Attributes:
        before: A command that must be running first, as it would be typed; empty for none.
        files: What the command reads, by path.
        output: Folder that it writes to.
    """

    benchmark: Benchmark
    harness: Harness
    model: str
    command: tuple[str, ...]
    output: Path
    before: str = ""
    folder: str = ""
    files: Mapping[Path, str] = field(default_factory=dict)

    @property
    def typed(self) -> str:
        """The command as it would be typed."""
        place = f"cd {shlex.quote(self.folder)} && " if self.folder else ""
        return f"{place}{shlex.join(self.command)}"


@dataclass(frozen=True)
class HarnessFigures:
    """What a harness measured.

    Attributes:
        figures: By the harness's own names; `command` made them.
    """

    benchmark: str
    harness: str
    model: str
    figures: Mapping[str, float]
    command: str
    seconds: float = 0.0
    created: float = 0.0


def plan_harness(workspace: Workspace, asked: AskedHarness) -> HarnessPlan:
    """Return the command that measures a model on a benchmark; nothing is run.

    Raises:
        InputError: The harness does not have that benchmark, or cannot ask that model.
        NotFoundError: There is no such benchmark, run or folder.
    """
    benchmark = find_benchmark(asked.benchmark)
    harness = _harness(asked.harness)
    if not (benchmark.lmms_eval if harness == "lmms-eval" else benchmark.vlmevalkit):
        raise InputError(
            f"{harness} has no {benchmark.label}.",
            remedy=f"Measure it here: python -m studio evaluate MODEL --data {benchmark.spec}",
            field="with",
        )
    if harness == "vlmevalkit" and asked.limit:
        raise InputError(
            "VLMEvalKit measures all rows.", remedy="Leave --limit out.", field="limit"
        )
    output = (
        workspace.harness
        / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}-{benchmark.name}"
    )
    python = str(Path(asked.python).absolute()) if Path(asked.python).is_file() else asked.python
    if harness == "lmms-eval":
        served, before = _served(workspace, asked, loaded=True)
        command = [python or "python", *_of_lmms(benchmark, asked, served, output)]
        return HarnessPlan(benchmark, harness, _called(asked), tuple(command), output, before)
    served, before = _served(workspace, asked, loaded=False)
    config = output / CONFIG
    command = [python or "python", "run.py", "--config", str(config), "--work-dir", str(output)]
    return HarnessPlan(
        benchmark, harness, _called(asked), tuple(command), output, before,
        asked.checkout or "VLMEvalKit",
        {config: json.dumps(_kit_config(benchmark, served), indent=1)} if served else {},
    )  # fmt: skip


def _of_lmms(
    benchmark: Benchmark, asked: AskedHarness, served: Endpoint | None, output: Path
) -> list[str]:
    named = served.model if served is not None else asked.model
    if "," in named:
        raise InputError(
            f"lmms-eval takes no name with a comma: {named[:80]!r}.",
            remedy="Give the model another name, for example a link to its folder.",
            field="model",
        )
    how, arguments = "huggingface", f"pretrained={asked.model}"
    if served is not None:
        how, arguments = "openai", f"model={served.model},base_url={served.url}"
    command = ["-m", "lmms_eval", "--model", how, "--model_args", arguments]
    command += ["--tasks", benchmark.lmms_eval, "--batch_size", "1", "--output_path", str(output)]
    return [*command, "--limit", str(asked.limit)] if asked.limit else command


def run_harness(workspace: Workspace, asked: AskedHarness) -> HarnessFigures:
    """Run a harness to its end, keep its figures in the workspace and return them.

    Raises:
        InputError: It is not installed there, or cannot be asked so.
        RunFailedError: It ended without figures; its last lines are in the message.
    """
    plan = plan_harness(workspace, asked)
    if plan.before and not asked.endpoint:
        raise InputError(
            "An adapter is asked through a server.",
            remedy=f"Start one, then give --endpoint http://localhost:8000/v1: {plan.before}",
            field="endpoint",
        )
    served, _ = _served(workspace, asked, loaded=plan.harness == "lmms-eval")
    key = served.key() if served is not None else ""
    _ensure_installed(plan, asked)
    plan.output.mkdir(parents=True, exist_ok=True)
    for path, text in plan.files.items():
        write_atomic(path, text)
    began = time.monotonic()
    code, lines = _run(plan, key)
    figures = read_figures(plan.output, plan.harness)
    if code or not figures:
        why = "ended without figures" if not code else f"ended with code {code}"
        raise RunFailedError(
            f"{plan.harness} {why}: {' / '.join(lines) or 'it wrote nothing'}",
            remedy=f"What it wrote is in {plan.output}. Run it yourself: {plan.typed}",
        )
    found = HarnessFigures(
        plan.benchmark.name, plan.harness, plan.model, figures, plan.typed,
        round(time.monotonic() - began, 1), time.time(),
    )  # fmt: skip
    write_json(plan.output / FIGURES, asdict(found))
    return found


def harness_figures(workspace: Workspace) -> list[HarnessFigures]:
    """Return all figures that harnesses measured, newest first."""
    found = []
    for path in workspace.harness.glob(f"*/{FIGURES}"):
        try:
            found.append(HarnessFigures(**read_state(path)))
        except (OSError, TypeError, ValueError):
            logger.exception("The figures in %s are passed over.", path)
    return sorted(found, key=lambda one: one.created, reverse=True)


def read_figures(output: Path, harness: Harness) -> dict[str, float]:
    """Return the figures that a harness has written below a folder; none where there are none."""
    pattern = "*_results.json" if harness == "lmms-eval" else "*_*.csv"
    files = sorted(output.rglob(pattern), key=lambda path: path.stat().st_mtime)
    found: dict[str, float] = {}
    for path in files:
        try:
            read = _of_lmms_eval(path) if harness == "lmms-eval" else _of_kit(path)
        except (OSError, ValueError, AttributeError):
            logger.exception("%s cannot be read.", path)
            continue
        found |= read
    return found


def _of_lmms_eval(path: Path) -> dict[str, float]:
    results = json.loads(path.read_text("utf-8")).get("results") or {}
    return {
        f"{task} {name.removesuffix(',none')}": float(value)
        for task, values in results.items()
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and "stderr" not in name
    }


def _of_kit(path: Path) -> dict[str, float]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for row in rows:
        about = [value for value in row.values() if value and _number(value) is None]
        for name, value in row.items():
            number = _number(value)
            if number is not None and name.strip():
                found[" ".join([*(about if len(rows) > 1 else []), name])] = number
    return found


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _harness(name: str) -> Harness:
    for known in get_args(Harness):
        if name.strip().lower() == known:
            return known
    raise InputError(
        f"{name[:60]!r} is no harness that is known.",
        remedy=f"Give one of {', '.join(get_args(Harness))}.",
        field="with",
    )


def _called(asked: AskedHarness) -> str:
    return asked.adapter or asked.served_as or asked.model


def _served(
    workspace: Workspace, asked: AskedHarness, *, loaded: bool
) -> tuple[Endpoint | None, str]:
    """The server that is asked, and the command that starts one.

    Args:
        loaded: Whether the harness can load a whole model itself; there is no server then.
    """
    if asked.model.startswith(ENDPOINT):
        found = find_model(RunStore(workspace), asked.model, asked.model, key_from=asked.key_from)
        return found.endpoint, ""
    url = asked.endpoint or "http://localhost:8000/v1"
    if asked.adapter:
        adapted = find_model(RunStore(workspace), asked.model, asked.adapter)
        name = asked.served_as or (adapted.name if adapted.run else Path(adapted.adapter).name)
        return Endpoint(url, name, asked.key_from), _serving(asked.model, adapted, name)
    if loaded and not asked.endpoint:
        return None, ""
    name = asked.served_as or asked.model
    return Endpoint(url, name, asked.key_from), shlex.join(["vllm", "serve", asked.model])


def _serving(base: str, adapted: EvaluatedModel, name: str) -> str:
    if adapted.run:
        return shlex.join(["python", "-m", "studio", "serve", adapted.name])
    module = f"{name}={adapted.adapter}"
    return shlex.join(["vllm", "serve", base, "--enable-lora", "--lora-modules", module])


def _kit_config(benchmark: Benchmark, served: Endpoint) -> dict[str, object]:
    model = {
        "class": "GPT4V",
        "model": served.model,
        "api_base": f"{served.url}/chat/completions",
        "temperature": 0,
        "img_size": -1,  # images as they are, not made small
        "img_detail": "high",
    }
    data = {"class": KIT_CLASSES[benchmark.name], "dataset": benchmark.vlmevalkit}
    return {"model": {served.model.replace("/", "-"): model}, "data": {benchmark.vlmevalkit: data}}


def _ensure_installed(plan: HarnessPlan, asked: AskedHarness) -> None:
    package = PACKAGES[plan.harness]
    try:
        done = subprocess.run(
            [asked.python, "-c", f"import importlib.util as u; exit(u.find_spec({package!r}) is None)"],
            capture_output=True, timeout=120, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(
            f"{asked.python} is no Python that can be started: {error}.",
            remedy="Give the path of bin/python of the environment.",
            field="python",
        ) from error
    if done.returncode:
        raise InputError(
            f"{plan.harness} is not installed for {asked.python}.",
            remedy=f"In an environment of its own: {WHERE[plan.harness]}",
            field="python",
        )
    if plan.folder and not (Path(plan.folder) / "run.py").is_file():
        raise InputError(
            f"There is no run.py of VLMEvalKit in {plan.folder}.",
            remedy="Give --checkout, the folder that it was cloned to.",
            field="checkout",
        )


def _run(plan: HarnessPlan, key: str) -> tuple[int, Sequence[str]]:
    """Run the command; what it says goes into the log without the key, its last lines are returned."""
    # VLMEvalKit insists on how a key begins, and writes it into what it says.
    environment = os.environ | {"OPENAI_API_KEY": key or "sk-none"}
    last: deque[str] = deque(maxlen=LAST_LINES)
    with subprocess.Popen(
        plan.command, cwd=plan.folder or None, env=environment, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        try:
            for line in child.stdout or ():
                told = line.replace(key, "…") if key else line
                logger.info("%s", told.rstrip())
                last.append(told.strip()[:300])
        except KeyboardInterrupt:
            child.terminate()
            raise
    return child.returncode, [line for line in last if line][-3:]
