"""The project's form: what is typed and not saved stays with its dataset."""

from __future__ import annotations

import pytest

from studio.data.schema import Message, Part, Row
from studio.ui.team.project_form import Drafts, Filled
from studio.ui.team.tab import TeamActions
from tests.ui.team.team_tab import REQUEST, opened


def changed(context) -> list[tuple[str, str]]:
    """The changes of settings and guidelines in the log, oldest first."""
    lines = context.store.team.log()
    told = [line for line in lines if line.action in ("settings", "guidelines")]
    return [(line.dataset, line.what) for line in reversed(told)]


@pytest.fixture
def two(context):
    """A second dataset, `more`, beside `charts`; each with settings and guidelines of its own."""
    context.store.add_rows("more", [Row("r", (), (Message("user", (Part("text", "?"),)),))])
    team = context.store.team
    team.change_settings("eve", "charts", {"qualification": 3, "aspects": ("Faithful",)})
    team.write_guidelines("eve", "charts", "Of charts", 0)
    team.change_settings("eve", "more", {"overlap": 5})
    return context


def test_what_is_typed_and_not_saved_is_there_again(two):
    _, _, form, said, drafts = opened(two)
    assert said == "" and opened(two, "charts", drafts, form)[3] == ""
    form = (form[0], "# Half a sentence", form[2])
    _, _, elsewhere, said, drafts = opened(two, "more", drafts, form)
    assert (elsewhere[1], said) == ("", "")
    _, _, form, said, drafts = opened(two, "charts", drafts, elsewhere)
    assert form[1] == "# Half a sentence" and "Not saved yet" in said
    assert "Not saved yet" in opened(two, "charts", drafts, form)[3]
    fields, guidelines, filled = form
    refused, _, drafts = TeamActions(two).save(
        REQUEST, "charts", drafts, filled, guidelines, 0, *fields[1:]
    )
    assert 'role="alert"' in refused and "Not saved yet" in opened(two, "charts", drafts, form)[3]
    message, filled, drafts = TeamActions(two).save(
        REQUEST, "charts", drafts, filled, guidelines, *fields
    )
    assert "Saved" in message and Filled.read(filled).seen == 2
    assert opened(two, "charts", drafts, (fields, guidelines, filled))[3] == ""


def test_what_was_typed_and_taken_back_is_no_draft_any_more(two):
    _, _, form, _, drafts = opened(two)
    typed = (form[0], "# Half", form[2])
    drafts = opened(two, "more", drafts, typed)[4]
    _, _, _, said, drafts = opened(two, "charts", drafts, form)
    assert said == "" and drafts == Drafts()


def test_an_event_with_the_fields_of_before_does_not_move_them_to_another_dataset(two):
    """The page sends the choice of a dataset twice, both times with what the form showed before."""
    _, _, first, _, drafts = opened(two, "charts")
    for _ in range(2):
        _, _, form, said, drafts = opened(two, "more", drafts, first)
        assert said == "" and form[0][0] == 5 and form[1] == ""
        assert Filled.read(form[2]).dataset == "more"
    typed = (first[0], "# Half a sentence", first[2])
    for _ in range(2):
        drafts = opened(two, "more", drafts, typed)[4]
    assert set(drafts.by_dataset) == {"charts"}


def test_a_form_of_another_dataset_is_not_saved_and_nothing_typed_is_lost(two):
    _, _, (fields, _, filled), _, drafts = opened(two, "charts")
    before = changed(two)
    message, _, drafts = TeamActions(two).save(REQUEST, "more", drafts, filled, "# Typed", *fields)
    assert "shows the settings of &#x27;charts&#x27;, and &#x27;more&#x27; is chosen" in message
    assert changed(two) == before
    drafts = opened(two, "more", drafts, (fields, "# Typed", filled))[4]
    assert opened(two, "charts", drafts)[2][1] == "# Typed"
    for text in ("", "[]", "{", "[1, [], 2]"):
        message, *_ = TeamActions(two).save(REQUEST, "more", drafts, text, "# Typed", *fields)
        assert 'role="alert"' in message and changed(two) == before


def test_only_the_field_that_was_changed_is_written(two):
    _, _, (fields, guidelines, filled), _, drafts = opened(two, "charts")
    two.store.team.change_settings("eve", "charts", {"skip_limit": 9})
    two.store.team.write_guidelines("eve", "charts", "Of eve", 1)
    before = changed(two)
    form = [4, *fields[1:]]
    message, filled, drafts = TeamActions(two).save(
        REQUEST, "charts", drafts, filled, guidelines, *form
    )
    assert "Saved" in message
    assert changed(two)[len(before) :] == [("charts", "overlap: 4")]
    settings = two.store.team.settings("charts")
    assert (settings.overlap, settings.skip_limit, settings.qualification) == (4, 9, 3)
    assert two.store.team.guidelines("charts").text == "Of eve"
    form[2] = 2
    TeamActions(two).save(REQUEST, "charts", drafts, filled, guidelines, *form)
    assert changed(two)[len(before) + 1 :] == [("charts", "qualification: 2")]


def test_stale_guidelines_are_a_conflict_and_the_text_stays(context):
    _, _, (fields, _, filled), _, drafts = opened(context)
    context.store.team.write_guidelines("eve", "charts", "hers", 0)
    message, kept, _ = TeamActions(context).save(
        REQUEST, "charts", drafts, filled, "# Look", *fields
    )
    assert "Guidelines were changed by eve meanwhile" in message
    assert "-hers" in message and "+# Look" in message
    assert Filled.read(kept).seen == 1
    assert context.store.team.guidelines("charts").text == "hers"


def test_settings_of_two_leads_are_a_conflict_and_the_second_save_is_one_knowingly(two):
    _, _, (fields, _, filled), _, drafts = opened(two, "charts")
    theirs = {"overlap": 7, "aspects": ("Short",), "skip_limit": 9}
    two.store.team.change_settings("eve", "charts", theirs)
    two.store.team.write_guidelines("eve", "charts", "Of eve", 1)
    before = changed(two)
    form = [4, *fields[1:-1], "Brief <b>"]
    message, filled, drafts = TeamActions(two).save(
        REQUEST, "charts", drafts, filled, "Mine", *form
    )
    assert "Overlap, aspects, guidelines were changed by eve meanwhile" in message
    assert "<td>7 (eve)</td><td>4</td>" in message
    assert "<td>Short (eve)</td><td>Brief &lt;b&gt;</td>" in message
    assert "-Of eve\n+Mine" in message and changed(two) == before
    _, _, form, said, drafts = opened(two, "charts", drafts, (form, "Mine", filled))
    assert form[0][0] == 4 and form[0][-1] == "Brief <b>" and form[1] == "Mine"
    assert "Not saved yet" in said
    message, *_ = TeamActions(two).save(REQUEST, "charts", drafts, form[2], form[1], *form[0])
    assert "Saved" in message
    settings = two.store.team.settings("charts")
    assert (settings.overlap, settings.aspects, settings.skip_limit) == (4, ("Brief <b>",), 9)
    assert two.store.team.guidelines("charts").text == "Mine"
