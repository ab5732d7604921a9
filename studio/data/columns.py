"""Which column is what: guessed from names and values, overruled by an explicit mapping."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from studio.core.errors import DataError
from studio.data.conversation import ROLES, as_turns
from studio.data.record_fields import BINARY, Record, get, is_missing, parsed

Guess = dict[str, tuple[str, ...]]
"""Role → the columns it is read from, in their order."""

NAMES: dict[str, tuple[str, ...]] = {
    "image": (
        "image", "images", "image_path", "image_paths", "img", "img_path", "picture", "pictures",
        "file_name", "file_names", "filename", "image_file", "image_files", "image_file_name",
        "image_file_names", "image_bytes", "image_base64", "img_base64", "photo", "file",
        "image_url", "image_urls", "img_url", "图片", "图像", "照片", "图片路径",
    ),
    "video": ("video", "videos", "video_path", "video_file_name", "audio", "audios"),
    "rejected_image": ("rejected_images", "rejected_image"),
    "conversation": (
        "messages", "conversations", "conversation", "texts", "dialog", "dialogue", "turns",
        "contents", "对话",
    ),
    "question": (
        "question", "query", "prompt", "instruction", "problem", "ask", "input_text", "user",
        "user_prompt", "问题", "提问", "指令", "题目",
    ),
    "chosen": (
        "chosen", "chosen_response", "chosen_messages", "chosen_conversations", "chosen_answer",
        "preferred", "preferred_response", "preferred_output", "preferred_answer", "winner_response",
        "better_response", "accepted_response", "winning_response",
        "correct_response", "good_response", "y_w", "选中", "好的回答", "优选", "优选答案", "更好", "较好", "好答案", "偏好",
    ),
    "rejected": (
        "rejected", "rejected_response", "rejected_responses", "rejected_messages",
        "rejected_conversations", "rejected_conversation", "rejected_answer", "reject",
        "rejects", "dispreferred", "non_preferred_output", "non_preferred_response",
        "non_preferred", "loser_response", "worse_response",
        "losing_response", "incorrect_response", "bad_response", "y_l", "差的回答", "负选", "劣选", "劣选答案", "较差",
        "拒绝", "坏答案",
    ),
    "candidates": (
        "candidates", "responses", "completions", "outputs", "generations", "predictions",
        "model_responses", "answers", "候选", "候选答案",
    ),
    "verdict": (
        "label", "kto_tag", "is_good", "is_preferred", "desirable", "is_desirable", "thumb",
        "thumbs", "feedback", "accepted", "verdict", "is_correct", "correct", "correctness", "rating",
        "是否正确", "status", "review", "review_status", "decision", "judgement", "judgment",
        "审核", "审核结果",
    ),
    "answer": (
        "answer", "label", "multiple_choice_answer", "completion", "response", "output",
        "answers", "solution", "ground_truth", "gt_answer", "gt", "reference", "references",
        "reference_answer", "correct_answer", "correct_option", "answerkey", "correct_choice_idx", "answer_index", "answer_idx",
        "direct_answers", "caption", "captions", "sentences", "text", "target", "答案", "回答",
        "标准答案", "描述",
    ),
    "system": ("system", "system_prompt", "system_message", "系统", "系统提示"),
    "context": ("input", "context", "passage", "hint", "ocr_context", "上下文", "输入", "提示"),
    "choices": ("choices", "options", "option", "answer_choices", "选项"),
    "history": ("history", "历史"),
    "objects": ("objects",),
    "scores": ("scores", "ratings", "rewards"),
    "ranks": ("ranks", "rank"),
    "id": (
        "id", "question_id", "questionid", "uid", "idx", "index", "sample_id", "item_id",
        "instance_id", "pair_id", "key", "__key__", "编号", "序号",
    ),
    "chosen_author": ("chosen_author", "chosen_model"),
    "rejected_author": ("rejected_author", "rejected_model"),
    "answer_author": ("answer_author", "completion_author", "answer_model"),
}  # fmt: skip
FOR_MAPPING = (
    "accepted", "winner", "first", "second", "first_author", "second_author", "first_score",
    "second_score",
)  # fmt: skip
"""Roles that come from the shape of several columns or a mapping, not from one name."""
SAME_ROLE = {
    "images": "image",
    "prompt": "question",
    "query": "question",
    "label": "answer",
    "completion": "answer",
    "messages": "conversation",
    "conversations": "conversation",
}
ANSWERS = (
    "response", "answer", "output", "completion", "text", "candidate", "generation", "reply",
    "conversation", "caption", "model_output", "model_response", "chat", "messages", "回答", "答案",
)  # fmt: skip
"""What answers that stand side by side are called before `_a`, `1`, `_left`."""
SIDES = (("a", "b"), ("1", "2"), ("0", "1"), ("left", "right"), ("first", "second"))
WINNERS = (
    "winner", "preference", "preferred", "prefer", "prefer_response", "preferred_response",
    "better_response", "better_response_id", "better", "choice", "chosen", "selected", "pw",
    "vote", "label", "verdict", "pairwise", "comparison", "优选", "偏好", "更好",
)  # fmt: skip
OPPOSITES = (
    ("y_w", "y_l"), ("correct", "incorrect"), ("correct", "wrong"), ("right", "wrong"),
    ("win", "lose"), ("win", "loss"), ("winner", "loser"), ("winning", "losing"),
    ("better", "worse"), ("best", "worst"), ("good", "bad"), ("preferred", "dispreferred"),
    ("preferred", "non_preferred"), ("preferred", "unpreferred"), ("positive", "negative"),
    ("accepted", "rejected"), ("正例", "负例"), ("正确", "错误"),
)  # fmt: skip
"""Names of two answers of which the first is the better one; either alone says nothing."""
SIDE_SCORES = ("score", "rating", "reward", "grade", "points")
"""What the number of one of two answers is called; more is better."""
TIES = frozenset(
    ["tie", "tied", "both", "same", "equal", "draw", "neither", "none", "bothbad", "both_bad",
     "both_good", "bothgood", "tie_(bothbad)", "tie_(both_bad)", "equally_good", "equally_bad"]
)  # fmt: skip
ASKING = frozenset({"question", "conversation", "chosen", "rejected", "first", "history"})
"""Roles that hold a question, or answers that repeat it."""
STRUCTURED = ("conversation", "candidates", "choices", "history", "scores", "ranks")
ONLY: dict[str, type | tuple[type, ...]] = {
    "choices": (list, tuple, dict), "history": (list, tuple), "scores": (list, tuple),
    "ranks": (list, tuple), "context": str, "id": (str, int), "system": str,
}  # fmt: skip
NOT: dict[str, tuple[type, ...]] = {
    "image": (int, float), "chosen": (bool, int, float), "rejected": (bool, int, float),
}  # fmt: skip
"""The types of values that a role takes, or does not take."""
LETTERS = "ABCDEFGHIJ"
PICTURE = re.compile(r"\.(png|jpe?g|webp|gif|bmp|jfif|tiff?|avif|heic)$", re.IGNORECASE)
NUMBERED = re.compile(
    r"(?P<stem>.*(?:image|img|picture|photo|图片|图像).*?)_?(?P<number>\d+|[ab]|left|right)$"
)
YES = (
    "true", "good", "yes", "up", "desirable", "like", "positive", "1", "accept", "accepted",
    "correct", "thumbs_up", "approve", "approved", "是", "对", "正确", "通过",
)  # fmt: skip
NO = (
    "false", "bad", "no", "down", "undesirable", "dislike", "negative", "0", "-1", "reject",
    "rejected", "incorrect", "wrong", "thumbs_down", "disapproved", "declined", "否", "错", "错误", "不正确",
    "不通过", "未通过",
)  # fmt: skip
JUDGED = ("completion", "response", "output", "answer")
"""Texts that a verdict beside them is about, rather than being one themselves."""
OF_JUDGED = ("is_correct", "correct", "correctness", "rating", "是否正确")
"""Verdicts that say nothing without an answer, and whose numbers may be something else."""
VERDICT_WORDS = frozenset(YES + NO) - {"yes", "no", "up", "down", "positive", "negative", "like"}
OF_REVIEW = (
    "status",
    "review",
    "review_status",
    "decision",
    "judgement",
    "judgment",
    "审核",
    "审核结果",
)
"""Verdicts whose columns often hold something else: only words of a judgement count in them."""
PENDING = frozenset(
    ["pending", "todo", "to_do", "unreviewed", "in_review", "in review", "not reviewed", "待审核",
     "未审核"]
)  # fmt: skip
"""Words of a review that is still to come."""
OUTPUTS = ("output", "response", "completion")
"""Names of what a model said; several in one such column are no references."""
MARKED = ("labels", "label", "is_correct", "correct", "correctness", "verdicts", "verdict")
"""What lists are called that say of each answer whether it is right."""


@dataclass(frozen=True)
class SourceFacts:
    """What only many rows of a source tell.

    Attributes:
        text_asks: A column `text` beside images holds questions.
        zero_based: Columns that number the better of two answers 0 and 1, not 1 and 2.
        choices_from_one: Numbers of choices count from 1.
        scales: Columns whose numbers say how much better an answer is, which names none.
    """

    text_asks: bool = False
    zero_based: frozenset[str] = frozenset()
    choices_from_one: bool = False
    scales: frozenset[str] = frozenset()


def normal_name(name: object) -> str:
    """Return a column's name as names are compared: small letters, words joined by `_`."""
    return re.sub(r"[\s\-./]+", "_", str(name).strip()).casefold().strip("_")


