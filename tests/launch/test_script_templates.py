"""Templates of scripts: values are quoted for where they stand, and none may be missing."""

import subprocess

import jinja2
import pytest

from studio.launch import script_templates
from studio.launch.script_templates import arguments, fill, pretty


def test_values_become_python_that_means_the_same():
    values = {"out": "a'b", "rates": {f"part {n}": n / 3 for n in range(9)}, "none": None}
    text = arguments(values)
    assert eval(f"dict(\n{text}\n)") == values
    assert len(text.splitlines()) > len(values), "one that is too long takes several lines"
    assert eval(pretty(values)) == values


def test_words_of_a_shell_are_quoted_and_nothing_is_left_out(monkeypatch):
    templates = jinja2.DictLoader({"say.sh": "printf %s {{ word | shell }}\n"})
    monkeypatch.setattr(script_templates._TEMPLATES, "loader", templates)
    word = "a b'; echo $(id) <&>"
    script = fill("say.sh", word=word)
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == word
    with pytest.raises(jinja2.UndefinedError, match="word"):
        fill("say.sh")
