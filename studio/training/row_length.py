"""Rows that cannot be trained on as they are: longer than may be, or refused by the chat template.

They are found in all rows, once for the same rows and model, and left out by their places, so that
every process, every start and every script of a run leaves out the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PretrainedConfig, ProcessorMixin

from studio.config import RunConfig
from studio.core.errors import DataError
from studio.core.paths import Workspace
from studio.data.image_headers import upright_size
from studio.data.trl_conversion import TrainingData
from studio.data.trl_format import ANSWERS, bare
from studio.models.chat_template import Shapes
from studio.models.image_tokens import Expansions, Kind, Size
from studio.models.row_tokens import TokenCounter, WrittenRow
from studio.training.model_digest import files_of, model_folder
from studio.training.planning.result_cache import code_of, keep_note, key_of, libraries, read_note
from studio.training.run_rows import RunData

FIELD, LIMIT = "data.too_long", "data.max_length"
NAMED = 5
OTHER_ROWS = (
    "Bring rows whose turns come in the order that the model knows, or choose another model."
)
AT_ONCE = 1_000
ROOM = 64
"""Tokens that a tokenizer may add to a text beyond one for each of its bytes."""
STUDIO = Path(__file__).parent.parent
CODE = tuple(STUDIO / name for name in ("training", "models", "data", "preflight"))


@dataclass(frozen=True)
class Unfit:
    """Why a row is left out.

    Attributes:
        tokens, images: All its tokens and those of its images, when it is too long.
        prompt: Whether its prompt alone is.
    """

    reason: str = ""
    tokens: int = 0
    images: int = 0
    prompt: bool = False


@dataclass(frozen=True)
class Findings:
    """What was found in the rows of a run; places are those in a split's dataset.

    Attributes:
        cut: Rows of the training split whose answers are cut.
        longest: The most tokens of a row, where rows were counted.
    """

    unfit: dict[str, dict[int, Unfit]] = field(default_factory=dict)
    cut: int = 0
    longest: int = 0

    @property
    def left_out(self) -> dict[str, dict[int, str]]:
        """Reasons by split and place."""
        return {
            split: {place: one.reason for place, one in rows.items()}
            for split, rows in self.unfit.items()
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Findings:
        """Return what `asdict` made, after JSON made texts of places."""
        unfit = {
            split: {int(place): Unfit(**one) for place, one in rows.items()}
            for split, rows in values["unfit"].items()
        }
        return cls(unfit, values["cut"], values["longest"])


@dataclass(frozen=True)
class Fitted:
    """The rows that are left, and sentences on the others."""

    data: RunData
    said: list[str]


def context_of(config: PretrainedConfig) -> int | None:
    """Return the most tokens that a model reads; None when it does not say."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def most_tokens(config: RunConfig, context: int | None) -> int | None:
    """Return the most tokens of a row: `data.max_length`, and never more than the model reads."""
    return min((n for n in (config.data.max_length, context) if n), default=None)


def cut_length(config: RunConfig, model: PretrainedConfig) -> int | None:
    """Return where TRL is to cut rows; None to cut nothing."""
    return most_tokens(config, context_of(model)) if config.data.too_long == "cut_answer" else None


def within_limit(config: RunConfig, tokens: int) -> int:
    """Return the tokens of a row that trains, for the plan: cut answers count up to `data.max_length`."""
    limit = config.data.max_length
    if limit is None or config.data.too_long != "cut_answer":
        return tokens
    return min(tokens, limit)


def fitted(
    config: RunConfig,
    data: RunData,
    processor: ProcessorMixin | None,
    context: int | None,
    workspace: Workspace,
) -> Fitted:
    """Leave out what cannot be trained on.

    Raises:
        DataError: No row would be left, or `data.too_long: refuse` meets a row that is too long.
    """
    limit = most_tokens(config, context)
    if processor is None:
        unknown = "Without the model's processor it is not known which rows are too long."
        return Fitted(data, [unknown] if limit else [])
    found = _found(config, data, processor, limit, workspace)
    long = {
        split: {place: one for place, one in rows.items() if one.tokens}
        for split, rows in found.unfit.items()
    }
    if config.data.too_long == "refuse" and any(long.values()):
        raise _refused(config, data, long, limit, context)
    for split, rows in found.unfit.items():
        part = data.part(split)
        if rows and len(rows) == part.used:
            too_long = len(long[split]) == part.used
            remedy = _remedy(config, limit, context, rows.values()) if too_long else OTHER_ROWS
            raise _nothing_left(split, part, found.left_out[split], remedy)
    said = [*_said_long(config, data, long, limit, context), *_said_refused(data, found)]
    if found.cut:
        share = found.cut / data.train.used
        said.append(
            f"The answers of {found.cut:,} of {data.train.used:,} rows ({share:.0%}) are cut at "
            f"{limit:,} tokens (the longest row has {found.longest:,}): they never learn to end."
        )
    return Fitted(data.without(found.left_out), said)


