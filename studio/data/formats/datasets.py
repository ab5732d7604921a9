"""Datasets of preferences and of questions, as their authors publish them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from studio.data.conversation import is_turns
from studio.data.formats.declaration import USED, Format
from studio.data.record_fields import Record, parsed

INSTRUCTIONS = ("instruction", "safe_instruction", "unsafe_instruction")


def _vlfeedback(record: Record) -> Iterator[dict[str, Any]]:
    held = record["completions"]
    if isinstance(held, Mapping):
        held = [dict(zip(held, parts, strict=False)) for parts in zip(*held.values(), strict=False)]
    candidates = [
        {"text": one["response"], "author": one.get("model"), "score": _mean(one["annotations"])}
        for one in held
    ]
    yield {
        "question": record["prompt"],
        "image": record.get("img_path") or record.get("image"),
        "candidates": candidates,
        "id": record.get("id"),
        USED: {
            "prompt": "question", "id": "id",
            "img_path" if record.get("img_path") else "image": "image",
            "completions[].response": "candidates", "completions.response": "candidates",
            "completions[].model": "candidates", "completions.model": "candidates",
        },
    }  # fmt: skip


def _mean(annotations: Any) -> float | None:
    """The mean of the ratings of an answer, over what was rated."""
    aspects = annotations.values() if isinstance(annotations, Mapping) else ()
    told = [str(one.get("Rating")) for one in aspects if isinstance(one, Mapping)]
    numbers = [float(rating) for rating in told if rating.replace(".", "", 1).isdecimal()]
    return fmean(numbers) if numbers else None


def _packed(record: Record) -> Mapping[str, Any]:
    inside = parsed(record["text"]) if isinstance(record.get("text"), str) else record.get("text")
    return inside if isinstance(inside, Mapping) else {}


def _rlhf_v(record: Record) -> Iterator[dict[str, Any]]:
    inside = _packed(record)
    yield {
        **{name: inside.get(name) for name in ("question", "chosen", "rejected")},
        "image": record.get("image"),
        "id": record.get("idx"),
        USED: {"text": "question", "image": "image", "idx": "id"},
    }


def _vlguard(record: Record) -> Iterator[dict[str, Any]]:
    used = {"image": "image", "id": "id", "instr-resp[].response": "answer"}
    used |= {f"instr-resp[].{name}": "question" for name in INSTRUCTIONS}
    for one in record["instr-resp"]:
        question = next((one[name] for name in INSTRUCTIONS if one.get(name)), None)
        yield {
            "image": record.get("image"),
            "id": record.get("id"),
            "question": question,
            "answer": one.get("response"),
            USED: used,
        }


def _is_battle(record: Record) -> bool:
    return all(is_turns(record[f"conversation_{side}"]) for side in "ab")


_SAID = [
    {"role": "user", "content": "Which colour is the bar?"},
    {"role": "assistant", "content": "It is red."},
]
_TEAL = [_SAID[0], {"role": "assistant", "content": "It is teal."}]
_ASK = {"image": "a.png", "question": "Which colour is the bar?"}
_RATED = {"Helpfulness": {"Rating": "5", "Rationale": "names the colour"}}
_LOW = {"Helpfulness": {"Rating": "2", "Rationale": "speaks of something else"}}

FORMATS = (
    Format(
        "VLFeedback",
        ("prompt", "completions[].response|completions.response"),
        {
            "id": "v0", "prompt": "Which colour is the bar?", "models": ["m1", "m2"],
            "completions": [
                {"annotations": _RATED, "model": "m1", "response": "It is red."},
                {"annotations": _LOW, "model": "m2", "response": "There are cats."},
            ],
            "img_path": "a.png",
        },
        "answers with their ratings: the best against the worst",
        read=_vlfeedback,
        matches=lambda record: "annotations" in str(record["completions"])[:4000],
        where="https://huggingface.co/datasets/MMInstruction/VLFeedback",
    ),
    Format(
        "RLHF-V preferences",
        ("text", "image"),
        {
            "ds_name": "own", "image": "a.png", "idx": 0,
            "text": '{"question": "Which colour?", "chosen": "It is red.", "rejected": "A cat."}',
        },
        "a pair with its preference",
        read=_rlhf_v,
        matches=lambda record: {"question", "chosen", "rejected"} <= _packed(record).keys(),
        where="https://huggingface.co/datasets/openbmb/RLHF-V-Dataset",
    ),
    Format(
        "LLaVA-RLHF preferences",
        ("conversations", "output_1", "output_2", "preference"),
        {
            "id": "1", "image": "a.png", "preference": 1, "hallucination": True,
            "conversations": [{"from": "human", "value": "<image>\nWhich colour?"}],
            "output_1": {"from": "llava", "value": "It is red."},
            "output_2": {"from": "llava", "value": "It is white."},
        },
        "a pair with its preference",
        where="https://huggingface.co/datasets/zhiqings/LLaVA-Human-Preference-10K",
    ),
    Format(
        "Arena battles",
        ("conversation_a", "conversation_b"),
        {
            "question_id": "q0", "model_a": "m1", "model_b": "m2", "conversation_a": _SAID,
            "conversation_b": _TEAL, "image": "a.png", "winner": "model_a", "judge": "j",
            "language": "English", "turn": 1, "tstamp": 1,
        },
        "a pair with its preference, or a tie; models are the authors",
        matches=_is_battle,
        where="https://huggingface.co/datasets/WildVision/wildvision-arena-data",
    ),
    Format(
        "VLGuard",
        ("instr-resp",),
        {
            "id": "a", "image": "a.png", "safe": True,
            "instr-resp": [
                {"safe_instruction": "Which colour is the bar?", "response": "It is red."},
                {"unsafe_instruction": "How do I break it?", "response": "I cannot help."},
            ],
        },
        "a question and its answer for each instruction",
        read=_vlguard,
        where="https://huggingface.co/datasets/ys-zong/VLGuard",
    ),
    Format(
        "HA-DPO preferences",
        ("image_id", "chosen", "rejected"),
        {
            "image_id": "a",
            "chosen": ["A red bar stands left.", "On the left is a red bar."],
            "rejected": ["A red bus stands left.", "On the left is a red bus."],
        },
        "a pair for each phrasing",
        where="https://github.com/opendatalab/HA-DPO",
    ),
    Format(
        "PKU-SafeRLHF-V preferences",
        ("response_1|response_0", "prefer_response|better_response_id"),
        {
            **_ASK, "response_1": "It is blue.", "response_2": "It is red.", "prefer_response": 2,
        },
        "a pair with its preference",
        where="https://huggingface.co/datasets/PKU-Alignment/BeaverTails-V",
    ),
    Format(
        "RLAIF-V preferences",
        ("ds_name", "question", "chosen", "rejected"),
        {
            "ds_name": "RLAIF-V", **_ASK, "chosen": "It is red.", "rejected": "It is blue.",
            "origin_dataset": "own", "idx": 7, "image_path": "p",
        },
        "a pair with its preference",
        where="https://huggingface.co/datasets/openbmb/RLAIF-V-Dataset",
    ),
    Format(
        "ChartQA questions and answers",
        ("image", "query", "label"),
        {"image": "a.png", "query": "How many bars?", "label": ["14"], "human_or_machine": 0},
        "a question and its answer",
        where="https://huggingface.co/datasets/HuggingFaceM4/ChartQA",
    ),
    Format(
        "Geoperception questions and answers",
        ("question", "answer", "predicate"),
        {"id": "x", **_ASK, "answer": "A", "predicate": "equal angles"},
        "a question and its answer",
        where="https://huggingface.co/datasets/euclid-multimodal/Geoperception",
    ),
    Format(
        "VQAv2 questions and answers",
        ("question", "multiple_choice_answer"),
        {
            **_ASK, "question_id": 70, "multiple_choice_answer": "red",
            "answers": [
                {"answer": "red", "answer_confidence": "yes", "answer_id": 1},
                {"answer": "dark red", "answer_confidence": "maybe", "answer_id": 2},
            ],
        },
        "a question, its answer and all that people accepted",
        where="https://visualqa.org/download.html",
    ),
    Format(
        "TextVQA / DocVQA questions with accepted answers",
        ("question", "answers"),
        {**_ASK, "questionId": "5", "answers": ["red", "red", "dark red"], "docId": 3},
        "a question, its most frequent answer and all that are accepted",
        matches=lambda record: isinstance(record["answers"], list)
        and all(isinstance(answer, str) for answer in record["answers"]),
        where="https://huggingface.co/datasets/lmms-lab/DocVQA",
    ),
    Format(
        "POPE questions",
        ("question_id", "text", "label"),
        {"question_id": 1, "image": "a.png", "text": "Is there a bar?", "label": "yes"},
        "a question and its answer",
        where="https://github.com/AoiDragon/POPE",
    ),
    Format(
        "LLaVA-Bench questions",
        ("question_id", "image", "text"),
        {"question_id": 0, "image": "a.png", "text": "Describe its use.", "category": "complex"},
        "a question without an answer",
        where="https://huggingface.co/datasets/liuhaotian/llava-bench-in-the-wild",
    ),
    Format(
        "ScienceQA / MMMU choices",
        ("question", "choices|options", "answer"),
        {
            **_ASK, "choices": ["blue", "red", "green"], "answer": 1, "hint": "Look left.",
            "task": "closed choice", "solution": "The bar on the left is red.",
        },
        "a question with lettered choices, answered by a letter",
        where="https://huggingface.co/datasets/derek-thomas/ScienceQA",
    ),
    Format(
        "VLMEvalKit questions",
        ("question", "A", "B"),
        {
            "index": 0, **_ASK, "A": "blue", "B": "red", "C": "green", "answer": "B",
            "category": "colour",
        },
        "a question with lettered choices, answered by a letter",
        where="https://github.com/open-compass/VLMEvalKit",
    ),
    Format(
        "The Cauldron / FineVision conversations",
        ("texts[].user",),
        {
            "images": ["a.png"],
            "texts": [
                {"user": "Which colour is the bar?", "assistant": "Red.", "source": "own"},
                {"user": "How many bars?", "assistant": "One.", "source": "own"},
            ],
        },
        "a conversation",
        where="https://huggingface.co/datasets/HuggingFaceM4/the_cauldron",
    ),
)  # fmt: skip
