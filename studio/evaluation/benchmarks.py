"""Public benchmarks by name: where their rows are, which columns, what is asked and measured.

`benchmark:chartqa` as a source of rows. Rows come through the hub like those of any dataset; the table
only says what somebody would otherwise have to look up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from studio.core.errors import NotFoundError
from studio.data.schema import Message, Part, Row

BENCHMARK = "benchmark:"
SHORT = "Answer the question using a single word or phrase."
LETTER = "Answer with the letter of the right choice only."
YES_NO = "Answer yes or no."


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: What it is called behind `benchmark:`.
        source, split: On the hub; `owner/name[:config]`.
        columns: Roles that are not found by themselves, as for `--column`.
        metrics: The main one first.
        ask: Said after each question.
        lmms_eval, vlmevalkit: Its names in these harnesses; empty where they have it not.
    """

    name: str
    label: str
    source: str
    split: str
    metrics: tuple[str, ...]
    ask: str
    columns: Mapping[str, str] = field(default_factory=dict)
    lmms_eval: str = ""
    vlmevalkit: str = ""

    @property
    def spec(self) -> str:
        """What names its rows."""
        return f"{BENCHMARK}{self.name}"

    def asked(self, row: Row) -> Row:
        """Return a row with what is said after its question."""
        last = len(row.prompt) - 1
        if last < 0 or row.prompt[last].role != "user":
            return row
        message = row.prompt[last]
        turn = Message("user", (*message.parts, Part("text", f"\n{self.ask}")))
        return replace(row, prompt=(*row.prompt[:last], turn))


_YES_NO = ("yes_no_accuracy", "yes_precision", "yes_recall", "yes_f1", "yes_rate")
_QA = {"question": "question", "answer": "answers", "image": "image"}
_MMMU_IMAGES = ",".join(f"image_{number}" for number in range(1, 8))
_DECLARED = (
    Benchmark(
        "chartqa", "ChartQA", "HuggingFaceM4/ChartQA", "test", ("relaxed_accuracy", "exact_match"),
        SHORT, {"question": "query", "answer": "label", "image": "image"}, "chartqa", "ChartQA_TEST",
    ),
    Benchmark(
        "textvqa", "TextVQA", "lmms-lab/textvqa", "validation", ("vqa_accuracy", "exact_match"),
        SHORT, _QA, "textvqa_val", "TextVQA_VAL",
    ),
    Benchmark(
        "docvqa", "DocVQA", "lmms-lab/DocVQA:DocVQA", "validation", ("anls", "exact_match"),
        SHORT, _QA, "docvqa_val", "DocVQA_VAL",
    ),
    Benchmark(
        "infovqa", "InfographicVQA", "lmms-lab/DocVQA:InfographicVQA", "validation",
        ("anls", "exact_match"), SHORT, _QA, "infovqa_val", "InfoVQA_VAL",
    ),
    Benchmark(
        "pope", "POPE", "lmms-lab/POPE", "test", _YES_NO, YES_NO,
        {"question": "question", "answer": "answer", "image": "image"}, "pope", "POPE",
    ),
    Benchmark(
        "mmmu", "MMMU, validation", "lmms-lab/MMMU", "validation", ("choice_accuracy",), LETTER,
        {
            "question": "question", "choices": "options", "answer": "answer",
            "image": _MMMU_IMAGES, "id": "id",
        },
        "mmmu_val", "MMMU_DEV_VAL",
    ),
    Benchmark(
        "ai2d", "AI2D", "lmms-lab/ai2d", "test", ("choice_accuracy",), LETTER,
        {"question": "question", "choices": "options", "answer": "answer", "image": "image"},
        "ai2d", "AI2D_TEST",
    ),
    Benchmark(
        "scienceqa", "ScienceQA with images", "lmms-lab/ScienceQA:ScienceQA-IMG", "test",
        ("choice_accuracy",), LETTER,
        {
            "question": "question", "choices": "choices", "answer": "answer", "image": "image",
            "context": "hint",
        },
        "scienceqa_img", "ScienceQA_TEST",
    ),
    Benchmark(
        "vqav2", "VQAv2", "lmms-lab/VQAv2", "validation", ("vqa_accuracy", "exact_match"), SHORT,
        _QA, "vqav2_val", "",
    ),
)  # fmt: skip
BENCHMARKS: Mapping[str, Benchmark] = {one.name: one for one in _DECLARED}


def find_benchmark(spec: str) -> Benchmark:
    """Return the benchmark that `benchmark:NAME` names. Raises NotFoundError."""
    name = spec.strip().removeprefix(BENCHMARK).strip().lower().replace("-", "").replace("_", "")
    known = {one.replace("_", ""): one for one in BENCHMARKS}
    if name in known:
        return BENCHMARKS[known[name]]
    near = get_close_matches(name, known, 1)
    hint = f"Did you mean {BENCHMARK}{known[near[0]]}? " if near else ""
    raise NotFoundError(
        f"There is no benchmark {spec.strip()[:80]!r}.",
        remedy=f"{hint}There are: {', '.join(BENCHMARKS)}. Others are named by their hub id.",
        field="data",
    )


def is_benchmark(spec: str) -> bool:
    """Return whether rows are named as those of a benchmark."""
    return spec.strip().lower().startswith(BENCHMARK)
