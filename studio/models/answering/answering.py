"""One base model in memory, asked many rows in its own name and in that of adapters on it.

answering = Answering(load_model(config), config, ImageStore(workspace), AnswerSettings())
found = answering.answers(rows, [Contestant("base"), Contestant("run", run.paths.adapter)])
found.by_name["run"][0].text
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from studio.config.model import ModelConfig
from studio.core.errors import DataError, InputError, NotFoundError, StoppedError
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.models.adapter_config import WEIGHTS
from studio.models.answering.answer_progress import Progress, Round, Sheet, Stopped
from studio.models.answering.batches import batches, windows
from studio.models.answering.decoder import Decoder, Group, TokenRow, obstacle
from studio.models.answering.image_bank import ImageBank, free_memory, open_bank
from studio.models.answering.kept_answers import KeptAnswers, digest_of_folder, key_of
from studio.models.answering.row_prompts import PromptWriter, RowPrompt
from studio.models.answering.sampling_settings import Draw
from studio.models.answering.settings import (
    AnswerSettings,
    Contestant,
    Results,
    RowAnswer,
    RowSamples,
    RowScores,
)
from studio.models.answering.tasks import Answers, Samples, Scores, Task
from studio.models.image_features.cache_key import model_fingerprint
from studio.models.image_features.families import FAMILIES
from studio.models.load import Loaded
from studio.models.loaded_adapters import AdapterShelf
from studio.models.oom import MEMORY_ERRORS, ran_out
from studio.models.prompts import EvalExample

logger = logging.getLogger(__name__)

DESCRIPTION = "adapter_config.json"
NO_MEMORY = "Memory ran out even for this row alone; use smaller images or a shorter answer."


def never() -> bool:
    """Return False: nobody stops it."""
    return False


def silent(done: int, total: int, left: float | None) -> None:
    """Tell nobody."""


class Answering:
    """Answers and scores rows; the same as one row at a time, with nothing computed twice.

    What makes one row impossible (its image is gone, it is too long) becomes that row's reason. The
    model must not be used by anybody else meanwhile.

    Attributes:
        obstacle: Why rows go through the model's own `generate`, with images encoded for each of
            them; empty when they do not.
    """

    def __init__(
        self,
        loaded: Loaded,
        model: ModelConfig,
        images: ImageStore,
        settings: AnswerSettings | None = None,
    ) -> None:
        self.loaded = loaded
        self.settings = settings or AnswerSettings()
        loaded.model.eval()
        self.obstacle = obstacle(loaded.model)
        self._fingerprint = model_fingerprint(loaded.model, loaded.processor, loaded.device.type)
        self._own = ImageBank(loaded) if self.obstacle else self._opened()
        self._banks: dict[str, ImageBank] = {}
        self._shelf = AdapterShelf(loaded.model, model)
        self._decoder = Decoder(loaded.model, loaded.processor)
        self._writer = PromptWriter(loaded.model, loaded.processor, images)
        self._size = self.settings.batch_size
        self._compared: set[int] = set()

    @property
    def encoded(self) -> int:
        """How many times an image went through the vision tower to have its features kept."""
        return sum(bank.encoded for bank in (self._own, *self._banks.values()))

    def answers(
        self,
        rows: Sequence[Row],
        contestants: Sequence[Contestant],
        *,
        stopped: Stopped = never,
        progress: Progress = silent,
    ) -> Results[RowAnswer]:
        """Answer every row as each contestant.

        Raises:
            InputError: Two contestants have one name.
            ModelError: An adapter cannot be used.
        """
        task = Answers(self.settings.max_new_tokens)
        return self._work(task, rows, contestants, stopped, progress)

    def samples(
        self,
        rows: Sequence[Row],
        draws: Sequence[Draw],
        contestants: Sequence[Contestant],
        *,
        stopped: Stopped = never,
        progress: Progress = silent,
    ) -> Results[RowSamples]:
        """Write several answers to every row as each contestant, one for each draw.

        What a row begins with is read once for all of them.

        Raises:
            InputError: Two contestants have one name, or there is no draw.
            ModelError: An adapter cannot be used.
        """
        if not draws:
            raise InputError("No answers are asked for.", remedy="Ask for one or more.")
        task = Samples(self.settings.max_new_tokens, tuple(draws))
        return self._work(task, rows, contestants, stopped, progress)

    def scores(
        self,
        rows: Sequence[Row],
        answers: Sequence[Sequence[str]],
        contestants: Sequence[Contestant],
        *,
        stopped: Stopped = never,
        progress: Progress = silent,
    ) -> Results[RowScores]:
        """Score the given answers to every row as each contestant.

        Args:
            answers: For each row those to be scored; a chosen and a rejected one, say.

        Raises:
            InputError: Two contestants have one name, or rows and answers differ in number.
            ModelError: An adapter cannot be used.
        """
        if len(rows) != len(answers):
            raise InputError(f"{len(answers)} lists of answers for {len(rows)} rows.")
        return self._work(Scores(answers), rows, contestants, stopped, progress)

    def activate(self, contestant: Contestant) -> None:
        """Make the model answer as this contestant. Raises ModelError."""
        self._shelf.activate(contestant.adapter, same_base=contestant.same_base)

    def _work(
        self,
        task: Task[Any],
        rows: Sequence[Row],
        contestants: Sequence[Contestant],
        stopped: Stopped,
        progress: Progress,
    ) -> Results[Any]:
        if len({contestant.name for contestant in contestants}) < len(contestants):
            raise InputError(
                "Two contestants have one name.", remedy="Name every contestant differently."
            )
        sheets = [self._sheet(task, contestant, rows) for contestant in contestants]
        round_ = Round(task, sheets, stopped, progress)
        halted = False
        try:
            self._all(self._prompts(rows, round_), round_)
        except StoppedError:
            halted = True
        finally:
            self._shelf.activate(None)
        entries = {sheet.contestant.name: sheet.entries for sheet in sheets}
        return Results(entries, halted, round_.known, self._notes(sheets))

    def _sheet(self, task: Task[Any], contestant: Contestant, rows: Sequence[Row]) -> Sheet:
        adapter = ""
        if contestant.adapter is not None:
            adapter = digest_of_folder(contestant.adapter, (DESCRIPTION, WEIGHTS))
        kept = KeptAnswers(self.settings.answers, key_of(self._fingerprint, adapter))
        keys = [
            key_of(row.images, self._writer.turns(row), task.asked(number))
            for number, row in enumerate(rows)
        ]
        entries = [_read(task, kept.get(key)) for key in keys]
        return Sheet(contestant, adapter, kept, keys, entries)

    def _notes(self, sheets: Sequence[Sheet]) -> tuple[str, ...]:
        notes = [sheet.kept.full for sheet in sheets]
        notes += [bank.cache.full for bank in (self._own, *self._banks.values()) if bank.cache]
        if self.obstacle:
            notes.append(f"Images were encoded for each question anew: {self.obstacle}.")
        if self._size < self.settings.batch_size:
            notes.append(f"Memory was too small for batches of more than {self._size}.")
        return tuple(dict.fromkeys(note for note in notes if note))

    def _prompts(self, rows: Sequence[Row], round_: Round) -> list[RowPrompt]:
        """The rows that somebody has yet to answer, as text."""
        found = []
        for number, row in enumerate(rows):
            if not round_.wants(number):
                continue
            try:
                found.append(self._writer.prompt(number, row))
            except (DataError, NotFoundError) as error:
                logger.info("Row %s cannot be asked: %s", row.external_id, error)
                round_.refuse(number, str(error))
        return found

    def _all(self, prompts: Sequence[RowPrompt], round_: Round) -> None:
        plain = [prompt for prompt in prompts if not self._is_shared(prompt)]
        for window in windows([p for p in prompts if self._is_shared(p)], self._size):
            if self.obstacle or not self._window(window, round_):
                plain += window
        for sheet in round_.sheets if plain else ():
            self.activate(sheet.contestant)
            self._plainly(plain, sheet, round_)

    def _is_shared(self, prompt: RowPrompt) -> bool:
        if self.obstacle:
            return False
        return len(prompt.images) < 2 or not FAMILIES[self.loaded.model.config.model_type].alone

    def _window(self, prompts: Sequence[RowPrompt], round_: Round) -> bool:
        """Do all contestants' work on some prompts; false when they need the plain way."""
        for sheet in round_.sheets:
            missing = [prompt for prompt in prompts if sheet.entries[prompt.number] is None]
            if not missing:
                continue
            round_.check()
            self.activate(sheet.contestant)
            bank = self._bank(sheet)
            bank.hold((image for prompt in prompts for image in prompt.images), round_.check)
            if not self._compare(missing, bank):
                return False
            self._decode(missing, bank, sheet, round_)
        return True

    def _opened(self, adapter: str = "") -> ImageBank:
        settings = self.settings
        return open_bank(self.loaded, settings.features, settings.feature_bytes, adapter)

    def _bank(self, sheet: Sheet) -> ImageBank:
        """Features as the active contestant's vision tower makes them."""
        folder = sheet.contestant.adapter
        if folder is None or not self._shelf.touched(folder) & {"vision", "projector"}:
            return self._own
        if sheet.adapter not in self._banks:
            self._banks[sheet.adapter] = self._opened(sheet.adapter)
        return self._banks[sheet.adapter]

    def _compare(self, prompts: Sequence[RowPrompt], bank: ImageBank) -> bool:
        """Whether the model's processor makes the same tokens of one row with as many images."""
        for prompt in prompts:
            count = len(prompt.images)
            if count in self._compared or any(key in bank.failed for key in prompt.keys):
                continue
            try:
                row = self._writer.token_row(
                    prompt, bank.expansions, bank.features, number=prompt.number
                )
            except DataError:
                continue  # too long: it gets its reason later
            if not self._writer.same_as_processor(prompt, row):
                self.obstacle = "the processor makes other tokens of a prompt than expected"
                return False
            self._compared.add(count)
        return True

    def _decode(
        self, prompts: Sequence[RowPrompt], bank: ImageBank, sheet: Sheet, round_: Round
    ) -> None:
        rows: list[TokenRow] = []
        parts = _Parts()
        for prompt in prompts:
            try:
                bank.refuse(prompt.images)
                made = round_.task.token_rows(self._writer, prompt, bank)
            except DataError as error:
                round_.refuse(prompt.number, str(error), [sheet])
                continue
            if not made:  # no answer is to be scored
                round_.take(sheet, {prompt.number: round_.task.found(self._decoder, [], 0.0)})
            parts.add(prompt.number, made)
            rows += made
        waiting = batches(rows, round_.task.size(self._decoder, rows, self._size))
        while waiting:
            round_.check()
            batch = waiting.pop(0)
            began = time.perf_counter()
            outputs = self._computed(batch, round_)
            if outputs is None:
                waiting = self._smaller(batch, waiting, sheet, round_, parts)
                continue
            seconds = (time.perf_counter() - began) / len(outputs)
            whole = parts.take(outputs)
            results = {
                number: round_.task.found(self._decoder, made, seconds * len(made))
                for number, made in whole.items()
            }
            round_.take(sheet, results)

    def _computed(self, batch: Sequence[Group], round_: Round) -> Mapping[int, Any] | None:
        """What the decoder makes of a batch; None when memory ran out."""
        try:
            return round_.task.compute(self._decoder, batch, round_.stopped)
        except MEMORY_ERRORS as error:
            if not ran_out(error):
                raise
            logger.warning("Memory ran out for %s rows.", sum(map(len, batch)), exc_info=True)
        return None

    def _smaller(
        self,
        batch: Sequence[Group],
        waiting: Sequence[Sequence[Group]],
        sheet: Sheet,
        round_: Round,
        parts: _Parts,
    ) -> list[list[list[TokenRow]]]:
        """What is still to be computed, in batches of half the size that memory was too small for."""
        free_memory()
        rows = [row for group in batch for row in group]
        rest = [row for later in waiting for group in later for row in group]
        if len(rows) == 1:
            round_.refuse(parts.owner[rows[0].number], NO_MEMORY, [sheet])
            rows = []
        self._size = max(1, min(self._size, len(rows) // 2))
        return batches([*rows, *rest], self._size)

    def _plainly(self, prompts: Sequence[RowPrompt], sheet: Sheet, round_: Round) -> None:
        """Rows through the model's own `generate`, in batches with equally many images."""
        waiting = [prompt for prompt in prompts if sheet.entries[prompt.number] is None]
        waiting.sort(key=lambda prompt: (len(prompt.images), len(prompt.text)))
        while waiting:
            round_.check()
            count = len(waiting[0].images)
            batch = [p for p in waiting[: self._size] if len(p.images) == count]
            waiting = waiting[len(batch) :]
            if not self._plain_batch(self._opened_images(batch, sheet, round_), sheet, round_):
                self._size = max(1, len(batch) // 2)
                waiting = batch + waiting

    def _opened_images(
        self, batch: Sequence[RowPrompt], sheet: Sheet, round_: Round
    ) -> list[tuple[RowPrompt, EvalExample]]:
        found = []
        for prompt in batch:
            try:
                found.append((prompt, prompt.example()))
            except DataError as error:
                round_.refuse(prompt.number, str(error), [sheet])
        return found

    def _plain_batch(
        self, batch: Sequence[tuple[RowPrompt, EvalExample]], sheet: Sheet, round_: Round
    ) -> bool:
        """Whether memory was enough for a batch, whose results are entered then."""
        if not batch:
            return True
        prompts, examples = [list(part) for part in zip(*batch, strict=True)]
        model, processor = self.loaded.model, self.loaded.processor
        try:
            made = round_.task.plain(model, processor, prompts, examples, round_.stopped)
        except MEMORY_ERRORS as error:
            if not ran_out(error):
                raise
            logger.warning("Memory ran out for %s rows.", len(batch), exc_info=True)
            free_memory()
            if len(batch) > 1:
                return False
            round_.refuse(prompts[0].number, NO_MEMORY, [sheet])
            return True
        round_.take(sheet, {prompt.number: one for prompt, one in zip(prompts, made, strict=True)})
        return True


class _Parts:
    """Which token rows make up a row, and what has been made of them.

    Attributes:
        owner: The row of each token row, by their numbers.
    """

    def __init__(self) -> None:
        self.owner: dict[int, int] = {}
        self._of: dict[int, list[int]] = {}
        self._made: dict[int, Any] = {}

    def add(self, number: int, rows: Sequence[TokenRow]) -> None:
        """Tell of a row."""
        self._of[number] = [row.number for row in rows]
        self.owner.update(dict.fromkeys(self._of[number], number))

    def take(self, made: Mapping[int, Any]) -> dict[int, list[Any]]:
        """Add what was made; return the rows that are whole by it, with the parts in order."""
        self._made.update(made)
        touched = dict.fromkeys(self.owner[number] for number in made)
        return {
            row: [self._made[part] for part in self._of[row]]
            for row in touched
            if all(part in self._made for part in self._of[row])
        }


def _read(task: Task[Any], entry: dict[str, Any] | None) -> Any:
    """A kept result; None when there is none, or it is of another version."""
    try:
        return None if entry is None else task.read(entry)
    except (TypeError, KeyError):
        return None
