"""The table of formats: what the command, the form and the docs say of it."""

from __future__ import annotations

import inspect
from typing import get_args

from studio.annotation.export.formats.format_table import FILES, FORMATS, LINES, formats_of
from studio.annotation.export.preference_export import Shape
from studio.cli import data as command
from studio.data.manifest import list_exports
from tests.annotation.export.conftest import export
from tests.places import ROOT


def test_the_command_names_every_format_and_every_shape():
    options = inspect.get_annotations(command.export, eval_str=True)
    named = options["format"].__metadata__[0].help
    assert [name.strip() for name in named.rstrip(".").split(",")] == list(FORMATS)
    shapes = options["shape"].__metadata__[0].help
    assert all(shape in shapes for shape in get_args(Shape))


def test_every_format_has_a_line_and_every_shape_a_format():
    assert list(LINES) == list(FORMATS)
    for shape in get_args(Shape):
        assert formats_of(shape)
    for format in FILES.values():
        assert set(format.shapes) <= set(get_args(Shape))


def test_the_docs_have_a_row_for_each_format():
    text = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    for name, format in FILES.items():
        assert f"| `{name}` |" in text, name
        assert format.title in text


def test_only_what_the_studio_trains_on_is_offered_for_training(told, workspace):
    for name in FILES:
        export(told, workspace, format=name)
    assert list_exports(workspace) == []
