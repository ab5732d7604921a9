"""Formats of tools that train models, and of the services that do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.data.conversation import as_turns, is_turns
from studio.data.formats.declaration import Format
from studio.data.record_fields import Record, get, texts_of


def _turn(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def _told(speaker: str, text: str) -> dict[str, str]:
    return {"from": speaker, "value": text}


ASKED, ANSWERED = _turn("user", "<image>Which colour is the bar?"), _turn("assistant", "It is red.")


def _gemini(record: Record) -> Iterator[dict[str, Any]]:
    system = next(
        (name for name in ("systemInstruction", "system_instruction") if name in record), ""
    )
    used = {"contents": "conversation", "completions": "candidates", system: "system"}
    yield {
        "conversation": record["contents"],
        "candidates": record.get("completions"),
        "system": "\n".join(texts_of(get(record, f"{system}.parts"))) if system else None,
        "used": used,
    }


def _in_sharegpt(record: Record) -> bool:
    turns = record.get("conversations") or record.get("messages")
    return is_turns(turns) and ("from" in turns[0] or "<image>" in "".join(texts_of(turns)))


def _turns_in(record: Record, *names: str) -> bool:
    return any(as_turns(record.get(name)) is not None for name in names)


FORMATS = (
    Format(
        "OpenAI preferences",
        ("input.messages", "preferred_output", "non_preferred_output"),
        {
            "input": {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image_url", "image_url": {"url": "a.png"}},
                            {"type": "text", "text": "Which colour is the bar?"},
                        ],
                    }
                ],
                "tools": [],
                "parallel_tool_calls": True,
            },
            "preferred_output": [_turn("assistant", "It is red.")],
            "non_preferred_output": [_turn("assistant", "It is blue.")],
        },
        "a pair with its preference",
        {
            "input.messages": "conversation",
            "preferred_output": "chosen",
            "non_preferred_output": "rejected",
        },
        where="https://platform.openai.com/docs/guides/direct-preference-optimization",
    ),
    Format(
        "Gemini preferences",
        ("contents", "completions"),
        {
            "systemInstruction": {"role": "system", "parts": [{"text": "Be short."}]},
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"fileData": {"mimeType": "image/png", "fileUri": "a.png"}},
                        {"text": "Which colour is the bar?"},
                    ],
                }
            ],
            "completions": [
                {"score": 1, "completion": {"role": "model", "parts": [{"text": "It is red."}]}},
                {"score": 0, "completion": {"role": "model", "parts": [{"text": "It is blue."}]}},
            ],
        },
        "a pair with its preference",
        read=_gemini,
        where="https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-preference-tuning-prepare",
    ),
    Format(
        "Gemini conversations",
        ("contents",),
        {
            "systemInstruction": {"role": "system", "parts": [{"text": "Be short."}]},
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"fileData": {"mimeType": "image/png", "fileUri": "a.png"}},
                        {"text": "Which colour is the bar?"},
                    ],
                },
                {"role": "model", "parts": [{"text": "It is red."}]},
            ],
        },
        "a conversation",
        read=_gemini,
        matches=lambda record: "parts" in (record["contents"] or [{}])[0],
        where="https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare",
    ),
    Format(
        "ms-swift preferences",
        ("messages", "rejected_response|rejected_messages"),
        {"messages": [ASKED, ANSWERED], "rejected_response": "It is blue.", "images": ["a.png"]},
        "a pair with its preference",
        where="https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html",
    ),
    Format(
        "ms-swift grounding",
        ("messages", "objects"),
        {
            "messages": [
                _turn("user", "<image>Locate <ref-object>."),
                _turn("assistant", "<bbox>"),
            ],
            "images": ["a.png"],
            "objects": {"ref": ["the bar"], "bbox": [[8, 8, 20, 40]]},
        },
        "a conversation, names and boxes at their places",
        where="https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html",
    ),
    Format(
        "ms-swift questions and answers",
        ("query", "response"),
        {
            "query": "And the circle?",
            "response": "A red one.",
            "history": [["<image>Which colour is the bar?", "It is red."]],
            "images": ["a.png"],
            "system": "Be short.",
        },
        "a conversation",
        where="https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html",
    ),
    Format(
        "KTO verdicts on conversations",
        ("messages|conversations", "label|kto_tag"),
        {"messages": [ASKED, ANSWERED], "images": ["a.png"], "label": False},
        "an answer called good or bad; a bad one is never trained as good",
        matches=lambda record: isinstance(record.get("label", record.get("kto_tag")), bool),
        where="https://huggingface.co/docs/trl/kto_trainer",
    ),
    Format(
        "KTO verdicts",
        ("prompt|question", "completion|response", "label"),
        {"image": "a.png", "prompt": "Which colour?", "completion": "It is blue.", "label": False},
        "an answer called good or bad; a bad one is never trained as good",
        matches=lambda record: isinstance(record["label"], bool),
        where="https://huggingface.co/docs/trl/kto_trainer",
    ),
    Format(
        "Alpaca instructions",
        ("instruction", "output"),
        {
            "instruction": "<image>Translate the caption below.",
            "input": "A red bar beside a disc.",
            "output": "Une barre rouge à côté d'un disque.",
            "images": ["a.png"],
        },
        "a question and its answer",
        where="https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md",
    ),
    Format(
        "LLaMA-Factory v1 preferences",
        ("chosen_messages", "rejected_messages"),
        {
            "chosen_messages": [
                {"role": "user", "content": [{"type": "text", "value": "Say a colour."}]},
                {"role": "assistant", "content": [{"type": "text", "value": "Red."}]},
            ],
            "rejected_messages": [
                {"role": "user", "content": [{"type": "text", "value": "Say a colour."}]},
                {"role": "assistant", "content": [{"type": "text", "value": "Seven."}]},
            ],
        },
        "a pair with its preference",
        where="https://github.com/hiyouga/LLaMA-Factory/tree/main/data",
    ),
    Format(
        "POVID / LLaVA-DPO preferences",
        ("conversations", "rejected_conversations"),
        {
            "id": "0",
            "image": "a.png",
            "conversations": [
                _told("human", "<image>\nDescribe the bar."),
                _told("gpt", "A red bar."),
            ],
            "rejected_conversations": [
                _told("human", "<image>\nDescribe the bar."),
                _told("gpt", "A dog runs past."),
            ],
        },
        "a pair with its preference",
        where="https://github.com/YiyangZhou/POVID",
    ),
    Format(
        "LLaMA-Factory / ShareGPT {what}",
        ("conversations|messages",),
        {
            "conversations": [_told("human", "<image>What?"), _told("gpt", "A chart.")],
            "images": ["a.png"],
        },
        "a conversation, with `chosen` and `rejected` a pair",
        matches=_in_sharegpt,
        where="https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md",
        also=("LLaVA-Instruct", "ShareGPT4V", "LLaVA-Critic", "UnifiedReward", "Axolotl"),
    ),
    Format(
        "TRL messages: {what}",
        ("messages|conversations|conversation",),
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "image": "a.png"},
                        {"type": "text", "text": "Which colour is the bar?"},
                    ],
                },
                {"role": "assistant", "content": [{"type": "text", "text": "It is red."}]},
            ],
        },
        "a conversation",
        matches=lambda record: _turns_in(record, "messages", "conversations", "conversation"),
        where="https://huggingface.co/docs/trl/dataset_formats",
        also=("Unsloth vision conversations", "OpenAI and Fireworks fine-tuning", "Axolotl"),
    ),
    Format(
        "TRL conversational {what}",
        ("prompt|question|query|chosen",),
        {
            "images": ["a.png"],
            "prompt": [_turn("user", "Which colour is the bar?")],
            "chosen": [_turn("assistant", "It is red.")],
            "rejected": [_turn("assistant", "It is blue.")],
        },
        "a pair with its preference, with `completion` a question and its answer",
        matches=lambda record: _turns_in(record, "prompt", "question", "query", "chosen"),
        where="https://huggingface.co/docs/trl/dataset_formats",
        also=("RLAIF-V formatted", "LLaVA-Instruct-Mix"),
    ),
    Format(
        "Preferences",
        ("question|prompt|query", "chosen", "rejected"),
        {"image": "a.png", "question": "Which colour?", "chosen": "It is red.",
         "rejected": "It is blue."},
        "a pair with its preference",
        matches=lambda record: isinstance(record["chosen"], str),
        where="https://huggingface.co/docs/trl/dataset_formats",
        also=("SPA-VL", "MMPR", "MM-RLHF pairs"),
    ),
)  # fmt: skip
