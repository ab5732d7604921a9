"""The library's datasets and imports as HTML."""

from __future__ import annotations

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
