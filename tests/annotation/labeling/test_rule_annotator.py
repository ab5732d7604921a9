"""The rule that stands in for a person goes through the same store and export."""

import pytest

from studio.annotation import AnnotationStore
from studio.annotation.export.preference_export import export_preferences
from studio.annotation.labeling.rule_annotator import RULE, label_all, unlabelled
from studio.core.errors import DataError
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.data.sources import open_source

COUNT = 12


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path)


def preference_rows(workspace) -> list[Row]:
    source = open_source(
        "embedded:preferences", split=f"train[:{COUNT}]", columns=None, workspace=workspace
    )
    return [row for row in source.rows() if isinstance(row, Row)]


def test_the_rules_choices_come_back_as_the_export(workspace):
    rows = preference_rows(workspace)
    store = AnnotationStore(workspace.database_url)
    store.add_rows("pairs", unlabelled(rows))
    preferred = {(row.images, row.question): row.chosen.text for row in rows}
    assert label_all(store, "pairs", preferred) == COUNT
    assert store.claim(RULE, "pairs") is None
    made = export_preferences(store, ImageStore(workspace), workspace, dataset="pairs", name="p")
    back = (
        [
            row
            for split in ("train", "evaluation")
            for row in open_source(
                made.source, split=split, columns=None, workspace=workspace
            ).rows()
        ]
        if (made.path / "evaluation.parquet").exists()
        else list(open_source(made.source, split="train", columns=None, workspace=workspace).rows())
    )
    assert {(row.question, row.chosen.text, row.rejected.text) for row in back} == {
        (row.question, row.chosen.text, row.rejected.text) for row in rows
    }


def test_candidates_do_not_give_the_choice_away(workspace):
    rows = preference_rows(workspace)
    made = unlabelled(rows)
    assert all(row.chosen is None and row.rejected is None for row in made)
    first = [row.candidates[0].text for row in made]
    assert first != [row.chosen.text for row in rows]
    assert first != [row.rejected.text for row in rows]


def test_rows_without_a_preference_are_refused(workspace):
    with pytest.raises(DataError):
        unlabelled([Row("1", (), ())])
