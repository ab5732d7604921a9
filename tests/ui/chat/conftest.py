"""An image to ask about."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from studio.ui.chat import handlers as chat_handlers


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "chart.png"
    Image.new("RGB", (8, 8), "red").save(path)
    return str(path)


@pytest.fixture
def shown_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are shown from where they lie: there is no page whose cache could take them."""
    monkeypatch.setattr(chat_handlers, "cached", str)