def gather_facts(records: Iterable[Record]) -> SourceFacts:
    """Look at many rows for what no single row tells."""
    asked, told, from_one, from_zero = 0, 0, False, False
    numbers: dict[str, set[str]] = {}
    for record in records:
        chosen = choice_number(record)
        from_zero |= chosen == "first"
        from_one |= chosen == "last"
        for name, value in record.items():
            plain = normal_name(name)
            if plain == "text" and isinstance(value, str) and not is_missing(value):
                asked += value.rstrip().endswith(("?", "？"))
                told += 1
            elif plain in WINNERS and isinstance(value, (int, float, str)):
                numbers.setdefault(name, set()).add(str(value).removesuffix(".0"))
    zero = {name for name, values in numbers.items() if "0" in values and values <= {"0", "1"}}
    # Numbers that may begin at 0 and at 1 (0, 1 and 2 for a tie) name neither side for sure.
    scales = {
        name
        for name, values in numbers.items()
        if any(map(_is_degree, values)) or {"0", "2"} <= values
    }
    return SourceFacts(
        asked * 2 > told,
        frozenset(map(str, zero)),
        from_one and not from_zero,
        frozenset(map(str, scales)),
    )


def _is_degree(number: str) -> bool:
    """Whether a number can be no place of one of two answers: -2, 1.5, 4."""
    return bool(re.fullmatch(r"[+-]?\d+(\.\d+)?", number)) and number not in ("0", "1", "2")


