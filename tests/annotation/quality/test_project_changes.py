"""The form of a project and its guidelines are saved whole, over nothing unseen."""

from __future__ import annotations

import pytest

from studio.annotation.quality.project_changes import Clash, ProjectConflict, ProjectForm
from studio.core.errors import ConflictError
from tests.annotation.conftest import make_rows


def test_a_form_is_saved_whole_and_not_over_what_another_lead_changed(store):
    store.add_rows("charts", make_rows(1))
    store.team.change_settings("lena", "charts", {"overlap": 3})
    store.team.change_settings("eve", "charts", {"skip_limit": 5})
    store.team.write_guidelines("lena", "charts", "hers", 0)
    form = ProjectForm({"overlap": 2, "qualification": 1}, {"overlap": 1, "qualification": 0})
    with pytest.raises(ProjectConflict, match="Overlap was changed by lena meanwhile") as caught:
        store.team.save_project("lee", "charts", form)
    assert caught.value.clashes == [Clash("overlap", "lena", 3)]
    with pytest.raises(ProjectConflict, match="Guidelines were changed by lena meanwhile"):
        store.team.save_project("lee", "charts", ProjectForm({"qualification": 1}, {}, "mine", 0))
    settings = store.team.settings("charts")
    assert (settings.overlap, settings.qualification) == (3, 0)
    assert store.team.guidelines("charts").text == "hers"
    agreeing = ProjectForm({"overlap": 3}, {"overlap": 1}, "hers", 0)
    assert store.team.save_project("lee", "charts", agreeing)[1] == 1
    changed, seen = store.team.save_project(
        "lee", "charts", ProjectForm({"overlap": 2}, {"overlap": 3}, "mine", 1)
    )
    assert (changed.overlap, changed.skip_limit, seen) == (2, 5, 2)


def test_guidelines_are_versioned_and_a_stale_edit_is_a_conflict(store):
    store.add_rows("charts", make_rows(1))
    assert store.team.guidelines("charts").version == 0
    store.team.write_guidelines("lea", "charts", "# One", seen=0)
    store.team.write_guidelines("lea", "charts", "# Two", seen=1)
    with pytest.raises(ConflictError, match="Guidelines were changed by lea meanwhile"):
        store.team.write_guidelines("eve", "charts", "# Mine", seen=1)
    assert store.team.guidelines("charts").text == "# Two"
    assert store.team.guidelines("charts", 1).text == "# One"
    assert store.claim("ana").guideline == 2
