"""The library's datasets and imports as HTML."""

from __future__ import annotations

from studio.annotation import DatasetView
from studio.annotation.library.source_import import preview_source
from studio.ui.data import views as look
from studio.ui.data.item_view import detail
from studio.ui.data.rows_view import gallery, table
from studio.ui.data.state import LibraryState
from tests.ui.library_tab import FIELDS, HOSTILE, REQUEST, imported, typed


def test_an_empty_library_offers_the_sample(tab, library):
    shown = library.open(LibraryState(), REQUEST)
    assert shown["nothing"]["visible"] and not shown["library"]["visible"]
    assert "No datasets yet" in shown["datasets"]
    going, refused, _ = tab.form.add_sample(REQUEST)
    assert "Importing" in going and not refused
    done = tab.form.importer.wait(120)
    assert done.report.dataset == "sample pairs" and done.report.added > 0


def test_nothing_from_outside_is_markup_or_template(tab, source):
    imported(tab, source(2, HOSTILE))
    store = tab.context.store
    store.tag(store.ids(), "<b>tag</b>{{x}}")
    (first, _) = store.browse()
    for html in (
        table([first], None, frozenset()),
        gallery([first], None, frozenset()),
        detail(first, store.edits(first.id)),
        look.preview(preview_source(source(2, HOSTILE), tab.context.workspace,
                                    columns={"question": "ask"})),
        look.dataset_list(store.datasets(), None),
        tab.form.preview(REQUEST, *typed(HOSTILE, *FIELDS))[0],
    ):  # fmt: skip
        assert "<img src=x" not in html and "<b>tag" not in html
        assert "${" not in html and "{{" not in html


def test_datasets_of_matches_and_rounds_stand_folded_below_the_others():
    both = [DatasetView(1, "match a", 2, 2, 0, 2), DatasetView(2, "charts", 9, 0, 0, 0)]
    mine, _, folded = look.dataset_list(both, None, {"match a"}).partition("<details>")
    assert "charts" in mine and "match a" not in mine and "match a" in folded
    assert "<details open>" in look.dataset_list(both, "match a", {"match a"})
