"""A row of every known format, as its source has it; its images are beside it by name."""

from __future__ import annotations


def said(role: str, text: str, *, image: bool = False) -> dict:
    parts = [{"type": "image", "text": None}] if image else []
    return {"role": role, "content": [*parts, {"type": "text", "text": text}]}


PREFERENCE = {"chosen": [said("assistant", "yes")], "rejected": [said("assistant", "no")]}
CHARTQA = {"image": "a.png", "query": "How many?", "label": ["14"], "human_or_machine": 0}
RLAIF = {
    "ds_name": "RLAIF-V", "image": "a.png", "question": "What?", "chosen": "yes",
    "rejected": "no", "origin_dataset": "x", "origin_split": "{}", "idx": 7, "image_path": "p",
}  # fmt: skip
FORMATTED = {"images": ["a.png"], "prompt": [said("user", "Why?", image=True)], **PREFERENCE}
LLAVA = {
    "images": ["a.png"],
    "prompt": [{"role": "user", "content": "What colour?"}],
    "completion": [{"role": "assistant", "content": "Red."}],
}
VQAV2 = {"image": "a.png", "question": "q", "multiple_choice_answer": "2"}
GEOPERCEPTION = {"id": "x", "question": "q", "answer": "A", "predicate": "p", "image": "b.png"}
SHAREGPT = {
    "conversations": [
        {"from": "human", "value": "<image>What?"},
        {"from": "gpt", "value": "A chart."},
    ],
    "images": ["a.png"],
}
SHAREGPT_DPO = {
    "conversations": [{"from": "human", "value": "<image>What?"}],
    "chosen": {"from": "gpt", "value": "good"},
    "rejected": {"from": "gpt", "value": "bad"},
    "images": ["a.png"],
}
LLAMA_FACTORY = {
    "messages": [
        {"role": "user", "content": "<image>What?"},
        {"role": "assistant", "content": "A chart."},
    ],
    "images": ["a.png"],
}
TEXT_ONLY = {"images": [], "messages": [said("user", "Hi"), said("assistant", "Hello")]}
SEVERAL = {
    "images": ["a.png", "b.png"],
    "prompt": [said("user", "First?", image=True), said("assistant", "One."),
               said("user", "And this?", image=True)],
    **PREFERENCE,
}  # fmt: skip
LLAMA_FACTORY_DPO = {
    "messages": [{"role": "user", "content": "<image>What?"}],
    "chosen": {"role": "assistant", "content": "good"},
    "rejected": {"role": "assistant", "content": "bad"},
    "images": ["a.png"],
}
TURNS = [said("user", "What?", image=True), said("assistant", "Red.")]
IMAGE, IMAGES, NO_IMAGES = {"image": "a.png"}, {"images": ["a.png"]}, {"images": []}
SAID = {"prompt": "What?", "completion": "Red."}
CHAT = {"prompt": TURNS[:1], "completion": TURNS[1:]}
ASKED = {"prompt": [said("user", "What?")]}
TOLD = {**ASKED, "completion": [said("assistant", "Red.")]}
BETTER = {"prompt": "What?", "chosen": "x", "rejected": "y"}
WHOLE = {"chosen": TURNS, "rejected": [TURNS[0], said("assistant", "Blue.")]}
TRL_IMAGE = {**IMAGE, **BETTER}
SFT, DPO = "TRL conversational questions and answers", "TRL conversational preferences"
MESSAGES, PLAIN = "TRL messages: conversations", "Questions and answers"
SHARED_SFT = "LLaMA-Factory / ShareGPT conversations"
SHARED_DPO = "LLaMA-Factory / ShareGPT preferences"
FORMATS: dict[str, tuple[str, dict]] = {
    "ChartQA": ("ChartQA questions and answers", CHARTQA),
    "RLAIF-V-Dataset": ("RLAIF-V preferences", RLAIF),
    "rlaif-v_formatted": (DPO, FORMATTED),
    "llava-instruct-mix": (SFT, LLAVA),
    "vqav2-small": ("VQAv2 questions and answers", VQAV2),
    "Geoperception": ("Geoperception questions and answers", GEOPERCEPTION),
    "ShareGPT": (SHARED_SFT, SHAREGPT),
    "ShareGPT dpo": (SHARED_DPO, SHAREGPT_DPO),
    "LLaMA-Factory": (SHARED_SFT, LLAMA_FACTORY),
    "LLaMA-Factory dpo": (SHARED_DPO, LLAMA_FACTORY_DPO),
    "several images and turns": (DPO, SEVERAL),
    "image, messages": (MESSAGES, {**IMAGE, "messages": TURNS}),
    "images, messages": (MESSAGES, {**IMAGES, "messages": TURNS}),
    "images, messages as text": (MESSAGES, {**IMAGES, "messages": [
        {"role": "user", "content": "What?"}, {"role": "assistant", "content": "Red."}]}),
    "no images, messages": (MESSAGES, TEXT_ONLY),
    "image, prompt, completion": (SFT, {**IMAGE, **CHAT}),
    "images, prompt, completion": (SFT, {**IMAGES, **CHAT}),
    "no images, prompt, completion": (SFT, {**NO_IMAGES, **TOLD}),
    "image, prompt, completion as text": (PLAIN, {**IMAGE, **SAID}),
    "images, prompt, completion as text": (PLAIN, {**IMAGES, **SAID}),
    "no images, prompt, completion as text": (PLAIN, {**NO_IMAGES, **SAID}),
    "image, prompt, chosen, rejected": (DPO, {**IMAGE, "prompt": TURNS[:1], **PREFERENCE}),
    "images, the prompt in the answers": (DPO, {**IMAGES, **WHOLE}),
    "no images, prompt, chosen, rejected": (DPO, {**NO_IMAGES, **ASKED, **PREFERENCE}),
    "image, prompt, chosen, rejected as text": ("Preferences", TRL_IMAGE),
    "images, prompt, chosen, rejected as text": ("Preferences", {**IMAGES, **BETTER}),
    "no images, prompt, chosen, rejected as text": ("Preferences", {**NO_IMAGES, **BETTER}),
}  # fmt: skip
