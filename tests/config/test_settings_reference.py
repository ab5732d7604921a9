"""The page of settings is what its command writes."""

from studio.config.settings_reference import reference
from tests.places import ROOT


def test_the_page_of_settings_is_what_its_command_writes():
    page = ROOT / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == reference(), (
        "run: python -m studio.config.settings_reference > docs/settings.md"
    )
