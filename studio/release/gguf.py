"""A merged model as GGUF for llama.cpp and Ollama: its text part, its eyes (mmproj), a Modelfile.

No package of the index holds a converter; llama.cpp's own is used, from a checkout given by its
path. It runs once for the text model and once for the vision tower with its projector.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from studio.core.errors import InputError, RunFailedError
from studio.core.paths import write_atomic

if TYPE_CHECKING:
    from studio.release.trained_answers import TrainedAnswers

logger = logging.getLogger(__name__)
CONVERTER = "convert_hf_to_gguf.py"
PROGRAMS = ("build/bin", "build/bin/Release", "bin", ".")
QUANTIZE, ASK = "llama-quantize", "llama-mtmd-cli"
CONVERTED = ("f32", "f16", "bf16", "q8_0")
"""Types that the converter writes itself; others are made of f16 by `llama-quantize`."""
QUANTIZED = ("q6_k", "q5_k_m", "q5_k_s", "q5_0", "q4_k_m", "q4_k_s", "q4_0", "q3_k_m", "q2_k")
TYPES = (*CONVERTED, *QUANTIZED)
LEAST_EQUAL = {**dict.fromkeys(CONVERTED, 0.9), **dict.fromkeys(QUANTIZED, 0.7)}
"""Share of answers that must be the run's. llama.cpp scales images in a way of its own, and fewer
bits change answers, so that it is less than of transformers."""
ASK_SECONDS = 300
UNSUPPORTED = re.compile(r"Model (\S+) is not supported")
MISSING_MODULE = re.compile(r"No module named '([\w.]+)'")


class UnknownFamilyError(RunFailedError):
    """llama.cpp does not know the class that a model's configuration names."""


@dataclass(frozen=True)
class LlamaCpp:
    """A checkout of llama.cpp.

    Attributes:
        converter: Its script.
        quantize, ask: Its built programs; None where they are not built.
    """

    converter: Path
    quantize: Path | None
    ask: Path | None


@dataclass(frozen=True)
class GgufVerification:
    """What llama.cpp answered beside the run.

    Attributes:
        rows: Questions of one turn with one image, which is what its program takes.
        equal, base_equal: Share of texts that are the run's, and the base's.
        least_equal: What is asked for.
        why: Why it was not asked; empty where it was.
    """

    rows: int = 0
    equal: float = 0.0
    base_equal: float = 0.0
    least_equal: float = 0.0
    why: str = ""

    @property
    def problem(self) -> str:
        """Why this is no release; empty for one, or where nothing was asked."""
        if self.why or (self.equal >= self.least_equal and self.equal > self.base_equal):
            return ""
        return (
            f"llama.cpp gives {100 * self.equal:.0f} % of the run's answers on {self.rows} rows "
            f"({100 * self.least_equal:.0f} % are asked for) and {100 * self.base_equal:.0f} % of "
            "the base's."
        )

    @property
    def sentence(self) -> str:
        """What it came to, for a reader."""
        if self.why:
            return f"Not verified: {self.why}"
        return (
            f"{100 * self.equal:.0f} % of {self.rows} answers of llama.cpp are those of the run, "
            f"{100 * self.base_equal:.0f} % those of the base."
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        verdict = "not verified" if self.why else self.problem or "as the run"
        return {**asdict(self), "verdict": verdict, "sentence": self.sentence}


def find_llama_cpp(folder: Path | None, kind: str) -> LlamaCpp:
    """Return the tools for a type of GGUF.

    Raises:
        InputError: There is no such type, no checkout, or a program of it is not built.
    """
    if kind not in TYPES:
        raise InputError(
            f"{kind[:40]!r} is no type of GGUF that is made here.",
            remedy=f"Choose {', '.join(TYPES)}.",
            field="gguf",
        )
    if folder is None or not (folder / CONVERTER).is_file():
        where = "is not given" if folder is None else f"has no {CONVERTER}: {folder}"
        raise InputError(
            f"GGUF is written by llama.cpp's converter, and its folder {where}.",
            remedy="Fetch llama.cpp (git clone https://github.com/ggml-org/llama.cpp, or the source "
            "package of llama-cpp-python, which holds it in vendor/llama.cpp) and give "
            "--llama-cpp DIR.",
            field="llama_cpp",
        )
    tools = LlamaCpp(folder / CONVERTER, _program(folder, QUANTIZE), _program(folder, ASK))
    if kind in QUANTIZED and tools.quantize is None:
        raise InputError(
            f"{kind} is made by {QUANTIZE}, which is not built in {folder}.",
            remedy=f"Build it (cmake -B build && cmake --build build -t {QUANTIZE} {ASK}), or choose "
            f"{', '.join(CONVERTED)}.",
            field="llama_cpp",
        )
    return tools


def write_gguf(
    merged: Path, folder: Path, tools: LlamaCpp, kind: str, system_prompt: str = ""
) -> tuple[Path, Path]:
    """Write a merged model as GGUF, with a Modelfile; returns the text model and the mmproj.

    Raises:
        RunFailedError: llama.cpp does not know the family, the tokenizer, or fails; says which.
    """
    model, eyes = folder / f"model-{kind}.gguf", folder / "mmproj.gguf"
    first = kind if kind in CONVERTED else "f16"
    made = folder / f"model-{first}.gguf"
    _convert(merged, made, tools, first, ())
    _convert(merged, eyes, tools, first if first != "q8_0" else "f16", ("--mmproj",))
    if kind in QUANTIZED:
        _run([str(tools.quantize), str(made), str(model), kind.upper()], "quantized")
        made.unlink()
    system = f"SYSTEM {json.dumps(system_prompt, ensure_ascii=False)}\n" if system_prompt else ""
    lines = f"FROM ./{model.name}\nFROM ./{eyes.name}\nPARAMETER temperature 0\n{system}"
    write_atomic(folder / "Modelfile", lines)
    return model, eyes


def verify_gguf(
    model: Path, eyes: Path, tools: LlamaCpp, trained: TrainedAnswers, kind: str
) -> GgufVerification:
    """Ask llama.cpp what the run was asked."""
    if tools.ask is None:
        return GgufVerification(why=f"{ASK} is not built, so llama.cpp was not asked.")
    places = [place for place, row in enumerate(trained.questions.rows) if _askable(row)]
    if not places:
        return GgufVerification(
            why=f"{ASK} takes one turn with one image, and no row is like that."
        )
    texts = [
        _ask(model, eyes, tools.ask, trained.questions.rows[at], trained.longest) for at in places
    ]

    def share(answers: Sequence[dict[str, Any]]) -> float:
        same = sum(answers[at]["text"] == text for at, text in zip(places, texts, strict=True))
        return same / len(places)

    return GgufVerification(len(places), share(trained.run), share(trained.base), LEAST_EQUAL[kind])


def _askable(row: dict[str, Any]) -> bool:
    return len(row["images"]) == 1 and [turn["role"] for turn in row["messages"]] == ["user"]


def _ask(model: Path, eyes: Path, program: Path, row: dict[str, Any], longest: int) -> str:
    parts = row["messages"][0]["content"]
    text = "".join(part["text"] for part in parts if part["type"] == "text")
    command = [str(program), "-m", str(model), "--mmproj", str(eyes), "--image", row["images"][0]]
    command += ["-p", text, "--temp", "0", "-n", str(longest), "--jinja", "--no-warmup"]
    return _run(command, "asked", ASK_SECONDS).strip()


def _convert(merged: Path, target: Path, tools: LlamaCpp, kind: str, more: Sequence[str]) -> None:
    def command(folder: Path) -> list[str]:
        script = [sys.executable, str(tools.converter), str(folder)]
        return [*script, "--outtype", kind, "--outfile", str(target), *more]

    try:
        _run(command(merged), "converted")
    except UnknownFamilyError:
        named = _with_text_class(merged)
        if named is None:
            raise
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, merged.name)
            folder.mkdir()
            for file in merged.iterdir():
                (folder / file.name).symlink_to(file)
            (folder / "config.json").unlink()
            write_atomic(folder / "config.json", named)
            _run(command(folder), "converted")


