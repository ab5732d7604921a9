"""What strangers send: refused with the row and the reason, and never half imported."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest
from PIL import Image

from studio.annotation import AnnotationStore
from studio.annotation.library.source_import import import_source
from studio.core.paths import Workspace
from studio.core.spreadsheet import neutral
from studio.data import image_decoding as image_module
from studio.data.image_store import ImageStore
from tests.data.conftest import slow_jpeg

GOOD = {"image": "good.png", "question": "q", "answer": "a"}

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def encoded(image: Image.Image, image_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def png(size=(4, 4)) -> bytes:
    return encoded(Image.new("RGB", size, "red"), "PNG")


@pytest.fixture
def folder(tmp_path) -> Path:
    place = tmp_path / "given"
    place.mkdir()
    (place / "good.png").write_bytes(png())
    return place


@pytest.fixture
def store(tmp_path):
    workspace = Workspace.locate(tmp_path / "workspace")
    opened = AnnotationStore(workspace.database_url)
    opened.workspace = workspace
    yield opened
    opened.close()


@pytest.fixture
def bring(folder, store):
    """Imports records, one bad one between two good ones; returns the bad ones by line."""

    def imported(*records: dict | bytes) -> dict[int, str]:
        lines = [
            record if isinstance(record, bytes) else json.dumps(record).encode()
            for record in (GOOD, *records, {**GOOD, "question": "last"})
        ]
        (folder / "rows.jsonl").write_bytes(b"\n".join(lines))
        report = import_source(str(folder / "rows.jsonl"), store.workspace, store)
        assert report.added == store.count() == len(records) + 2 - report.bad_count
        if report.left_out is None:
            return {}
        with report.left_out.open(encoding="utf-8-sig", newline="") as handle:
            listed = list(csv.DictReader(handle))
        assert [(int(row["line"]), row["reason"]) for row in listed] == [
            (bad.line, neutral(bad.reason)) for bad in report.bad
        ]
        return {bad.line: bad.reason for bad in report.bad}

    return imported


def images(folder: Path, **contents: bytes) -> list[dict]:
    for name, content in contents.items():
        (folder / f"{name}.png").write_bytes(content)
    return [{**GOOD, "image": f"{name}.png", "question": name} for name in contents]


def test_19_bombs_and_truncated_images_are_rejected_row_by_row(bring, folder, monkeypatch):
    monkeypatch.setattr(image_module, "MAX_PIXELS", 10_000)
    rows = images(folder, bomb=png((500, 500)), cut=png((90, 90))[:70], empty=b"")
    bad = bring(*rows)
    assert "500 × 500 pixels" in bad[2] and "damaged" in bad[3] and "empty" in bad[4]


def test_19_a_slow_decode_is_given_up_and_the_rest_comes_in(bring, folder, store, monkeypatch):
    rows = images(folder, fine=png((60, 60)), slow=slow_jpeg(20_000), also=png((50, 50)))
    monkeypatch.setattr(image_module, "MAX_SECONDS", 0.1)
    began = time.thread_time()
    bad = bring(*rows)
    assert list(bad) == [3] and "takes more than 0.1 s to decode" in bad[3]
    assert time.thread_time() - began < 5
    assert not list(store.workspace.images.rglob("*.jpg")), "nothing of it stays"


def test_20_every_kind_of_pixel_is_the_same_picture_everywhere(folder, store):
    exif = Image.Exif()
    exif[image_module.EXIF_ORIENTATION] = 6
    frames = [Image.new("RGB", (6, 2), colour) for colour in ("red", "blue")]
    rows = images(
        folder,
        jpeg=encoded(Image.new("RGB", (6, 2)), "JPEG"),
        mpo=encoded(frames[0], "MPO", save_all=True, append_images=frames[1:]),
        palette=encoded(Image.new("P", (6, 2)), "PNG"),
        grey=encoded(Image.new("L", (6, 2)), "PNG"),
        cmyk=encoded(Image.new("CMYK", (6, 2)), "JPEG"),
        deep=encoded(Image.new("I;16", (6, 2), 0x8000), "PNG"),
        turned=encoded(Image.new("RGB", (2, 6)), "JPEG", exif=exif),
        moving=encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
    )
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = import_source(str(folder / "rows.jsonl"), store.workspace, store)
    assert (report.added, report.bad_count) == (8, 0)
    kept = ImageStore(store.workspace)
    for item in store.browse():
        (sha,) = item.images
        assert kept.open(sha).size == (6, 2) and kept.open(sha).mode == "RGB"
        shown = Image.open(kept.view_path(sha))
        thumb = Image.open(kept.thumb_path(sha))
        assert thumb.size == (6, 2), item.question
        if item.question != "turned":
            assert shown.size == (6, 2)


def test_21_only_known_formats_whatever_the_name_says(bring, folder):
    rows = images(
        folder,
        svg=SVG,
        html=b"<html><img src=x onerror=alert(1)>",
        tiff=encoded(Image.new("RGB", (4, 4)), "TIFF"),
        eps=b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
    )
    bad = bring(*rows)
    assert sorted(bad) == [2, 3, 4, 5] and all("not a PNG, JPEG" in bad[line] for line in bad)


def test_22_damaged_lines_are_named(bring):
    bad = bring(
        b'{"image": "good.png", "question": ',
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
        {**GOOD, "question": "one \ufffd more"},
        {**GOOD, "question": "nul \0"},
        {**GOOD, "question": "x" * 1_000_000},
        b'{"image": "good.png", "image": "good.png", "question": "q", "answer": "a"}',
    )
    assert sorted(bad) == [2, 5, 6, 7]  # the mark of a byte order in front of line 3 is no damage
    assert "not valid JSON" in bad[2] and "NUL" in bad[5] and "1,000,000" in bad[6]
    assert "'image' appears twice" in bad[7]


def test_22_what_no_database_takes_is_named_and_the_rest_comes_in(bring, store):
    half = "half \ud800"
    bad = bring(
        {**GOOD, "id": half},
        {**GOOD, "answer_author": "nul \0"},
        {**GOOD, "image": f"{half}.png"},
        {**GOOD, "answer": json.loads("[" * 400 + "]" * 400)},
        {**GOOD, "note": half, half: 1, "score": float("inf"), "kept": [1, "two"]},
    )
    assert sorted(bad) == [2, 3, 4, 5]
    assert "surrogate" in bad[2] and "NUL" in bad[3] and "file name" in bad[4]
    assert "nested" in bad[5]
    kept = next(item.meta for item in store.browse() if "kept" in item.meta)
    assert "score" not in kept  # an infinite number is no JSON value: it counts as none


def test_22_what_is_beside_a_row_is_kept_where_every_reader_can_read_it(bring, store):
    half = "half \ud800"
    assert bring({**GOOD, "note": half, half: 1, "kept": [1, "two"]}) == {}
    assert store.browse()[1].meta == {"kept": [1, "two"]}


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "/etc/passwd", "\\\\host\\share\\a.png", "C:\\a.png",
     "http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "link.png"],
)  # fmt: skip
def test_23_images_are_looked_up_beside_the_data_only(bring, folder, tmp_path, name, monkeypatch):
    (tmp_path / "secret.png").write_bytes(png())
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    monkeypatch.setattr("socket.socket.connect", lambda *given: pytest.fail("fetched"))
    bad = bring({**GOOD, "image": name})
    assert list(bad) == [2] and any(word in bad[2] for word in ("outside", "address", "out of"))


@pytest.mark.parametrize("name", ["../good.png", "/mnt/old/good.png", "C:\\data\\good.png"])
def test_23_names_of_elsewhere_lead_to_the_one_image_beside_the_data(bring, tmp_path, name):
    (tmp_path / "good.png").write_bytes(png((7, 7)))
    assert bring({**GOOD, "image": name, "id": "elsewhere"}) == {}


def test_25_pairs_that_teach_nothing_are_counted_and_make_no_pair(bring, folder, store):
    pair = {"image": "good.png", "question": "q", "chosen": "x"}
    bad = bring(
        {**GOOD, "image": "gone.png"}, {**pair, "rejected": " "}, {**pair, "rejected": None}
    )
    assert "no image file" in bad[2] and "empty" in bad[3] and "missing" in bad[4]
    rows = [{"image": "good.png", "question": f"q{n}", "chosen": "x", "rejected": "x "[: n + 1]}
            for n in range(2)]  # fmt: skip
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = import_source(str(folder / "pairs.jsonl"), store.workspace, store)
    assert (report.added, report.identical) == (2, 2)
    assert store.datasets()[1].pairs == 0
    assert store.claim("ana") is None


def test_26_a_literal_image_tag_without_its_image_is_refused(bring):
    bad = bring(
        {**GOOD, "question": "<image> and <image>"},
        {**GOOD, "answer": "the tag <image> or <end_of_utterance>"},
    )
    assert list(bad) == [2] and "1 images for 2 <image> tags" in bad[2]


def test_27_markup_stays_text_and_fetches_nothing(bring, store, monkeypatch):
    texts = [
        "<img src=x onerror=alert(1)>", "<style>*{display:none}</style>", "$$x$$ {{y}} ${z}",
        "![seen](http://192.0.2.1/track.png)", "<img src='//192.0.2.1/track.png'>",
        "[a](javascript:alert(1))", "\\(\\href{javascript:alert(1)}{x}\\)",
    ]  # fmt: skip
    monkeypatch.setattr("socket.socket.connect", lambda *given: pytest.fail("fetched"))
    records = [{**GOOD, "question": text, "answer": text, "note": text} for text in texts]
    assert bring(*records) == {}
    items = store.browse()[1:-1]
    assert [item.question for item in items] == texts
    assert [item.candidates[0].text for item in items] == texts
    assert [item.meta["note"] for item in items] == texts


def test_28_cells_that_look_like_formulas_are_only_text(folder, store):
    (folder / "cells.csv").write_text(
        "image,question,answer\ngood.png,=1+1,@x\n\t=y.png,q,a\n+z.png,-q,a\n"
    )
    report = import_source(str(folder / "cells.csv"), store.workspace, store)
    (item,) = store.browse()
    assert (item.question, item.candidates[0].text) == ("=1+1", "@x")
    listed = report.left_out.read_text(encoding="utf-8-sig")
    assert report.bad_count == 2 and not any(
        cell.startswith(("=", "+", "-", "@", "\t"))
        for line in csv.reader(listed.splitlines())
        for cell in line
    )


def test_an_import_cut_off_half_way_leaves_nothing(folder, store, monkeypatch):
    (folder / "rows.jsonl").write_text(
        "\n".join(json.dumps({**GOOD, "question": str(n)}) for n in range(900))
    )

    def cut(read, total):
        if read >= 700:
            raise OSError(28, "No space left on device")

    from studio.core.errors import RunFailedError

    with pytest.raises(RunFailedError, match="No space left"):
        import_source(str(folder / "rows.jsonl"), store.workspace, store, on_progress=cut)
    assert store.datasets() == [] and store.count() == 0
    assert not list(store.workspace.root.glob("imports/*"))
