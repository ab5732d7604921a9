"""Colours, type and spacing; what Gradio's theme cannot say is in assets/style.css."""

from __future__ import annotations

from gradio.themes import Base
from gradio.themes.utils import colors, sizes

from studio.paths import ASSETS

STYLE = ASSETS / "style.css"
SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def theme() -> Base:
    """The studio's look: system fonts, one indigo accent, quiet surfaces, hairlines."""
    return Base(
        primary_hue=colors.indigo,
        secondary_hue=colors.indigo,
        neutral_hue=colors.slate,
        radius_size=sizes.radius_md,
        spacing_size=sizes.spacing_md,
        text_size=sizes.text_md,
        font=SANS,
        font_mono=MONO,
    )
