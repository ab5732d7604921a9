"""Widgets of the settings form."""

from __future__ import annotations

from studio.ui.train.settings_form import (
    form_specs,
)

SPECS = form_specs()


PATHS = [spec.path for spec in SPECS]