def tells_by_number(record: Record) -> bool:
    """Return whether a number in a record says which of two answers is better, from 0 or from 1."""
    winner = guess_columns(record).get("winner", ())
    return bool(winner) and str(record[winner[0]]).removesuffix(".0") in ("0", "1", "2")


def choice_number(record: Record) -> str:
    """Say whether the answer is a number that only counting from 0 (`first`) or 1 (`last`) gives."""
    named = {normal_name(name): value for name, value in record.items()}
    choices = structured(next((named[n] for n in NAMES["choices"] if n in named), None))
    number = str(named.get("answer", "")).removesuffix(".0")
    if not isinstance(choices, list) or not number.isdecimal() or number in map(str, choices):
        return ""
    return "first" if int(number) == 0 else "last" if int(number) == len(choices) else ""


def guess_columns(record: Record, facts: SourceFacts = SourceFacts()) -> Guess:
    """Guess which columns of a record have which role, from their names and values."""
    columns = {name: value for name, value in record.items() if not is_missing(value)}
    named: dict[str, str] = {}
    for name in columns:
        named.setdefault(normal_name(name), name)
    guess: Guess = {}
    sides = {} if _has_preference(named, columns) else _sides(named, columns)
    if not sides:
        guess |= _opposites(named, columns)
    if sides:
        guess |= sides
        winner = _winner(named, columns, sides, facts)
        guess |= {"winner": (winner,)} if winner else {}
    taken = {column for names in guess.values() for column in names}
    for role in NAMES:
        if role in guess:
            continue
        if sides and role in ("candidates", "chosen", "rejected", "answer", "verdict"):
            continue
        column = _named(role, named, columns, taken)
        if column is not None:
            guess[role] = (column,)
            taken.add(column)
    _settle(guess, named, columns, facts)
    pictures = _pictures(named, columns, guess)
    return guess | ({"image": pictures} if pictures else {})


