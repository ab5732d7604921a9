"""Requests of the annotating page, and a studio with pairs for them."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import HTTPException
from fastapi.testclient import TestClient

from studio.annotation import AnnotationStore
from studio.data.image_store import ImageStore

CHANGE = {"X-Studio": "1"}


@dataclass
class Context:
    """The parts of the studio's context that the routes use."""

    store: AnnotationStore
    images: ImageStore
    accounts: object | None = None
    name: str | None = "local"
    lead: bool = True

    def user(self, request) -> str:
        if self.name is None:
            raise HTTPException(401, "Log in first.")
        return self.name

    def is_lead(self, request) -> bool:
        return self.lead


def body(card: dict, **changes) -> dict:
    values = {
        "key": f"key-of-pair-{card['pair_id']}",
        "pair_id": card["pair_id"],
        "kind": "choose",
        "showing": card["showing"],
        "winner": "left",
        "expected_version": card["version"],
        "elapsed_ms": 900,
    }
    return values | changes


def next_cards(client: TestClient, **changes) -> dict:
    reply = client.post("/studio/annotate/next", json=changes)
    assert reply.status_code == 200, reply.text
    return reply.json()
