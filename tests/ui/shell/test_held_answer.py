"""An answer that is held back until it is whole."""

import asyncio

from studio.ui.shell.held_answer import HeldAnswer


class Shouted(HeldAnswer):
    def changed(self, body, headers):
        headers["x-made"] = "louder"
        return body.upper() + b"!"


def test_pieces_are_one_answer_of_the_new_length_and_other_messages_pass():
    sent = []

    async def send(message):
        sent.append(message)

    async def answer():
        held = Shouted(send)
        await held({"type": "http.response.debug"})
        await held(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]}
        )
        await held({"type": "http.response.body", "body": b"he", "more_body": True})
        await held({"type": "http.response.body", "body": b"re"})

    asyncio.run(answer())
    passed, start, body = sent
    assert passed == {"type": "http.response.debug"}
    assert dict(start["headers"]) == {b"content-length": b"5", b"x-made": b"louder"}
    assert body == {"type": "http.response.body", "body": b"HERE!"}