def _opposites(named: Mapping[str, str], columns: Record) -> Guess:
    """A better and a worse answer in columns that are called the opposite of each other."""
    for better, worse in OPPOSITES:
        texts = [columns[named[name]] for name in (better, worse) if name in named]
        if len(texts) == 2 and all(_is_text(text) for text in texts):
            asks = {"question": (named["x"],)} if better == "y_w" and "x" in named else {}
            return {"chosen": (named[better],), "rejected": (named[worse],), **asks}
    return {}


def _is_text(value: object) -> bool:
    """Whether a value is what somebody may have said, not a number or a verdict."""
    return (
        isinstance(value, str)
        and not re.fullmatch(r"[\d\s.,%+-]*", value)
        and read_verdict(value) is None
    )


def _has_preference(named: Mapping[str, str], columns: Record) -> bool:
    """Whether texts or turns are called chosen and rejected."""
    return all(
        any(name in named and _fits(role, columns[named[name]], name) for name in NAMES[role])
        for role in ("chosen", "rejected")
    )


def _named(role: str, named: Mapping[str, str], columns: Record, taken: set[str]) -> str | None:
    for name in NAMES[role]:
        column = named.get(name)
        if column is not None and column not in taken and _fits(role, columns[column], name):
            return column
    return None


def _settle(guess: Guess, named: Mapping[str, str], columns: Record, facts: SourceFacts) -> None:
    """Decide between roles that exclude each other."""
    _settle_choices(guess, columns)
    column = guess.get("answer", ("",))[0]
    if normal_name(column) == "answers" and _are_marked(columns[column], named, columns):
        guess["candidates"] = guess.pop("answer")
    if normal_name(column) in OUTPUTS and _are_several(columns[column]):
        # What models said: which of them is right is told by nobody (LLaMA-Factory's old pairs).
        guess["candidates"] = guess.pop("answer")
    if "candidates" in guess and {"chosen", "rejected"} & guess.keys():
        guess.pop("candidates")
    if not _asks(guess) and "text" in named:
        _settle_text(guess, named["text"], facts)
    if not _asks(guess) and "context" in guess:
        # LLaMA-Factory's and others' `input` without an instruction is the question itself.
        guess["question"] = guess.pop("context")
    answer = guess.get("answer", ("",))[0]
    if normal_name(answer) == "label" and not _asks(guess) and _is_number(columns[answer]):
        guess.pop("answer")  # the number of a class is no text to learn
    _settle_marks(guess, named)
    _settle_verdict(guess, named, columns)


