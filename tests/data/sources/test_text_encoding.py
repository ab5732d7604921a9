"""The encoding of a text, told from its bytes."""

from __future__ import annotations

import codecs

import pytest

from studio.data.sources.text_encoding import SAMPLE, encoding_of, guessed

CHINESE = '{"图片": "红.png", "问题": "什么颜色?", "答案": "红色。"}\n'


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", "utf-8-sig"),
        (b"plain", "utf-8-sig"),
        (CHINESE.encode(), "utf-8-sig"),
        (codecs.BOM_UTF8 + b"plain", "utf-8-sig"),
        (CHINESE.encode("gb18030"), "gb18030"),
        (CHINESE.encode("utf-16"), "utf-16"),
        ('{"a": "Röt."}'.encode("utf-16-le"), "utf-16-le"),
        ('{"a": "Röt."}'.encode("utf-16-be"), "utf-16-be"),
        ('{"a": 1}'.encode("utf-32"), "utf-32"),
        ("été, déjà vu, São Paulo, Übung".encode("latin-1"), "utf-8-sig"),
        (CHINESE.encode() * 3 + b'{"a": "\xff"}\n', "utf-8-sig"),
        (b'{"a": "\xff\xfe"}', "utf-8-sig"),
    ],
)
def test_the_bytes_tell_the_encoding(content, encoding):
    assert guessed(content) == encoding


def test_a_character_cut_by_the_sample_is_no_damage(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x" * (SAMPLE - 1) + "红".encode())
    assert encoding_of(tmp_path / "a.txt") == "utf-8-sig"
