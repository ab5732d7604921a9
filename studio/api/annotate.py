"""Routes of the annotating page, and of images. Everything they know is in the store."""

from __future__ import annotations

import time
from asyncio import wrap_future
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from studio.annotation import (
    DatasetView,
    HistoryEntry,
    LabelEvent,
    LabelKind,
    PairCard,
    Progress,
    Saved,
    Showing,
    SideAnswer,
    SideSpan,
    Span,
)
from studio.annotation.labeling.answer_validation import LONGEST_MS
from studio.annotation.labeling.showings import LAST_ID, not_yours, showing
from studio.annotation.labeling.written_answers import LONGEST
from studio.annotation.quality.decision_conflicts import GoldConflict
from studio.annotation.quality.lead_actions import GuidelineView
from studio.annotation.records import DETAILS
from studio.api import team
from studio.api.access.host_names import own_host
from studio.api.access.request_checks import StudioRoute, check_change, refusal, status_of
from studio.api.save_rate import SaveRate
from studio.core.errors import InputError
from studio.core.logs import log_told

if TYPE_CHECKING:
    from studio.api.context import StudioContext

MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
}
IMAGE_HEADERS = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
READ_HERE, READ_AT_ONCE = 256 << 10, 2 << 20  # bytes; larger images are sent piece by piece
Handle = Annotated[int, Field(ge=1, le=2**53)]
Id = team.Id
Side = Literal["left", "right"]
BOTH_FIELDS = (
    *DETAILS, "key", "pair_id", "kind", "expected_version", "elapsed_ms", "aspects", "guideline",
)  # fmt: skip
SIDE_FIELDS = ("showing", "winner")
ID_FIELDS = ("winner_id", "shown_left_id", "repeat")
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
DatasetName = team.DatasetName
Change = [Depends(check_change)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NextBody(Body):
    """Which pairs: `count` is the one to show and those to fetch ahead."""

    dataset: DatasetName | None = None
    count: int = Field(default=3, ge=1, le=5)
    progress: bool = True


class SpanBody(Body):
    """See `SideSpan`; with `candidate_id` in place of `side` as the version before sent it."""

    side: Side | None = None
    candidate_id: Id | None = None
    start: int = Field(ge=0, le=2_000_000)
    end: int = Field(ge=1, le=2_000_000)


class SaveBody(Body):
    """One answer; see `SideAnswer`.

    Without `showing` it is one that waited in a browser since the version before, which named
    answers by `winner_id`, `shown_left_id` and `candidate_id`; see `LabelEvent`.
    """

    key: Key
    pair_id: Handle
    showing: str = Field(default="", max_length=64)
    kind: LabelKind
    winner: Side | None = None
    expected_version: int = Field(ge=0, le=2**31 - 1)
    strength: Literal["", "slightly", "clearly"] = ""
    reason: str = Field(default="", max_length=500)
    comment: str = Field(default="", max_length=4000)
    elapsed_ms: int | None = Field(default=None, ge=0, le=LONGEST_MS)
    flagged: bool = False
    aspects: dict[str, Side | Literal[""] | int] = Field(default_factory=dict, max_length=6)
    spans: list[SpanBody] = Field(default_factory=list, max_length=200)
    edit: str = Field(default="", max_length=LONGEST)
    ideal: str = Field(default="", max_length=LONGEST)
    guideline: int = Field(default=0, ge=0, le=2**31 - 1)
    next: NextBody | None = None
    winner_id: Id | None = None
    shown_left_id: Id | None = None
    repeat: bool = False

    def answer(self, annotator: str) -> SideAnswer | LabelEvent:
        """Return what is to be saved. Raises InputError when it names sides and ids at once."""
        by_side = bool(self.showing)
        if by_side:
            self._refuse("winner_id", "shown_left_id", "repeat")
        elif self.pair_id > LAST_ID:
            raise not_yours()
        else:
            self._refuse("winner")
        if any((span.side is None) is by_side for span in self.spans):
            raise InputError("A mark is on no side.", remedy="Reload the page.", field="spans")
        if any(isinstance(best, str) is not by_side for best in self.aspects.values()):
            raise InputError("An aspect has no side.", remedy="Reload the page.", field="aspects")
        names = SIDE_FIELDS if by_side else ID_FIELDS
        values = {name: getattr(self, name) for name in (*BOTH_FIELDS, *names)}
        if by_side:
            marks = [SideSpan(one.side, one.start, one.end) for one in self.spans if one.side]
            return SideAnswer(annotator=annotator, spans=tuple(marks), **values)
        spans = tuple(Span(one.candidate_id or 0, one.start, one.end) for one in self.spans)
        return LabelEvent(annotator=annotator, spans=spans, **values)

    def _refuse(self, *names: str) -> None:
        for name in names:
            if getattr(self, name):
                raise InputError(
                    f"{name} does not belong to such an answer.",
                    remedy="Reload the page.",
                    field=name,
                )


class LeaveBody(Body):
    """`stamp` is that of the last reply this page got."""

    stamp: int


class UndoBody(Body):
    """Undo the latest answer, or the latest to one showing.

    With a `pair_id` and no `showing` it waited in a browser since the version before. `dataset` is
    the one that is chosen on the page, whose answers it counts and takes back; all of them without.
    """

    key: Key
    pair_id: Handle | None = None
    showing: str = Field(default="", max_length=64)
    dataset: DatasetName | None = None


class MarkGoldBody(Body):
    """The pair whose answer by this lead becomes, or is no longer, the known right one.

    `version` is the one a refusal told of, where another lead said what is right.
    """

    pair_id: Handle
    version: int = Field(default=0, ge=0, le=LAST_ID)


class GoldReply(BaseModel):
    gold: bool


class NextReply(BaseModel):
    user: str
    lead: bool
    cards: list[Showing]
    progress: Progress | None
    stamp: int
    standing: dict[str, str]


class SaveReply(BaseModel):
    """What is on disk, and the next pairs when they were asked for along with it."""

    saved: Saved
    next: NextReply | None = None


class UndoReply(BaseModel):
    card: Showing | None
    progress: Progress


class HistoryReply(BaseModel):
    entries: list[HistoryEntry]


def router(context: StudioContext, rate: SaveRate | None = None) -> APIRouter:
    """Build the routes, bound to the stores of `context`; answers are taken at `rate`."""
    guards = [] if context.accounts else [Depends(own_host)]
    routes = APIRouter(prefix="/studio", route_class=StudioRoute, dependencies=guards)
    _annotate(routes, context, rate or SaveRate())
    _review(routes, context)
    _images(routes, context)
    team.add_routes(routes, context)
    return routes


def _annotate(routes: APIRouter, context: StudioContext, rate: SaveRate) -> None:
    store, stamps = context.store, {}

    # These two wait for the disk without a thread each: fifty people may save at once.
    @routes.post("/annotate/next", dependencies=Change, response_model=NextReply)
    async def next_pairs(body: NextBody, request: Request) -> Response:
        user = context.user(request)
        stamps[user] = time.monotonic_ns()
        cards = await wrap_future(store.claiming(user, body.dataset, body.count))
        return _written(await _reply(context, request, body, cards, stamps[user]))

    @routes.post("/annotate/save", dependencies=Change, response_model=SaveReply)
    async def save(body: SaveBody, request: Request) -> Response:
        user = context.user(request)
        if seconds := rate.wait(user):
            return _too_fast(seconds)
        ahead = body.next or NextBody(progress=False)
        if body.next:
            stamps[user] = time.monotonic_ns()
        count = ahead.count if body.next else 0
        taken = await wrap_future(store.saving(body.answer(user), ahead.dataset, count))
        if not body.next:
            return _written(SaveReply(saved=taken.saved))
        after = await _reply(context, request, ahead, taken.cards, stamps[user])
        return _written(SaveReply(saved=taken.saved, next=after))

    _holding(routes, context, stamps)


def _holding(routes: APIRouter, context: StudioContext, stamps: dict[str, int]) -> None:
    """What becomes of pairs that are held.

    Args:
        stamps: By user, that of the latest claim.
    """
    store = context.store

    @routes.post("/annotate/heartbeat", dependencies=Change)
    def heartbeat(request: Request) -> dict[str, int]:
        # Nothing more: gold and second showings are not held, and a count would tell.
        store.heartbeat(context.user(request))
        return {}

    @routes.post("/annotate/leave", dependencies=Change)
    def leave(body: LeaveBody, request: Request) -> dict[str, int]:
        """Give up what is held, unless another page of the same person claimed meanwhile."""
        user = context.user(request)
        if stamps.get(user) == body.stamp:
            store.release(user)
        return {}

    @routes.post("/annotate/undo", dependencies=Change)
    def undo(body: UndoBody, request: Request) -> UndoReply:
        user = context.user(request)
        if body.showing and body.pair_id:
            card = store.undo(user, body.key, handle=body.pair_id)
        elif (body.pair_id or 0) > LAST_ID:
            raise not_yours()
        else:
            card = store.undo(user, body.key, body.pair_id, dataset=body.dataset)
        progress = store.progress(user, body.dataset)
        return UndoReply(card=showing(card) if card else None, progress=_with_card(progress, card))


async def _reply(
    context: StudioContext, request: Request, body: NextBody, cards: Sequence[PairCard], stamp: int
) -> NextReply:
    store, user = context.store, context.user(request)
    progress, standing = None, {}
    if not cards:
        progress = await run_in_threadpool(store.progress, user, body.dataset, at_end=True)
        found = await run_in_threadpool(store.team.standing, user, body.dataset)
        # That somebody is in a qualification round is not told.
        standing = {name: why for name, why in found.items() if why == "failed"}
    elif body.progress:
        progress = await run_in_threadpool(store.progress, user, body.dataset)
        progress = _with_card(progress, cards[0])
    return NextReply(
        user=user,
        lead=context.is_lead(request),
        cards=[showing(card) for card in cards],
        progress=progress,
        stamp=stamp,
        standing=standing,
    )


def _with_card(progress: Progress, card: PairCard | None) -> Progress:
    """A pair that is there is left, whatever was expected to come."""
    if card is None or progress.waiting:
        return progress
    total = max(progress.total, progress.labelled + 1)
    return replace(progress, waiting=1, total=total, pairs=total - progress.twice)


def _review(routes: APIRouter, context: StudioContext) -> None:
    store = context.store

    @routes.get("/annotate/history")
    def history(
        request: Request,
        before: Annotated[int | None, Query(ge=1, le=LAST_ID)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> HistoryReply:
        entries = store.history(context.user(request), before, limit, again=True)
        return HistoryReply(entries=[replace(entry, pair_id=entry.handle) for entry in entries])

    @routes.get("/annotate/card/{pair_id}")
    def card(pair_id: Handle, request: Request) -> Showing:
        return showing(store.look(pair_id, context.user(request)))

    lead = Depends(team.lead_only(context))

    @routes.post("/annotate/gold", dependencies=Change, response_model=GoldReply)
    def gold(body: MarkGoldBody, name: str = lead) -> Response:
        try:
            made = store.team.toggle_gold(name, body.pair_id, body.version)
        except GoldConflict as error:
            log_told(error)
            told = {"message": error.message, "remedy": error.remedy, "version": error.version}
            return JSONResponse(told, status_of(error))
        return _written(GoldReply(gold=made))

    @routes.get("/annotate/datasets")
    def datasets(request: Request) -> list[DatasetView]:
        context.user(request)
        found = store.datasets()
        if context.is_lead(request):
            return found
        # How many are labelled would tell, after an answer, whether the pair was an ordinary one.
        return [replace(one, labelled=0, waiting=0) for one in found]

    @routes.get("/annotate/progress")
    def progress(request: Request, dataset: DatasetName | None = None) -> Progress:
        return store.progress(context.user(request), dataset)

    @routes.get("/annotate/guidelines")
    def guidelines(request: Request, dataset: DatasetName) -> GuidelineView:
        context.user(request)
        return store.team.guidelines(dataset)


def _images(routes: APIRouter, context: StudioContext) -> None:
    # A small file is read sooner than handed to a thread.
    @routes.get("/images/{sha}")
    async def image(sha: str, request: Request) -> Response:
        return await _file(context, request, context.images.view_path, sha)

    @routes.get("/thumbs/{sha}")
    async def thumb(sha: str, request: Request) -> Response:
        return await _file(context, request, context.images.thumb_path, sha)


async def _file(
    context: StudioContext, request: Request, find: Callable[[str], Path], sha: str
) -> Response:
    context.user(request)
    path = find(sha)
    kind = MEDIA_TYPES[path.suffix]
    size = path.stat().st_size
    if size > READ_AT_ONCE:
        return FileResponse(path, media_type=kind, headers=IMAGE_HEADERS)
    read = path.read_bytes
    content = read() if size <= READ_HERE else await run_in_threadpool(read)
    return Response(content, media_type=kind, headers=IMAGE_HEADERS)


def _written(model: BaseModel) -> Response:
    """Serialised once, by pydantic; FastAPI would validate and encode it again."""
    return Response(model.model_dump_json(), media_type="application/json")


def _too_fast(seconds: int) -> Response:
    """Return the refusal of an answer that comes before anybody could have read the pair."""
    reply = refusal(
        429,
        "Your answers come faster than anybody can read.",
        "Wait a moment: they are kept in this browser and sent again by themselves.",
    )
    reply.headers["Retry-After"] = str(seconds)
    return reply