def _settle_verdict(guess: Guess, named: Mapping[str, str], columns: Record) -> None:
    """Tell an answer from what is said about it."""
    name = guess.get("answer", ("",))[0]
    beside = next((named[n] for n in JUDGED if n in named and named[n] != name), None)
    judges = normal_name(name) in ("label", "answer") and "conversation" not in guess
    if judges and beside and "choices" not in guess and isinstance(columns[beside], str):
        said = str(columns[name]).strip().lower().removesuffix(".0")
        marked = normal_name(beside) != "answer" and said in VERDICT_WORDS
        if marked and (normal_name(name) == "label" or said in ("accept", "reject")):
            guess |= {"verdict": (name,), "answer": (beside,)}
    if "verdict" not in guess:
        return
    called = normal_name(guess["verdict"][0])
    if called in OF_REVIEW and not _has_answer(guess, columns):
        guess.pop("verdict")  # of a pair, or of a row without any answer
        return
    of_judged = called in OF_JUDGED
    if of_judged and (beside or "choices" in guess or not _has_answer(guess, columns)):
        guess.pop("verdict")  # it may be about the other text
    elif not _has_answer(guess, columns):
        guess["answer"] = guess.pop("verdict")


def _are_marked(value: object, named: Mapping[str, str], columns: Record) -> bool:
    """Whether a list beside a list of answers says which of them are right."""
    answers = structured(value)
    lists = (structured(columns[named[name]]) for name in MARKED if name in named)
    return isinstance(answers, list) and any(
        isinstance(marks, list)
        and len(marks) == len(answers) > 1
        and all(read_verdict(mark) is not None for mark in marks)
        for marks in lists
    )


def _settle_choices(guess: Guess, columns: Record) -> None:
    if "choices" not in guess and (lettered := _lettered(columns)):
        guess["choices"] = lettered
    if "choices" in guess and "question" not in guess:
        guess.pop("choices")
    if "conversation" in guess:
        guess.pop("question", None)
        guess.pop("choices", None)


def _lettered(columns: Record) -> tuple[str, ...]:
    """Columns that hold a choice each: `A`, `B` …; `option_a`, `option_b` …; `choice_1` …"""
    names = {normal_name(name) if len(name) > 1 else name: name for name in columns}
    for form in ("{0}", "option_{1}", "choice_{1}", "option{2}", "option_{2}", "choice_{2}"):
        marks = [form.format(letter, letter.lower(), n) for n, letter in enumerate(LETTERS, 1)]
        if marks[0] in names and marks[1] in names:
            return tuple(names[mark] for mark in marks if mark in names)
    return ()


def _settle_marks(guess: Guess, named: Mapping[str, str]) -> None:
    """Add what goes with several answers: scores and authors, or all that are accepted."""
    if "candidates" not in guess:
        guess.pop("scores", None)
        guess.pop("ranks", None)
    else:
        authors = next(
            (n for n in ("generation_models", "models", "model_names") if n in named), ""
        )
        guess |= {"candidate_authors": (named[authors],)} if authors else {}
    if guess.get("answer", ("answers",)) != ("answers",) and "answers" in named:
        taken = {column for names in guess.values() for column in names}
        guess |= {"accepted": (named["answers"],)} if named["answers"] not in taken else {}


def _are_several(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(v, str) for v in value)


def _has_answer(guess: Guess, columns: Record) -> bool:
    if "answer" in guess:
        return True
    turns = (
        as_turns(structured(columns[guess["conversation"][0]])) if "conversation" in guess else None
    )
    last = str((turns or [{}])[-1].get("role", (turns or [{}])[-1].get("from"))).lower()
    return ROLES.get(last) == "assistant"


def _asks(guess: Guess) -> bool:
    return "question" in guess or "conversation" in guess


def _settle_text(guess: Guess, text: str, facts: SourceFacts) -> None:
    """Decide whether a column `text` asks or answers (POPE, LLaVA-Bench; captions)."""
    answered = guess.get("answer", (text,)) != (text,)
    if (
        answered
        or facts.text_asks
        or ("id" in guess and normal_name(guess["id"][0]) == "question_id")
    ):
        guess["question"] = (text,)
        if not answered:
            guess.pop("answer", None)


