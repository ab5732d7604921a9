"""Settings kept under a name, loaded, copied, compared and taken along."""

from __future__ import annotations

import pytest

from studio.config import RunConfig
from tests.ui.train.train_tab import form, is_skip


@pytest.mark.parametrize("text", ["notes: 2026-13-45", "a: !!int x", "a: " + "[" * 900, "1: 2"])
def test_an_odd_value_of_a_pasted_run_file_is_told_in_a_sentence(tab, text):
    told = tab.settings.use_text(text)[0]
    assert "line 1" in told or "Keys should be strings" in told


def test_settings_are_kept_loaded_copied_and_forgotten(tab):
    panel = tab.settings
    panel.labels = tab.plan.labels
    told, kept, *_ = panel.save("mine", *form(tab, adapter__rank=4))
    assert "Saved as mine" in told and kept["choices"] == ["mine"] and kept["value"] == "mine"
    told, copied, *_ = panel.duplicate("mine")
    assert "mine copy" in told and copied["choices"] == ["mine", "mine copy"]
    _, *values = panel.load("mine copy")
    assert values == form(tab, adapter__rank=4)
    panel.delete("mine copy")
    assert panel.names() == ["mine"]
    told, *rest = panel.save("../mine", *form(tab))
    assert "no name to save" in told and all(is_skip(part) for part in rest[:3])
    told, *values = panel.load("gone")
    assert "No settings are saved" in told and all(is_skip(value) for value in values)


def test_form_is_taken_along_as_a_run_file(tab):
    tab.settings.labels = tab.plan.labels
    file, told = tab.settings.take_along(*form(tab, name="mine"))
    assert (file["name"], told) == ("mine.yaml", "")
    assert tab.settings.use_text(file["text"])[2:] == form(tab, name="mine")
    file, told = tab.settings.take_along(*form(tab, schedule__max_steps="many"))
    assert is_skip(file) and "Most steps" in told


def test_two_settings_are_compared(tab):
    panel = tab.settings
    panel.labels = tab.plan.labels
    run = tab.context.runs.create(RunConfig(name="<i>earlier</i>", adapter=None))
    drawn = panel.compare("form", f"run:{run.run_id}", *form(tab))
    assert "<code>name</code>" in drawn and "&lt;i&gt;earlier" in drawn
    assert drawn.count("<tr>") == 3
    assert "<code>adapter</code></th><td>on</td><td>off</td>" in drawn
    assert "same settings" in panel.compare("form", "form", *form(tab))
    assert panel.compare("form", None, *form(tab)) == ""
    assert "There is no run" in panel.compare("form", "run:gone", *form(tab))
    assert "Most steps" in panel.compare("form", "form", *form(tab, schedule__max_steps="x"))
