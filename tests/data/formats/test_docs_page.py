"""The page about formats says what is declared."""

from __future__ import annotations

from studio.data.formats import FORMATS
from studio.data.formats.docs_page import reference
from tests.places import ROOT


def test_the_page_is_what_the_declarations_give():
    page = ROOT / "docs" / "formats.md"
    assert page.read_text(encoding="utf-8") == reference(), (
        "run: python -m studio.data.formats.docs_page > docs/formats.md"
    )


def test_every_format_is_on_it_with_its_example():
    page = reference()
    assert page.count("```json") == len(FORMATS)
    assert all(f"[{known.name.replace('{what}', '…')}]({known.where})" in page for known in FORMATS)