def _fits(role: str, value: object, name: str = "") -> bool:
    held = structured(value) if role in STRUCTURED else value
    if role == "conversation":
        return as_turns(held) is not None
    if role == "candidates":
        return is_candidates(held, of_references=name == "answers")
    if role == "objects":
        return isinstance(held, dict) and ("bbox" in held or "ref" in held)
    if role == "verdict":
        return _is_verdict(name, value)
    if role in NOT:
        return not isinstance(held, NOT[role])
    return isinstance(held, ONLY.get(role, object)) and not (role == "id" and held is True)


def _is_verdict(name: str, value: object) -> bool:
    """Whether a value calls one answer good or bad; numbers called `label` are those of classes."""
    if name in OF_REVIEW:
        return isinstance(value, str) and value.strip().lower() in VERDICT_WORDS | PENDING
    if isinstance(value, bool):
        return True
    if name in OF_JUDGED:
        return (
            isinstance(value, str)
            and not value.strip().lstrip("-").isdecimal()
            and (read_verdict(value) is not None)
        )
    if name == "label":
        return isinstance(value, str) and value.strip().lower() in ("true", "false")
    return read_verdict(value) is not None


def structured(value: object) -> Any:
    """Return what a text stands for that writes a list or an object, else the value itself.

    JSON, and Python's way to write a list of texts (MMMU's options).
    """
    if not isinstance(value, str):
        return value
    found = parsed(value)
    if found is None and value.strip()[:1] == "[" and len(value) < 20_000:
        try:
            found = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
    return value if found is None else found


AUTHOR_KEYS = ("author", "model", "model_name", "source", "annotator")
SCORE_KEYS = ("score", "rating", "reward", "overall_rating", "overall", "overall_score")
RANK_KEYS = ("rank", "ranking", "position")


def is_candidates(value: object, *, of_references: bool = False) -> bool:
    """Return whether a value holds several answers to choose from.

    Args:
        of_references: The name says that all of them are right, unless each has an author.
    """
    if isinstance(value, dict):
        columns = list(value.values())
        if columns and all(isinstance(column, list) for column in columns):
            # Arrow's way to hold objects: a column for each of their fields.
            return not of_references and len({len(column) for column in columns}) == 1
        return len(value) > 1 and all(isinstance(text, str) for text in columns)
    if not isinstance(value, (list, tuple)):
        return False
    if not of_references:
        return True
    known = {*AUTHOR_KEYS, *SCORE_KEYS, *RANK_KEYS}
    return all(isinstance(part, dict) and ("text" in part or known & part.keys()) for part in value)


def read_verdict(value: object) -> bool | None:
    """Return whether a value calls an answer good; None when it says neither."""
    word = str(value).strip().lower().removesuffix(".0").replace(" ", "_")
    return True if word in YES else False if word in NO else None


def is_pending(value: object) -> bool:
    """Return whether a value says that an answer is still to be judged."""
    return str(value).strip().lower() in PENDING


def read_winner(value: object, columns: Sequence[str], zero_based: bool) -> int | None:
    """Return 0 or 1 for the better of two answers, -1 for a tie, None when it is not told.

    Args:
        columns: Names of the two columns that hold the answers, or what they go by.
        zero_based: Numbers mean 0 and 1, not 1 and 2.
    """
    if isinstance(value, dict):
        told = [name for name, mark in value.items() if read_verdict(mark)]
        value = told[0] if len(told) == 1 else None
    if isinstance(value, (list, tuple)):
        value = value[0] if len(value) == 1 else None
    if is_missing(value) or _is_degree(str(value).strip().removesuffix(".0")):
        return None
    word = normal_name(value).removesuffix("_0") if isinstance(value, float) else normal_name(value)
    names = [normal_name(name) for name in columns]
    if word in names:
        return names.index(word)
    if word in TIES:
        return -1
    ends = [_side_of(name) for name in names]
    word = re.sub(r"^(?:model|response|answer|output|option|assistant|side|text)_?", "", word)
    if word.isdecimal() and (zero_based or ends != ["0", "1"]):
        number = int(word) if zero_based else int(word) - 1
        return number if number in (0, 1) else None
    for one, two in (ends, *SIDES):
        if word in (one, two):
            return (one, two).index(word)
    return None


