"""What is wrong with YAML is a sentence with its line, and nothing takes long."""

from __future__ import annotations

import pytest
import yaml

from studio.config import run_file, yaml_text
from studio.config.yaml_text import YamlError, parse, read
from studio.core.errors import ConfigError

BILLION = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2026-13-45", "'2026-13-45' is no date"),
        ("!!int x", "'x' is no whole number"),
        ("!!float x", "'x' is no number"),
        ("!!bool x", "'x' is no yes or no"),
        ("!!timestamp x", "'x' is no date"),
        ("!!binary é", "base64"),
        ("!!int [1]", "this is no whole number"),
        ("9" * 5000, "this number is too long"),
        ("1" + ":59" * 5000, "this number is too long"),
        ("0x" + "f" * 5000, "this number is too long"),
        ("[" * 900, "more than 40 lists or mappings are inside each other"),
        ("{" * 2500, "exceeded maximum nesting depth"),
        ("[" * 45 + "]" * 45, "more than 40 lists or mappings are inside each other"),
        ("&x [*x]", "*x is inside itself"),
        ("!!python/object:os.system x", "could not determine a constructor"),
        ("[1", "did not find expected"),
        ("*nobody", "undefined alias"),
        ("? [1]\n: 2", ""),
    ],
)
def test_every_error_is_a_sentence_with_its_line(value, said):
    with pytest.raises(YamlError) as caught:
        parse(f"name: r\nnotes: {value}")
    assert said in str(caught.value)
    assert str(caught.value).startswith("is not valid YAML: line 2") or not said or "[1" in value
    assert "\n" not in str(caught.value)


def test_what_is_named_again_and_again_is_not_made():
    with pytest.raises(YamlError, match="more than 50,000 values"):
        parse(BILLION)


def test_a_text_has_an_end_and_only_characters(tmp_path):
    with pytest.raises(YamlError, match="longer than 256 KB"):
        parse("x: " + "a" * (256 << 10))
    for text in ("x: \x00", "x: \ud800"):
        with pytest.raises(YamlError):
            parse(text)
    (tmp_path / "long").write_bytes(b"\xff" * (300 << 10))
    (tmp_path / "odd").write_bytes(b"x: \xff")
    for name, said in (("long", "longer"), ("odd", "UTF-8")):
        with pytest.raises(YamlError, match=said):
            read(tmp_path / name)


def test_what_is_right_is_what_it_was():
    text = "a: &x {b: [1, 2.5, yes, null, 2026-01-02, 'é']}\nc: *x\nd: !!set {e, f}\n<<: {g: 1}"
    assert parse(text) == yaml.safe_load(text)
    assert parse("") is None


def test_without_the_fast_parser_it_is_the_same(monkeypatch):
    monkeypatch.setattr(yaml_text, "_Base", yaml.SafeLoader)
    with pytest.raises(YamlError, match="inside each other"):
        parse("a: " + "[" * 900)
    assert parse("a: [1]") == {"a": [1]}


@pytest.mark.parametrize("text", ["notes: 2026-13-45", "? 1\n: 2", "[" * 900, "'a': !!int x"])
def test_a_run_file_with_an_odd_value_is_refused_in_a_sentence(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        run_file.load(path)


@pytest.mark.parametrize("value", ["!!int x", "[" * 900, "9" * 5000, "2026-13-45"])
def test_an_override_with_an_odd_value_is_refused_in_a_sentence(value):
    with pytest.raises(ConfigError) as caught:
        run_file.override({}, [f"seed={value}"])
    assert len(str(caught.value)) < 500
