"""Whole checks of sources without a model, and the promise that none is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from studio.annotation import AnnotationStore, ExportPolicy
from studio.annotation.library.preflight_rows import library_rows
from studio.core.errors import NotFoundError
from studio.data.checked_rows import source_rows
from studio.preflight.check import check_rows
from studio.preflight.report import Report
from tests.preflight.conftest import drawing, saved

PAIR = {"chosen": "a rather long answer", "rejected": "short"}


@pytest.fixture
def pairs(folder, write):
    """Eight rows: good, twice the same, identical, empty, image gone, broken line, two looks."""
    (folder / "a.png").write_bytes(saved(drawing(1)))
    (folder / "b.png").write_bytes(saved(drawing(2)))
    (folder / "a2.jpg").write_bytes(saved(drawing(1), "JPEG", quality=70))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    return write(
        {"image": "a.png", "question": "What?", **PAIR},
        {"image": "a.png", "question": "What?", **PAIR},
        {"image": "b.png", "question": "What?", "chosen": "same", "rejected": "same"},
        {"image": "b.png", "question": "Why?", "chosen": "", "rejected": "x"},
        {"image": "gone.png", "question": "What?", **PAIR},
        {"image": "broken.png", "question": "What?", **PAIR},
        "{broken",
        {"image": "a2.jpg", "question": "what?", **PAIR},
    )


def by_id(report: Report) -> dict:
    return {finding.id: finding for finding in report.findings}


def test_one_pass_finds_everything_and_names_the_rows(pairs, check):
    report = check(pairs)
    found = by_id(report)
    assert (report.rows, report.unreadable, report.duplicates) == (8, 3, 2)
    assert found["duplicates"].rows == [2] and found["near_duplicates"].rows == [8]
    assert found["identical_answers"].rows == [3]
    assert found["empty_answers"].rows == [4]
    assert found["unreadable_images"].rows == [5, 6]
    assert "no image file 'gone.png'" in found["unreadable_images"].reasons[5]
    assert found["unreadable_rows"].rows == [7]
    assert report.images.distinct == 3 and report.images.sizes == 1


def test_errors_come_first(pairs, check):
    order = [finding.severity for finding in check(pairs).findings]
    assert order == sorted(order, key=("error", "warning", "info").index)


def test_images_in_two_splits_leak_exactly_or_nearly(folder, write, check):
    (folder / "a.png").write_bytes(saved(drawing(1)))
    (folder / "again.jpg").write_bytes(saved(drawing(1), "JPEG", quality=70))
    (folder / "b.png").write_bytes(saved(drawing(2)))
    place = folder / "sets"
    place.mkdir()
    rows = {"train": ["a.png"], "test": ["b.png", "a.png", "again.jpg"]}
    for name, images in rows.items():
        for image in images:
            (place / image).write_bytes((folder / image).read_bytes())
        write(
            *({"image": image, "question": f"{name} {image}", "answer": "x"} for image in images),
            name=f"sets/{name}.jsonl",
        )
    report = check(str(place))
    assert [(one.name, one.first, one.last) for one in report.splits] == [
        ("train", 1, 1),
        ("test", 2, 4),
    ]
    assert by_id(report)["leakage"].rows == [3]
    assert by_id(report)["near_leakage"].rows == [4]


def test_only_one_split_is_read_when_asked(check):
    report = check("embedded:sft", split="evaluation", limit=20)
    assert [(one.name, one.rows) for one in report.splits] == [("evaluation", 20)]
    assert report.rows == 20 and report.unreadable == 0


def test_an_empty_source_is_no_crash(write, check):
    report = check(write({"question": "q", "answer": "a"}))
    assert (report.rows, report.tokens.max, report.length_bias.pairs) == (1, 0, 0)


def test_a_check_of_the_library_names_items_and_leaves_out_excluded_ones(pairs, workspace):
    store = AnnotationStore(workspace.database_url)
    rows = [
        entry.row
        for entry in source_rows(pairs, workspace).entries()
        if hasattr(entry.row, "images")
    ]
    store.add_rows("mine", rows)
    ids = store.ids()

    def report() -> Report:
        going = check_rows(library_rows(store, "mine"), workspace, None)
        while True:
            try:
                next(going)
            except StopIteration as end:
                return end.value

    first = report()
    assert first.numbers == "items" and first.rows == 4
    assert by_id(first)["incomplete_pairs"].rows == [ids[2]]
    assert by_id(first)["duplicates"].rows == [ids[1]]
    for finding in first.findings:
        if finding.severity != "info":
            store.exclude(finding.rows)
    exported = store.preferences("mine", ExportPolicy(include_imported=True))
    assert [one.external_id for one in exported] == [rows[0].external_id]
    second = report()
    assert second.rows == 1 and second.duplicates == 0
    assert not [one for one in second.findings if one.severity == "error"]
    with pytest.raises(NotFoundError, match="no dataset 'other'"):
        library_rows(store, "other")
    store.close()


def test_peoples_votes_outweigh_the_sources_preference(pairs, workspace):
    from studio.annotation import LabelEvent

    store = AnnotationStore(workspace.database_url)
    first = next(iter(source_rows(pairs, workspace).entries())).row
    store.add_rows("mine", [first])
    card = store.claim("ana")
    (item,) = store.browse()
    loser = next(one.id for one in item.candidates if one.text == PAIR["rejected"])
    store.save(LabelEvent("k" * 8, card.pair_id, "ana", "choose", winner_id=loser))
    (entry,) = library_rows(store, "mine").entries()
    assert (entry.row.chosen.text, entry.row.rejected.text) == (PAIR["rejected"], PAIR["chosen"])
    store.close()


def test_checks_without_a_model_load_no_torch():
    code = (
        "import sys\n"
        "import studio.preflight.check, studio.data.checked_rows, studio.annotation.library.preflight_rows\n"
        "import studio.preflight.client, studio.ui.data.check_panel\n"
        "from studio.preflight.checks import repeats, leakage, language, balance\n"
        "heavy = {'torch', 'transformers', 'trl', 'peft', 'datasets'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("chartqa/human.jsonl", 359),
        ("mllm_bench/pairs.jsonl", 291),
        ("multichart/multi_image_qa.jsonl", 24),
    ],
)
def test_real_data_is_read_whole(shared, check, name, rows):
    report = check(str(shared / name), limit=40)
    assert report.rows == min(rows, 40) and report.unreadable == 0
    assert next(iter(report.languages)) == "en"


def test_hostile_images_have_a_reason_each(shared, check):
    report = check(
        str(shared / "hostile_images" / "index.jsonl"),
        columns={"image": "file", "question": "=What?"},
    )
    lines = (shared / "hostile_images" / "index.jsonl").read_text().splitlines()
    assert report.rows == len(lines)
    found = by_id(report)["unreadable_images"]
    assert report.unreadable == len(found.rows) == len(found.reasons) > 40
    assert all(reason.strip() for reason in found.reasons.values())
