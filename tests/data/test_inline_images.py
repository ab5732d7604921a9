"""Images written into a text are decoded."""

from __future__ import annotations

from base64 import b64encode

from tests.data.conftest import parts, png


def test_images_written_into_the_text(read):
    address = f"data:image/png;base64,{b64encode(png()).decode()}"
    alone = b64encode(png(size=(64, 64))).decode()
    said = [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": address}},
                {"type": "text", "text": "q"},
            ],
        }
    ]
    for record in ({"image": address}, {"image_base64": alone}, {"image_url": address}):
        _, (row,) = read({**record, "question": "q", "answer": "a"})
        assert len(row.images) == 1 and row.meta == {}
    _, (row,) = read({"messages": said})
    assert parts(row) == ["<>", "q"] and len(row.images) == 1
