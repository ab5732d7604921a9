"""The range test of learning rates beside the plan."""

from __future__ import annotations

from tests.ui.train.train_tab import form


def test_range_test_draws_a_curve_and_offers_its_rate(tab, caplog):
    caplog.set_level("INFO", logger="studio")
    first, *during, last = tab.tools.range.test("here", *form(tab))
    assert not first[0]["interactive"] and first[4]["visible"]
    assert "step 40" in during[-1][1] and "<polyline" in during[-1][2]
    button, _, drawn, use, stop, changes, _ = last
    assert button["interactive"] and use["visible"] and not stop["visible"]
    assert use["value"] == f"Use {changes['optimizer.learning_rate']:g}"
    assert "Suggested learning rate" in drawn and "suggested" in drawn
    tab.context.planner.losses = [3.0, 2.9, None]
    *_, (button, line, drawn, use, _, changes, _) = tab.tools.range.test("here", *form(tab))
    assert "<polyline" in drawn and "closed" in drawn and "did not finish" in line
    assert "Told: " in caplog.text and "closed" in caplog.text
    assert button["interactive"] and not use["visible"] and changes is None
    *_, (*_, changes, _) = tab.tools.range.test("24", *form(tab))
    assert changes is None
