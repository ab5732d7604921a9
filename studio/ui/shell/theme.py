"""Colours, type and spacing; what Gradio's theme cannot say is in assets/web/shared/base.css."""

from __future__ import annotations

from gradio.themes import Base
from gradio.themes.utils import colors, sizes

SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

_TOKENS = {
    "body_background_fill": "ground",
    "body_text_color": "text",
    "body_text_color_subdued": "text-2",
    "background_fill_primary": "surface",
    "background_fill_secondary": "ground",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "color_accent_soft": "accent-soft",
    "link_text_color": "accent",
    "block_background_fill": "surface",
    "block_border_color": "line",
    "block_title_text_color": "text",
    "block_label_text_color": "text-2",
    "block_label_background_fill": "surface",
    "block_info_text_color": "text-2",
    "panel_background_fill": "surface",
    "input_background_fill": "field",
    "input_border_color": "line-2",
    "input_border_color_focus": "accent",
    "input_placeholder_color": "text-3",
    "checkbox_background_color": "field",
    "checkbox_border_color": "line-2",
    "checkbox_background_color_selected": "accent",
    "checkbox_border_color_selected": "accent",
    "checkbox_label_background_fill": "field",
    "checkbox_label_background_fill_hover": "hover",
    "checkbox_label_background_fill_selected": "accent-soft",
    "checkbox_label_border_color": "line-2",
    "checkbox_label_border_color_selected": "accent",
    "checkbox_label_text_color": "text",
    "checkbox_label_text_color_selected": "text",
    "button_primary_background_fill": "accent-fill",
    "button_primary_background_fill_hover": "accent-fill-hover",
    "button_primary_text_color": "on-accent",
    "button_secondary_background_fill": "field",
    "button_secondary_background_fill_hover": "hover",
    "button_secondary_border_color": "line-2",
    "button_secondary_text_color": "text",
    "code_background_fill": "sunken",
    "slider_color": "accent",
    "loader_color": "accent",
    "table_border_color": "line",
    "table_even_background_fill": "surface",
    "table_odd_background_fill": "surface",
    "table_text_color": "text",
    "accordion_text_color": "text",
}


def theme() -> Base:
    """Return the studio's look: system fonts, one indigo accent, quiet surfaces, hairlines.

    Both modes read the same CSS variables, which base.css defines once for light and once
    for dark.
    """
    base = Base(
        primary_hue=colors.indigo,
        secondary_hue=colors.indigo,
        neutral_hue=colors.slate,
        radius_size=sizes.radius_md,
        spacing_size=sizes.spacing_md,
        text_size=sizes.text_md,
        font=SANS,
        font_mono=MONO,
    )
    both = {}
    for name, token in _TOKENS.items():
        both[name] = both[f"{name}_dark"] = f"var(--studio-{token})"
    both |= {
        "block_border_width": "0px",
        "block_border_width_dark": "0px",
        "block_shadow": "none",
        "block_title_text_size": "13px",
        "block_title_text_weight": "600",
        "block_info_text_size": "12px",
        "block_padding": "6px 0",
        "input_border_width": "1px",
        "input_border_width_dark": "1px",
        "input_shadow": "none",
        "input_shadow_focus": "none",
        "input_text_size": "14px",
        "input_padding": "7px 10px",
        "form_gap_width": "0px",
        "layout_gap": "12px",
        "button_border_width": "1px",
        "button_border_width_dark": "1px",
        "button_primary_border_color": "transparent",
        "button_primary_border_color_dark": "transparent",
        "button_primary_shadow": "none",
        "button_secondary_shadow": "none",
        "button_large_text_size": "14px",
        "button_large_text_weight": "600",
        "button_large_padding": "8px 16px",
        "button_small_padding": "4px 10px",
        "button_transition": "background-color 120ms ease",
        "checkbox_label_padding": "5px 10px",
        "checkbox_label_shadow": "none",
        "panel_border_width": "0px",
    }
    return base.set(**both)
