"""Questions, annotations and captions that name images by number."""

from __future__ import annotations

import json

import pytest

from studio.core.errors import DataError
from studio.data.schema import BadRow, Row
from studio.data.sources import open_source
from studio.data.sources.coco_files import subset_of
from studio.data.sources.registry import open_reader
from tests.data.conftest import png

TEN = [{"answer": "red", "answer_confidence": "yes", "answer_id": n} for n in range(10)]


def vqa(folder, subset: str, ids=(70, 71)):
    """A pair of files as VQAv2 has them, and the images they name."""
    asked = [{"image_id": one // 10, "question": f"q{one}", "question_id": one} for one in ids]
    told = [
        {"question_type": "what", "multiple_choice_answer": "red", "answers": TEN,
         "image_id": one // 10, "answer_type": "other", "question_id": one}
        for one in ids
    ]  # fmt: skip
    questions = folder / f"v2_OpenEnded_mscoco_{subset}_questions.json"
    answers = folder / f"v2_mscoco_{subset}_annotations.json"
    questions.write_text(json.dumps({"info": {}, "data_subtype": subset, "questions": asked}))
    answers.write_text(json.dumps({"info": {}, "annotations": told}))
    for one in ids:
        (folder / f"COCO_{subset}_{one // 10:012}.png").write_bytes(png(size=(8, one)))
    return questions, answers


def test_questions_and_annotations_are_joined_whichever_is_named(tmp_path, workspace):
    questions, answers = vqa(tmp_path, "val2014")
    for named in (questions, answers, tmp_path):
        reader = open_reader(str(named), None, workspace)
        first, _ = (record.values for record in reader.records())
        assert first == {
            "image": "COCO_val2014_000000000007.jpg", "image_id": 7, "question_id": 70,
            "question": "q70", "question_type": "what", "answer_type": "other",
            "multiple_choice_answer": "red", "answers": TEN,
        }  # fmt: skip
        assert questions.name in reader.label and answers.name in reader.label
        rows = list(open_source(str(named), workspace=workspace).rows())
        assert all(isinstance(row, Row) and len(row.images) == 1 for row in rows)
    read = [group for group in reader.files(set()) if group.state == "imported"]
    assert read[0].count == 2


def test_pairs_of_several_subsets_are_splits(tmp_path, workspace):
    vqa(tmp_path, "val2014", (10, 20))
    vqa(tmp_path, "train2014", (30, 40, 50))
    reader = open_reader(str(tmp_path), None, workspace)
    assert set(reader.splits) == {"train", "val"} and reader.count() == 3
    assert open_reader(str(tmp_path), "val", workspace).count() == 2


def test_annotations_without_questions_say_what_is_missing(tmp_path, workspace):
    questions, answers = vqa(tmp_path, "val2014")
    questions.unlink()
    with pytest.raises(DataError, match="no file beside it has the questions") as caught:
        open_reader(str(answers), None, workspace)
    assert "_questions.json" in caught.value.remedy


def test_questions_without_annotations_are_rows_to_answer(tmp_path, workspace):
    questions, answers = vqa(tmp_path, "test2015")
    answers.unlink()
    reader = open_reader(str(questions), None, workspace)
    assert reader.label.endswith("without annotations") and reader.splits == ("test",)
    assert [record.values["question"] for record in reader.records()] == ["q70", "q71"]


def test_annotations_of_no_question_are_named(tmp_path, workspace):
    questions, _ = vqa(tmp_path, "val2014")
    value = json.loads(questions.read_text())
    value["questions"].pop()
    questions.write_text(json.dumps(value))
    records = list(open_reader(str(questions), None, workspace).records())
    assert isinstance(records[1], BadRow) and "71" in records[1].reason


def captions(path, *ids):
    images = [{"id": one, "file_name": f"{one:06}.png", "height": 6} for one in ids]
    notes = [
        {"image_id": one, "id": 10 * one + n, "caption": f"{one}-{n}"}
        for n in range(2)
        for one in (*ids, 99)
    ]
    value = {"info": {}, "licenses": [], "images": images, "annotations": notes}
    path.write_text(json.dumps(value))


def test_captions_are_put_to_their_images(tmp_path, workspace):
    captions(tmp_path / "captions_val2017.json", 7)
    captions(tmp_path / "captions_train2017.json", 8, 9)
    first, second, stray = open_reader(str(tmp_path), "train", workspace).records()
    assert first.values == {
        "image": "000008.png", "image_id": 8, "height": 6, "captions": ["8-0", "8-1"],
    }  # fmt: skip
    assert second.values["captions"] == ["9-0", "9-1"]
    assert isinstance(stray, BadRow) and "99" in stray.reason
    assert open_reader(str(tmp_path), "val", workspace).count() == 2


def test_what_annotations_say_besides_captions_is_kept(tmp_path, workspace):
    value = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"image_id": 1, "id": 5, "bbox": [1, 2, 3, 4], "category_id": 3}],
        "categories": [{"id": 3, "name": "bar"}],
    }
    (tmp_path / "instances_val2017.json").write_text(json.dumps(value))
    (record,) = open_reader(str(tmp_path), None, workspace).records()
    assert record.values["annotations"] == value["annotations"]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("captions_val2017.json", "val"), ("v2_mscoco_train2014_annotations.json", "train"),
        ("v2_OpenEnded_mscoco_test-dev2015_questions.json", "test"),
        ("rows_val.json", ""), ("questions_trained.json", ""),
    ],
)  # fmt: skip
def test_names_of_such_files_tell_the_split(tmp_path, name, split):
    assert subset_of(tmp_path / name) == split
