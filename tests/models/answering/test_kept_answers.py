"""Answers on disk, whatever happens to their writer."""

import os

from studio.models.answering.kept_answers import KeptAnswers, key_of, prune


def test_a_torn_line_costs_itself_only(tmp_path):
    KeptAnswers(tmp_path, "m").put({"a": {"text": "one\ntwo \u2028 é"}})
    with (tmp_path / "m.jsonl").open("ab") as handle:
        handle.write(b'{"key": "b", "te')
    second = KeptAnswers(tmp_path, "m")
    assert second.get("a") == {"text": "one\ntwo \u2028 é"} and second.get("b") is None
    second.put({"c": {"text": "three"}})
    third = KeptAnswers(tmp_path, "m")
    assert third.get("a") and third.get("c") == {"text": "three"} and third.get("b") is None


def test_lines_that_are_no_answers_are_passed_over(tmp_path):
    (tmp_path / "m.jsonl").write_bytes(b'[1]\n{"text": "no key"}\n\xff\xfe\nnull\n')
    assert KeptAnswers(tmp_path, "m").get("text") is None


def test_a_disk_that_takes_nothing_is_said_and_answers_stay_in_memory(tmp_path):
    (tmp_path / "m.jsonl").mkdir()
    kept = KeptAnswers.__new__(KeptAnswers)
    kept._path, kept._known, kept.full = tmp_path / "m.jsonl", {}, ""
    kept.put({"a": {"text": "one"}})
    assert "could not be kept" in kept.full and kept.get("a") == {"text": "one"}


def test_a_name_depends_on_every_part():
    assert key_of("a", ["b"]) == key_of("a", ["b"]) != key_of("ab", []) != key_of("a", "b")


def test_answers_that_were_not_used_for_longest_make_room(tmp_path):
    for number, name in enumerate(("old", "older", "new")):
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(b"x" * 100)
        os.utime(path, (number + 1, number + 1))
    prune(tmp_path, 200, keep=tmp_path / "old.jsonl")
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["new", "old"]
    KeptAnswers(tmp_path, "old")
    assert (tmp_path / "old.jsonl").stat().st_mtime > (tmp_path / "new.jsonl").stat().st_mtime