def _with_text_class(merged: Path) -> str | None:
    """The configuration with the class of its text model, by which the converter knows a family.

    Checkpoints of SmolVLM's family on the hub have it; transformers does not write it again.
    """
    values = json.loads((merged / "config.json").read_text(encoding="utf-8"))
    text = values.get("text_config")
    known = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get((text or {}).get("model_type"))
    if text is None or known is None or text.get("architectures"):
        return None
    text["architectures"] = [known]
    return json.dumps(values, indent=2)


def _run(command: Sequence[str], what: str, seconds: int | None = None) -> str:
    """Run a program of llama.cpp; its standard output."""
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
            env={**os.environ, "LLAMA_LOG_COLORS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunFailedError(
            f"The model could not be {what}: {error}", remedy="See that llama.cpp runs here."
        ) from error
    if done.returncode == 0:
        return done.stdout
    logger.error("%s ended with %s:\n%s", command[:2], done.returncode, done.stderr)
    raise _failed(what, f"{done.stdout}\n{done.stderr}")


def _failed(what: str, said: str) -> RunFailedError:
    """What llama.cpp says, in a sentence."""
    lines = [line for line in said.splitlines() if line.strip()]
    kind, remedy = RunFailedError, "Use a newer llama.cpp, or the merged model."
    if found := UNSUPPORTED.search(said):
        kind, reason = UnknownFamilyError, f"llama.cpp has no {found[1]}"
    elif "pre-tokenizer was not recognized" in said:
        reason = "llama.cpp does not know how this model's tokenizer cuts text"
    elif found := MISSING_MODULE.search(said):
        reason = f"its converter needs the package {found[1]}"
        remedy = f"Install it: pip install {found[1].split('.')[0]}."
    else:
        reason = lines[-1][:400] if lines else "it said nothing"
        remedy = "The log has all that it said."
    return kind(f"The model could not be {what}: {reason}.", remedy=remedy)


def _program(folder: Path, name: str) -> Path | None:
    for place in PROGRAMS:
        if found := shutil.which(name, path=str(folder / place)):
            return Path(found)
    return None