def _side_of(name: str) -> str:
    found = re.search(r"(?:_|(?<=\D))(\d|[ab]|left|right|first|second)(?:_[a-z]+)?$", name)
    return found[1] if found else name


def _sides(named: Mapping[str, str], columns: Record) -> Guess:
    """Two or more answers in columns of their own: `response_1`, `response_2`; `text_a`, `text_b`."""
    for stem in ANSWERS:
        for pair in SIDES:
            for form in ("{stem}_{side}", "{stem}{side}", "{side}_{stem}"):
                found = [named.get(form.format(stem=stem, side=side)) for side in pair]
                if None in found or not all(_is_answer(columns[str(name)]) for name in found):
                    continue
                guess: Guess = {"first": (str(found[0]),), "second": (str(found[1]),)}
                more = [named.get(form.format(stem=stem, side=side)) for side in "cd34"]
                if rest := [name for name in more if name]:
                    return {"candidates": tuple(map(str, (*found, *rest)))}
                for role, side in zip(("first_author", "second_author"), pair, strict=True):
                    told = (f"model_{side}", f"{stem}_{side}_model", f"{stem}{side}_model",
                            f"{stem}_{side}_author", f"{stem}{side}_author")  # fmt: skip
                    author = next((named[name] for name in told if name in named), None)
                    guess |= {role: (author,)} if author else {}
                return guess | _side_scores(named, columns, stem, pair)
    return {}


def _side_scores(
    named: Mapping[str, str], columns: Record, stem: str, pair: tuple[str, str]
) -> Guess:
    """The numbers that two answers were given, where both have one of a name."""
    for word in SIDE_SCORES:
        for form in ("{word}_{side}", "{word}{side}", "{stem}_{side}_{word}", "{side}_{word}"):
            found = [named.get(form.format(word=word, stem=stem, side=side)) for side in pair]
            if None not in found and all(_is_number(columns[str(name)]) for name in found):
                return {"first_score": (str(found[0]),), "second_score": (str(found[1]),)}
    return {}


def _is_answer(value: object) -> bool:
    return isinstance(value, (str, list, tuple, dict)) and not PICTURE.search(str(value)[-8:])


def _winner(
    named: Mapping[str, str], columns: Record, sides: Guess, facts: SourceFacts
) -> str | None:
    if "first" not in sides:
        return None
    pair = (sides["first"][0], sides["second"][0])
    authors = [
        columns[sides[f"{side}_author"][0]]
        for side in ("first", "second")
        if f"{side}_author" in sides
    ]
    for name in WINNERS:
        column = named.get(name)
        if column in facts.scales:
            continue
        if column and column not in pair and read_winner(columns[column], pair, False) is not None:
            return column
        if column and (
            str(columns[column]).strip() in ("0", "1", "2") or columns[column] in authors
        ):
            return column
    return None


def _pictures(named: Mapping[str, str], columns: Record, guess: Guess) -> tuple[str, ...]:
    """The columns of images: by name, numbered, else by what they hold."""
    used = {column for role, names in guess.items() if role != "image" for column in names}
    numbered: dict[str, list[tuple[str, str]]] = {}
    for name, column in named.items():
        found = NUMBERED.fullmatch(name)
        if found and column not in used and looks_like_picture(columns[column]):
            numbered.setdefault(found["stem"].strip("_"), []).append((found["number"], column))
    by_name, others = guess.get("image", ()), _holding(columns, used)
    inside = [name for name in others if _is_content(columns[name])]
    if by_name and inside and isinstance(columns[by_name[0]], str) and by_name[0] not in inside:
        return (inside[0],)  # the image itself, beside the name it once had
    if by_name and (looks_like_picture(columns[by_name[0]]) or not others):
        return by_name
    for several in numbered.values():
        order = sorted(several, key=lambda one: (one[0].zfill(4), one[1]))
        return tuple(column for _, column in order)
    if others:
        return (others[0],)
    for name in ("image_id", "img_id"):
        if name in named and named[name] not in used:
            return (named[name],)
    return ()


