"""Rows for tests of figures."""

from studio.data.schema import ACCEPTED, Answer, Message, Part, Row


def row_of(*accepted: str, question: str = "What?", images: tuple[str, ...] = (), **fields) -> Row:
    return Row(
        external_id=fields.pop("external_id", "r1"),
        images=images,
        prompt=(Message("user", (Part("text", question),)),),
        completion=Answer(accepted[0]) if accepted else None,
        meta={ACCEPTED: list(accepted)} if len(accepted) > 1 else {},
        **fields,
    )
