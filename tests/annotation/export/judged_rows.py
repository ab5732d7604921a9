"""A dataset with everything that an export can lose, and what was exported of it."""

from __future__ import annotations

import getpass
import io
import json
from pathlib import Path

from PIL import Image

from studio.annotation import Span
from studio.annotation.export.preference_export import Export
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, Message, Part
from tests.annotation.conftest import answer, by_first, make_row
from tests.places import ROOT

RED, BLUE = Answer("The bar is red.", "model-a"), Answer("The bar is blue.", "model-b")


def picture(images: ImageStore, colour: str) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return images.add(buffer.getvalue())


def talk(*turns: tuple[str, str]) -> tuple[Message, ...]:
    """Turns; `*` in a text stands for a picture."""
    return tuple(Message(role, tuple(_parts(text))) for role, text in turns)


def _parts(text: str) -> list[Part]:
    parts = []
    for number, piece in enumerate(text.split("*")):
        parts += [Part("image")] if number else []
        parts += [Part("text", piece)] if piece else []
    return parts


def fill(store, images: ImageStore) -> tuple[str, str]:
    """Row a: one question, two people. Row b: a system prompt, two turns, two pictures. Row c: text.

    Both people prefer the first answer of a and b; of c, ben says that both are bad.
    """
    first, second = shas = picture(images, "red"), picture(images, "blue")
    store.add_rows(
        "charts",
        [
            make_row(
                0,
                external_id="a",
                images=(first,),
                prompt=talk(("user", "*Which colour is the bar?")),
                candidates=(RED, BLUE),
                meta={"topic": "colours", "image": "bar.png"},
            ),
            make_row(
                1,
                external_id="b",
                images=(first, second),
                prompt=talk(
                    ("system", "Be short."),
                    ("user", "First * then * here."),
                    ("assistant", "Two pictures."),
                    ("user", "Which is warmer?"),
                ),
                candidates=(Answer("The first."), Answer("The second.")),
            ),
            make_row(
                2,
                external_id="c",
                images=(),
                prompt=talk(("user", "Say a colour.")),
                candidates=(Answer("Seven"), Answer("Red")),
            ),
        ],
    )
    values = {"overlap": 2, "repeat_share": 0, "aspects": ["Faithful"]}
    store.team.change_settings("lea", "charts", values)
    for name in ("ana", "ben"):
        while card := store.claim(name):
            _choose(store, card, name)
    return shas


def _choose(store, card, name: str) -> None:
    side = by_first(card)
    first = getattr(card, side).candidate_id
    details: dict = {}
    if name == "ben" and "Say a colour" in card.question:
        details = {"kind": "both_bad", "reason": "unfaithful"}
    elif name == "ana" and "bar" in card.question:
        details = {
            "strength": "clearly",
            "comment": "Look again.",
            "aspects": {"Faithful": first},
            "spans": (Span(first, 4, 7),),
        }
    store.save(answer(card, name, side, **details))


def read(made: Export, name: str) -> list[dict]:
    """The records of a JSON list or of JSON Lines."""
    text = (made.path / name).read_text(encoding="utf-8")
    return json.loads(text) if text.startswith("[") else list(map(json.loads, text.splitlines()))


def nothing_secret(made: Export, *names: str) -> None:
    """No path of this machine, and none of `names`, is in any file."""
    secrets = [str(made.path.parent), str(Path.home()), str(ROOT), f"/{getpass.getuser()}/", *names]
    for path in made.path.rglob("*"):
        if path.is_file() and path.suffix not in (".png", ".parquet"):
            text = path.read_text(encoding="utf-8")
            assert not [secret for secret in secrets if secret in text], path.name