def _holding(columns: Record, used: set[str]) -> list[str]:
    """Columns that hold images or names of image files, whatever they are called."""
    found = [
        name
        for name, value in columns.items()
        if name not in used
        and looks_like_picture(value)
        and not re.search(r"rejected|mask|depth|thumbnail|video", normal_name(name))
    ]
    return sorted(found, key=lambda name: not re.search("image|img|图", normal_name(name)))


def _is_content(value: object) -> bool:
    """Whether a value is the bytes of an image, not a name."""
    return isinstance(value, BINARY) or (isinstance(value, dict) and bool(value.get("bytes")))


def looks_like_picture(value: object) -> bool:
    """Return whether a value is an image, the name of an image file, or a list of those."""
    value = structured(value) if isinstance(value, str) and value[:1] == "[" else value
    if isinstance(value, (list, tuple)):
        there = [part for part in value if not is_missing(part)]
        return bool(there) and looks_like_picture(there[0])
    if isinstance(value, dict):
        return any(
            isinstance(value.get(key), (*BINARY, str)) and bool(value.get(key))
            for key in ("bytes", "path", "url", "src", "filename", "file_name", "base64")
        )
    if isinstance(value, BINARY):
        return True
    if not isinstance(value, str):
        return False
    return value.startswith(("data:image/", "iVBORw0KGgo", "/9j/")) or bool(
        PICTURE.search(value.split("?")[0].rstrip()[-8:]) or PICTURE.search(value.rstrip()[-8:])
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def split_mapping(
    explicit: Mapping[str, str] | None, known: Sequence[str]
) -> tuple[Guess, dict[str, str], set[str]]:
    """Read a mapping (role → path) given by hand.

    A path may lead into nested fields, several stand with commas between them, and `=text` gives
    every row the same text. An empty path takes the role away.

    Args:
        known: Columns and paths of the source, for hints.

    Returns:
        The columns by role, the constants by role, and the roles taken away.

    Raises:
        DataError: For a role there is none of, or a column that is not there; `field` is
            `data.columns.<role>`.
    """
    columns: Guess = {}
    constants: dict[str, str] = {}
    away: set[str] = set()
    for given, path in (explicit or {}).items():
        role = _known_role(given)
        if path.startswith("="):
            constants[role] = path[1:]
        elif not path:
            away.add(role)
        else:
            paths = [path] if path in known else [one.strip() for one in path.split(",")]
            for one in paths:
                _check_column(one, given, known)
            columns[role] = tuple(paths)
    return columns, constants, away


def _known_role(role: str) -> str:
    roles = (*NAMES, *FOR_MAPPING, *SAME_ROLE)
    if role in roles:
        return SAME_ROLE.get(role, role)
    near = get_close_matches(role, roles, 1)
    raise DataError(
        f"There is nothing called {role!r} to map a column to.",
        remedy=f"Did you mean {near[0]!r}?" if near else f"Use one of: {', '.join(NAMES)}.",
        field=f"data.columns.{role}",
    )


def _check_column(path: str, role: str, known: Sequence[str]) -> None:
    if path in known or any(one.startswith((f"{path}.", f"{path}[]")) for one in known):
        return
    near = get_close_matches(path, known, 1, cutoff=0.4)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise DataError(
        f"There is no column {path!r}.",
        remedy=f"{hint}The columns are: {', '.join(known)}.",
        field=f"data.columns.{role}",
    )


def values_at(record: Record, paths: Sequence[str]) -> Any:
    """Return what stands at one path, or the list of what stands at several, those missing left out."""
    if len(paths) == 1:
        return get(record, paths[0])
    return [value for value in (get(record, path) for path in paths) if not is_missing(value)]
