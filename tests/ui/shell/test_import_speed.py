"""Quick imports read source text as Python does, and leave nothing changed."""

import ast
import gc

from studio.ui.shell.import_speed import _LINE, quick_imports


def test_lines_are_those_of_python():
    source = "a\r\nb\rc\n\n\x0cd = '\u2028'\nend"
    assert _LINE.findall(source) == ["a\r\n", "b\r", "c\n", "\n", "\x0cd = '\u2028'\n", "end"]
    assert "".join(_LINE.findall(source)) == source


def test_nothing_stays_changed():
    before = getattr(ast, "_splitlines_no_ff", None)
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert getattr(ast, "_splitlines_no_ff", None) is before
