"""The look of Gradio's parts: both modes read the page's own colours."""

import re

from studio.ui.shell.theme import theme
from tests.places import ROOT

STYLES = (ROOT / "assets" / "web" / "shared" / "base.css").read_text("utf-8")


def tokens(block: str) -> set[str]:
    """Names that a block of base.css gives a value."""
    text = re.search(rf"^{re.escape(block)} {{(.*?)^}}", STYLES, re.DOTALL | re.MULTILINE)
    return set(re.findall(r"(--studio-[\w-]+):", text[1]))


def test_every_colour_of_the_theme_is_one_that_the_page_has_in_light_and_dark():
    used = {
        token
        for value in vars(theme()).values()
        if isinstance(value, str)
        for token in re.findall(r"var\((--studio-[\w-]+)\)", value)
    }
    assert len(used) > 10
    assert used <= tokens(":root") and used <= tokens(".dark")


def test_dark_parts_are_drawn_as_light_ones_are():
    made = theme()
    for name in ("body_background_fill", "button_primary_text_color", "input_border_width"):
        assert getattr(made, name) == getattr(made, f"{name}_dark") != ""