def _found(
    config: RunConfig,
    data: RunData,
    processor: ProcessorMixin,
    limit: int | None,
    workspace: Workspace,
) -> Findings:
    folder = model_folder(config.model)
    if folder is None:
        return _looked(config, data, processor, limit)
    key = key_of(
        (
            "unfit",
            data.identity,
            processor.to_dict(),
            list(files_of(folder)),
            (limit, config.method, config.data.too_long),
            libraries(),
            code_of(*CODE),
        )
    )
    file = workspace.unfit_rows / f"{key}.json"
    known = read_note(file, Findings.from_json)
    if known is not None:
        return known
    found = _looked(config, data, processor, limit)
    keep_note(file, asdict(found))
    return found


def _looked(
    config: RunConfig, data: RunData, processor: ProcessorMixin, limit: int | None
) -> Findings:
    cuts = config.data.too_long == "cut_answer"
    found = Findings()
    for split, part in (("train", data.train), ("evaluation", data.evaluation)):
        if part is None:
            continue
        unfit, cut, longest = _look(part, config.method, processor, limit, cuts)
        if split == "train":
            found = replace(found, cut=cut, longest=longest)
        found.unfit[split] = unfit
    return found


def _look(
    data: TrainingData, method: str, processor: ProcessorMixin, limit: int | None, cuts: bool
) -> tuple[dict[int, Unfit], int, int]:
    """Rows left out, the number of rows cut, and the tokens of the longest."""
    shapes, unfit = Shapes(processor), {}
    written: dict[int, tuple[WrittenRow, list[Size]]] = {}
    most: dict[int, int] = {}
    for place, row in enumerate(_rows(data.dataset)):
        prompt = bare(row["prompt"])
        answers = [bare(row[name]) for name in ANSWERS[method]]
        said = next(filter(None, (shapes.refusal(prompt, one) for one in answers)), "")
        if said:
            unfit[place] = Unfit(said)
        elif limit:
            sizes = [_size_of(image["path"]) for image in row["images"] or []]
            written[place] = WrittenRow(prompt, answers), sizes
            most[place] = ROOM + max(shapes.most_bytes(prompt, one) for one in answers)
    if not limit:
        return unfit, 0, 0
    counter = TokenCounter(processor)
    counted = _perhaps_longer(written, most, processor, limit)
    for place in counted:
        counter.add_written(*written[place])
    for _ in counter.expand():
        pass
    cut, longest = 0, 0
    for place, tokens in zip(counted, counter.rows(), strict=True):
        longest = max(longest, tokens.total)
        if tokens.total <= limit:
            continue
        if cuts and tokens.prompt < limit:
            cut += 1
            continue
        what = "its question alone has" if cuts else "it has"
        reason = f"longer than {limit:,} tokens" if not cuts else f"{what} {limit:,} tokens or more"
        unfit[place] = Unfit(reason, tokens.total, tokens.images, tokens.prompt >= limit)
    return dict(sorted(unfit.items())), cut, longest


def _perhaps_longer(
    written: Mapping[int, tuple[WrittenRow, list[Size]]],
    most: Mapping[int, int],
    processor: ProcessorMixin,
    limit: int,
) -> list[int]:
    """Rows that may have more than `limit` tokens: a token of text is a byte of it or more.

    Args:
        most: No fewer tokens than the text of each row has.
    """
    uses: Counter[Kind] = Counter(
        (len(sizes), size) for _, sizes in written.values() for size in sizes
    )
    tokens = {kind: found.tokens for kind, found in Expansions(processor).of(uses)} if uses else {}
    return [
        place
        for place, (_, sizes) in written.items()
        if sum(tokens[len(sizes), size] for size in sizes) + most[place] > limit
    ]


def _rows(dataset: Dataset) -> Iterable[dict[str, Any]]:
    table = dataset.with_format("arrow")
    for start in range(0, len(table), AT_ONCE):
        yield from table[start : start + AT_ONCE].to_pylist()


