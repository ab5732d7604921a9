"""What a model's chat template makes of conversations: what it refuses, leaves out, asks and ends.

Everything is found out by writing small conversations with it, never by reading its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import jinja2
import transformers
from transformers import ProcessorMixin

from studio.core.errors import ModelError, first_line
from studio.data.template_adaptation import THOUGHT, Fit
from studio.models.answer_spans import shared_start

REFUSALS = (jinja2.TemplateError, TypeError, ValueError, KeyError, IndexError, AttributeError)
SYSTEM, ASKED, SAID = "qsysq", "qaskq", "qsaidq"
SHOWN = 40
Message = dict[str, Any]


def turn(role: str, text: str, images: int = 0) -> Message:
    """Return a message as chat templates take it: image places, then text."""
    return {
        "role": role,
        "content": [{"type": "image"}] * images + [{"type": "text", "text": text}],
    }


def written(processor: ProcessorMixin, messages: Sequence[Message], *, asking: bool = False) -> str:
    """Return a conversation as text.

    Args:
        asking: Up to the place where the next answer begins.

    Raises:
        REFUSALS: The template refuses it.
    """
    return processor.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=asking
    )


def refusal(processor: ProcessorMixin, messages: Sequence[Message], *, asking: bool = False) -> str:
    """Return what the template says against a conversation; empty when it takes it."""
    try:
        written(processor, messages, asking=asking)
    except REFUSALS as error:
        return first_line(error).rstrip(".") or type(error).__name__
    return ""


def ensure_usable(processor: ProcessorMixin, name: str) -> None:
    """Refuse a template that cannot ask about an image.

    Raises:
        ModelError: It fails, is written for plain text, or leaves out images or texts.
    """
    question = [turn("user", ASKED, images=1)]
    said = refusal(processor, question, asking=True)
    fault, text = "", ""
    if said:
        fault = f"fails on a question about an image: {said}"
    else:
        text = written(processor, question, asking=True)
    if not fault and ("'type'" in text or '"type"' in text):
        fault = "is written for plain text: it has no place for images"
    elif not fault and ASKED not in text:
        fault = "leaves out what is asked"
    elif not fault and not _has_image(processor, text):
        fault = "has no place for images: it leaves them out"
    if fault:
        raise ModelError(
            f"The chat template of {name} {fault}.",
            remedy="Choose the version of the model that is tuned for questions about images, or "
            "put its chat template for images into chat_template.jinja of a copy of its folder.",
            field="model.id",
        )


def fit_of(processor: ProcessorMixin) -> Fit:
    """Return how rows must be changed so that the template takes them and earlier answers can be
    scored.
    """
    return Fit(system=takes_system(processor), apart=_apart(processor))


def takes_system(processor: ProcessorMixin) -> bool:
    """Return whether the template writes a system turn; some refuse it, some leave it out."""
    messages = [turn("system", SYSTEM), turn("user", ASKED)]
    return not refusal(processor, messages, asking=True) and SYSTEM in written(
        processor, messages, asking=True
    )


def unasked(processor: ProcessorMixin) -> str:
    """Return what the question ends with in chat and not in training, such as `<think>`; or
    nothing.

    Training follows a conversation as the template writes it with its answer.
    """
    asked = [turn("user", ASKED)]
    answered = [*asked, turn("assistant", SAID)]
    if refusal(processor, asked, asking=True) or refusal(processor, answered):
        return ""
    prompt, whole = written(processor, asked, asking=True), written(processor, answered)
    return prompt[shared_start(prompt, whole) :]


def ends_answers(processor: ProcessorMixin) -> bool:
    """Return whether the template writes a token behind an answer that can end it."""
    answered = [turn("user", ASKED), turn("assistant", SAID)]
    if refusal(processor, answered):
        return True
    _, found, rest = written(processor, answered).rpartition(SAID)
    added = processor.tokenizer.added_tokens_decoder
    special = {number for number, token in added.items() if token.special}
    special.add(processor.tokenizer.eos_token_id)
    return not found or bool(special & set(_ids(processor, rest)))


def template_cautions(processor: ProcessorMixin, name: str) -> list[tuple[str, str, str]]:
    """Return what trains, but probably not as meant: (kind, sentence, remedy) for each."""
    found = []
    extra = unasked(processor)
    if extra:
        shown = repr(extra[:SHOWN])
        found.append(
            (
                "asked_elsewhere",
                f"The chat template of {name} ends a question with {shown} in chat, but writes no "
                "such thing before an answer: answers are trained where they will not be asked for.",
                "Use a template without it in chat_template.jinja of a copy of the model's folder, "
                "or write answers that begin with it.",
            )
        )
    if not ends_answers(processor):
        end = processor.tokenizer.eos_token
        behind = f"put {end} behind an answer" if end else "put an end token behind an answer"
        found.append(
            (
                "no_end_token",
                f"The chat template of {name} writes no end token behind an answer: training does "
                "not teach to stop, and the trained model may go on without end.",
                f"In chat_template.jinja of a copy of the model's folder, {behind}.",
            )
        )
    return found


@dataclass
class Shapes:
    """Which conversations the template refuses, found out once for each order of turns and parts."""

    processor: ProcessorMixin
    _known: dict[tuple, str] = field(default_factory=dict)
    _around: dict[tuple, int] = field(default_factory=dict)

    def refusal(self, prompt: Sequence[Message], answer: Sequence[Message] = ()) -> str:
        """Return why a row cannot be trained on; empty when it can.

        Args:
            answer: The turn that follows the prompt; nothing when there is none yet.
        """
        turns = [*prompt, *answer]
        shape = _shape(turns)
        if shape not in self._known:
            self._known[shape] = self._found(prompt, turns)
        return self._known[shape]

    def most_bytes(self, prompt: Sequence[Message], answer: Sequence[Message]) -> int:
        """Return the bytes of a row as the template writes it; it must not be refused."""
        turns = [*prompt, *answer]
        shape = _shape(turns)
        texts = sum(map(_bytes, (p.get("text") or "" for m in turns for p in m["content"])))
        if shape not in self._around:
            self._around[shape] = max(0, _bytes(written(self.processor, turns)) - texts)
        return texts + self._around[shape]

    def _found(self, prompt: Sequence[Message], turns: Sequence[Message]) -> str:
        said = refusal(self.processor, prompt, asking=True) or refusal(self.processor, turns)
        if said:
            return f"the model's chat template refuses it: {said}"
        images = sum(part["type"] == "image" for m in prompt for part in m["content"])
        places = written(self.processor, prompt, asking=True).count(_image_token(self.processor))
        if 0 < places < images:
            return f"the model's chat template leaves out {images - places} of its {images} images"
        return "" if places or not images else self._without(prompt, images)

    def _without(self, prompt: Sequence[Message], images: int) -> str:
        """For templates whose images have another token: whether any is written."""
        if _has_image(self.processor, written(self.processor, prompt, asking=True)):
            return ""
        return f"the model's chat template leaves out its {images} images"


def _shape(turns: Sequence[Message]) -> tuple:
    return tuple((m["role"], *(part["type"] for part in m["content"])) for m in turns)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _apart(processor: ProcessorMixin) -> Literal["never", "thought", "always"]:
    if isinstance(processor, transformers.PaliGemmaProcessor) or not processor.tokenizer.is_fast:
        return "always"  # it reads its prompt in both directions; no places of texts are known
    if not _earlier_stays(processor, SAID):
        return "always"
    thought = f"<think>\n{SYSTEM}\n{THOUGHT}\n\n{SAID}"
    return "never" if _earlier_stays(processor, thought) else "thought"


def _earlier_stays(processor: ProcessorMixin, answer: str) -> bool:
    """Whether a conversation begins with what was written when its first answer was the last."""
    asked = [turn("user", ASKED)]
    answered = [*asked, turn("assistant", answer)]
    again = [*answered, turn("user", ASKED)]
    if refusal(processor, again, asking=True) or refusal(processor, answered):
        return True  # such rows are refused by themselves
    first = written(processor, answered)
    start = shared_start(written(processor, asked, asking=True), first)
    return answer in first[start:] and written(processor, again, asking=True).startswith(first)


def _has_image(processor: ProcessorMixin, text: str) -> bool:
    token = _image_token(processor)
    if token in text:
        return True
    added = {t.content for t in processor.tokenizer.added_tokens_decoder.values()}
    without = written(processor, [turn("user", ASKED)], asking=True)
    return any(text.count(one) > without.count(one) for one in added)


def _image_token(processor: ProcessorMixin) -> str:
    return str(getattr(processor, "image_token", None) or "<image>")


def _ids(processor: ProcessorMixin, text: str) -> list[int]:
    return list(processor.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []
