"""Routes of the lead: adjudication and gold. Everybody else gets 403."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from studio.annotation.labeling.showings import LAST_ID
from studio.annotation.quality.adjudication import DecisionEvent, ShownCase, shown
from studio.api.access.request_checks import check_change

if TYPE_CHECKING:
    from studio.api.context import StudioContext

Id = Annotated[int, Field(ge=1, le=LAST_ID)]
# No database takes a name with a NUL in it, and not all say so politely.
DatasetName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]


class DecisionBody(BaseModel):
    """See `DecisionEvent`; the winner is a side of the `showing` that the page was sent.

    `version` is that of the case; a page that sends none decides pairs that nobody has decided.
    """

    model_config = ConfigDict(extra="forbid")

    key: Key
    pair_id: Id
    kind: Literal["choose", "tie", "both_good", "both_bad", "reopen"]
    winner: Literal["left", "right"] | None = None
    showing: str = Field(default="", max_length=64)
    comment: str = Field(default="", max_length=4000)
    version: int = Field(default=0, ge=0, le=LAST_ID)


class GoldBody(BaseModel):
    """The right answer to a pair; without `kind` the pair is gold no longer.

    `gold_version` is that of the case: what stands is replaced only by somebody who was shown it.
    """

    model_config = ConfigDict(extra="forbid")

    pair_id: Id
    kind: Literal["choose", "tie", "both_good", "both_bad"] | None = None
    winner: Literal["left", "right"] | None = None
    showing: str = Field(default="", max_length=64)
    explanation: str = Field(default="", max_length=2000)
    gold_version: int = Field(default=0, ge=0, le=LAST_ID)


class CaseReply(BaseModel):
    case: ShownCase | None


def lead_only(context: StudioContext) -> Callable[[Request], str]:
    """Return a dependency: the lead's name; 401 without a login, 403 for annotators."""

    def name(request: Request) -> str:
        user = context.user(request)
        if not context.is_lead(request):
            raise HTTPException(403, "Only a lead can do that.")
        return user

    return name


def add_routes(routes: APIRouter, context: StudioContext) -> None:
    """`/team/…`, each refused to everybody but leads."""
    team = context.store.team
    lead = Depends(lead_only(context))
    change = [Depends(check_change)]

    @routes.get("/team/case")
    def next_case(
        name: str = lead,
        dataset: DatasetName | None = None,
        after: Annotated[int, Query(ge=0, le=LAST_ID)] = 0,
    ) -> CaseReply:
        found = team.next_case(name, dataset, after)
        return CaseReply(case=shown(found) if found else None)

    @routes.get("/team/case/{pair_id}")
    def case(pair_id: Id, name: str = lead) -> CaseReply:
        return CaseReply(case=shown(team.case(pair_id, name)))

    @routes.post("/team/decide", dependencies=change)
    def decide(body: DecisionBody, name: str = lead) -> CaseReply:
        winner = team.candidate_on(name, body.pair_id, body.winner, body.showing)
        given = body.model_dump(exclude={"winner", "showing", "version"})
        team.decide(DecisionEvent(lead=name, winner_id=winner, seen=body.version, **given))
        return CaseReply(case=shown(team.case(body.pair_id, name)))

    @routes.post("/team/gold", dependencies=change)
    def gold(body: GoldBody, name: str = lead) -> CaseReply:
        if body.kind is None:
            team.unset_gold(name, body.pair_id, body.gold_version)
        else:
            winner = team.candidate_on(name, body.pair_id, body.winner, body.showing)
            said = (body.kind, winner, body.explanation)
            team.set_gold(name, body.pair_id, *said, seen=body.gold_version)
        return CaseReply(case=shown(team.case(body.pair_id, name)))
