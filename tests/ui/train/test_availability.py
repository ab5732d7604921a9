"""Values that cannot be used on the device planned for."""

from __future__ import annotations

import gradio as gr

from studio.ui.train.settings_form import (
    component,
)
from tests.ui.train.settings_widgets import PATHS, SPECS
from tests.ui.train.train_tab import form, is_skip


def test_value_that_cannot_be_used_is_taken_back(tab, monkeypatch):
    reasons = {"optimizer.name": {"lomo": "needs the package lomo-optim"}}
    monkeypatch.setattr("studio.ui.train.availability.unavailable", lambda device=None: reasons)
    told = []
    monkeypatch.setattr(gr, "Warning", lambda text, title: told.append((title, text)))
    *_, usable, _, _ = tab.check("here", {}, *form(tab, optimizer__name="adafactor"))
    refuse = tab.availability.refuser("optimizer.name")
    assert refuse("lomo", usable, "here") == "adafactor"
    assert "lomo-optim" in told[0][1]
    assert is_skip(refuse("sgd", usable, "here"))
    device, *labels = tab.availability.relabel("24", None)
    assert device == "cuda" and all(is_skip(v) for v in tab.availability.relabel("24", "cuda"))
    named = [label for update in labels for label, _ in update["choices"]]
    assert "lomo (unavailable: needs the package lomo-optim)" in named


def test_what_cannot_be_used_is_labelled_with_the_reason():
    spec = SPECS[PATHS.index("optimizer.name")]
    made = component(spec, None, {"lomo": "needs the package lomo-optim"})
    labels = {value: label for label, value in made.choices}
    assert labels["lomo"] == "lomo (unavailable: needs the package lomo-optim)"
    assert labels["adamw_torch"] == "adamw_torch"
