"""A model behind an endpoint, asked the rows of an evaluation as `ModelSession` asks one in memory."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import groupby
from typing import TypeVar

from studio.core.errors import DataError, NotFoundError, StudioError
from studio.core.logs import log_told
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.evaluation.evaluated_models import EvaluatedModel
from studio.evaluation.evaluation import AnswerLikelihoods, DrawnAnswers, RowAnswer
from studio.models.answering.kept_answers import KeptAnswers, key_of
from studio.models.answering.sampling_settings import Draw
from studio.models.endpoint import Endpoint, EndpointClient, EndpointSampling
from studio.models.endpoint_errors import EndpointError

AT_ONCE = 4
"""Questions that are with the endpoint at one time: its own batching makes them fast."""
FAILURES_IN_A_ROW = 5
"""After so many questions without any answer it is no longer about the questions."""
ROWS_AT_ONCE = 8
"""Rows after which answers are kept and a wish to stop is heard."""
Made = TypeVar("Made")
NO_LIKELIHOODS = "an endpoint does not say how likely an answer is"
KEPT = "Answers of {host} that were known from before are used again."


class EndpointSession:
    """Asks an endpoint the rows of an evaluation; every answer is kept as it comes.

    Attributes:
        notes: What a reader should know of how it was computed, in sentences.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        workspace: Workspace,
        *,
        max_new_tokens: int,
        client: EndpointClient | None = None,
    ) -> None:
        self._client = client or EndpointClient(endpoint)
        self._endpoint = endpoint
        self._sampling = EndpointSampling(max_new_tokens=max_new_tokens)
        self._images = ImageStore(workspace)
        self._kept = KeptAnswers(
            workspace.cache / "answers", key_of("endpoint", endpoint.url, endpoint.model)
        )
        self._failures = 0
        self.notes: dict[str, None] = {}

    def answers(
        self,
        models: Sequence[EvaluatedModel],
        rows: Mapping[int, Row],
        progress: Callable[[int], None],
    ) -> dict[str, dict[int, RowAnswer]]:
        """Return the greedy answers by the numbers of the rows, for each of `models`: this one.

        Raises:
            EndpointError: It answers nobody any more; what it has answered is kept.
        """
        found: dict[int, RowAnswer] = {}
        keys = {n: key_of(row.images, row.prompt, self._sampling) for n, row in rows.items()}
        known = {n: kept for n, key in keys.items() if (kept := self._kept.get(key))}
        if known:
            self.notes[KEPT.format(host=self._endpoint.host)] = None
        for number, kept in known.items():
            found[number] = RowAnswer(kept["text"], kept["tokens"], kept["cut"])
        for number, answer in self._each(rows, known, self._ask):
            found[number] = answer
            self._count(answer.reason)
            if not answer.reason:
                entry = {"text": answer.text, "tokens": answer.tokens, "cut": answer.cut}
                self._kept.put({keys[number]: entry})
            progress(len(found))
        self.notes |= self._client.notes
        if self._kept.full:
            self.notes[self._kept.full] = None
        return {model.name: dict(sorted(found.items())) for model in models}

    def drawn(
        self,
        models: Sequence[EvaluatedModel],
        rows: Mapping[int, Row],
        draws: Sequence[Draw],
        progress: Callable[[int], None],
    ) -> dict[str, dict[int, DrawnAnswers]]:
        """Return several answers to each row, one for each draw.

        Raises:
            EndpointError: It answers nobody any more.
        """
        found: dict[int, DrawnAnswers] = {}
        for number, answers in self._each(rows, {}, lambda row: self._draw(row, draws)):
            found[number] = answers
            self._count(answers.reason)
            progress(len(found))
        self.notes |= self._client.notes
        return {model.name: dict(sorted(found.items())) for model in models}

    def likelihoods(
        self,
        models: Sequence[EvaluatedModel],
        rows: Mapping[int, Row],
        texts: Mapping[int, Sequence[str]],
        progress: Callable[[int], None],
    ) -> dict[str, dict[int, AnswerLikelihoods]]:
        """Say of every row that an endpoint gives no likelihoods."""
        reasons = {number: AnswerLikelihoods(reason=NO_LIKELIHOODS) for number in rows}
        progress(len(rows))
        return {model.name: dict(reasons) for model in models}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _each(
        self, rows: Mapping[int, Row], known: Container[int], ask: Callable[[Row], Made]
    ) -> Iterator[tuple[int, Made]]:
        """Ask about the rows that are not known, several at a time; yield answers as they come."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            asked = {pool.submit(ask, row): n for n, row in rows.items() if n not in known}
            try:
                for future in as_completed(asked):
                    yield asked[future], future.result()
            finally:
                for future in asked:
                    future.cancel()

    def _ask(self, row: Row) -> RowAnswer:
        """The answer to one row, or why there is none where that is about the row alone."""
        try:
            (made,) = self._answered(row, self._sampling, 1)
        except StudioError as error:
            return RowAnswer(reason=_of_row(error))
        return made

    def _draw(self, row: Row, draws: Sequence[Draw]) -> DrawnAnswers:
        """The answers to one row; draws that are alike are asked for at once."""
        made: list[RowAnswer] = []
        try:
            for draw, alike in groupby(draws):
                sampling = EndpointSampling(
                    self._sampling.max_new_tokens,
                    draw.temperature,
                    draw.top_p,
                    draw.seed + len(made),
                )
                made += self._answered(row, sampling, len(list(alike)))
        except StudioError as error:
            return DrawnAnswers(reason=_of_row(error))
        return DrawnAnswers(tuple(made))

    def _answered(self, row: Row, sampling: EndpointSampling, count: int) -> list[RowAnswer]:
        images = [self._images.open(sha) for sha in row.images]
        found = self._client.answers(row.prompt, images, count, sampling=sampling)
        return [RowAnswer(one.text, one.tokens, one.cut) for one in found]

    def _count(self, reason: str) -> None:
        self._failures = self._failures + 1 if reason else 0
        if self._failures >= FAILURES_IN_A_ROW:
            raise EndpointError(
                "no answer",
                f"{self._endpoint.url} answered none of {self._failures} questions in a row. The "
                f"last time: {reason}",
                remedy="Look at its log; then go on.",
            )


def _of_row(error: StudioError) -> str:
    """Why one row has no answer; what is wrong with the endpoint itself is raised again."""
    if isinstance(error, EndpointError) and not error.of_request:
        raise error
    if not isinstance(error, EndpointError | DataError | NotFoundError):
        raise error
    log_told(error)
    return str(error)