@lru_cache(maxsize=1 << 17)
def _size_of(path: str) -> Size:
    return upright_size(Path(path))


def _said_long(
    config: RunConfig,
    data: RunData,
    long: Mapping[str, Mapping[int, Unfit]],
    limit: int | None,
    context: int | None,
) -> list[str]:
    said = []
    for split, rows in long.items():
        if not rows:
            continue
        part = data.part(split)
        whose = "rows" if split == "train" else "rows to evaluate on"
        said.append(
            f"{len(rows):,} of {part.used:,} {whose} {'is' if len(rows) == 1 else 'are'} left out: "
            f"{_why(config, limit, context, rows)}: {_named(part, rows)}. "
            f"{_remedy(config, limit, context, rows.values())}"
        )
    return said


def _why(
    config: RunConfig, limit: int | None, context: int | None, rows: Mapping[int, Unfit]
) -> str:
    what = "more tokens than"
    if all(one.prompt for one in rows.values()) and config.data.too_long == "cut_answer":
        what = "no room for an answer within"
    if limit == context:
        return f"{what} the {limit:,} that {config.model.id} reads"
    return f"{what} the {limit:,} of {LIMIT}"


def _named(data: TrainingData, rows: Mapping[int, Unfit]) -> str:
    longest = sorted(rows, key=lambda place: (-rows[place].tokens, place))[:NAMED]
    names = [f"{data.names[place]} has {rows[place].tokens:,}" for place in longest]
    more = len(rows) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")


def _remedy(
    config: RunConfig, limit: int | None, context: int | None, rows: Iterable[Unfit]
) -> str:
    """What helps these rows: fewer pixels where images fill them, else a larger limit or less text."""
    rows = list(rows)
    images = sum(2 * one.images > one.tokens for one in rows)
    ways = []
    if limit != context:
        ways.append(f"raise {LIMIT}" + (f" (the model reads {context:,})" if context else ""))
    if images:
        ways.append("lower model.image.longest_edge or use fewer images")
    if images < len(rows):
        ways.append(f"shorten {'its text' if len(rows) == 1 else 'their texts'}")
    if not all(one.prompt for one in rows) and config.data.too_long != "cut_answer":
        answers = "its answer" if len(rows) == 1 else "their answers"
        ways.append(f"cut the end of {answers} with {FIELD}: cut_answer")
    text = ", or ".join(ways)
    return f"To train on {'it' if len(rows) == 1 else 'them'}, {text}."


def _refused(
    config: RunConfig,
    data: RunData,
    long: Mapping[str, Mapping[int, Unfit]],
    limit: int | None,
    context: int | None,
) -> DataError:
    rows = [one for part in long.values() for one in part.values()]
    named = [_named(data.part(split), part) for split, part in long.items() if part]
    every = {place: one for place, one in enumerate(rows)}
    return DataError(
        f"{len(rows):,} {'row has' if len(rows) == 1 else 'rows have'} "
        f"{_why(config, limit, context, every)}: {'; to evaluate on: '.join(named)}.",
        remedy=f"{_remedy(config, limit, context, rows)} {FIELD}: leave_out trains without them.",
        field=FIELD,
    )


def _said_refused(data: RunData, found: Findings) -> list[str]:
    said = []
    for split, rows in found.unfit.items():
        part = data.part(split)
        refused = {place: one.reason for place, one in rows.items() if not one.tokens}
        for reason in dict.fromkeys(refused.values()):
            places = [place for place, why in refused.items() if why == reason]
            names = ", ".join(str(part.names[place]) for place in places[:NAMED])
            more = f" and {len(places) - NAMED:,} more" if len(places) > NAMED else ""
            said.append(
                f"{len(places):,} of {part.used:,} rows are left out, because {reason}: {names}"
                f"{more}. Put their turns in the order that the model knows, question and answer "
                "in turn, or choose another model."
            )
    return said


def _nothing_left(
    split: str, data: TrainingData, rows: Mapping[int, str], remedy: str
) -> DataError:
    counts = Counter(rows.values()).most_common()
    why = "; ".join(f"{count:,}: {reason}" for reason, count in counts)
    names = ", ".join(str(data.names[place]) for place in sorted(rows)[:NAMED])
    held = split == "evaluation"
    return DataError(
        f"No row is left to {'evaluate' if held else 'train'} on. {why} ({names}).",
        remedy=remedy,
        field="data.evaluation" if held else "data.source",
    )
