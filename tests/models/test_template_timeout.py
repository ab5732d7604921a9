"""Chat templates that loop for ever are interrupted, wherever they are rendered."""

from __future__ import annotations

import json
import shutil
import threading

import pytest

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.core.paths import TINY_VLM
from studio.models import template_timeout
from studio.models.model_source import load_processor

LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
QUESTION = [{"role": "user", "content": [{"type": "text", "text": "How many for ever?"}]}]


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """The embedded model with a chat template that never ends."""
    monkeypatch.setattr(template_timeout, "SECONDS", 0.2)
    folder = tmp_path / "hostile"
    shutil.copytree(TINY_VLM, folder)
    for name in ("processor_config.json", "tokenizer_config.json", "chat_template.json"):
        path = folder / name
        if path.is_file():
            values = json.loads(path.read_text(encoding="utf-8"))
            values.pop("chat_template", None)
            path.write_text(json.dumps(values), encoding="utf-8")
    usual = (TINY_VLM / "chat_template.jinja").read_text(encoding="utf-8")
    sometimes = f"{{% if 'for ever' in messages | string %}}{LOOP}{{% endif %}}{usual}"
    (folder / "chat_template.jinja").write_text(sometimes, encoding="utf-8")
    return load_processor(ModelConfig(id=str(folder)))


def test_a_template_that_never_ends_is_refused_with_its_model(hostile, tmp_path):
    (tmp_path / "hostile" / "chat_template.jinja").write_text(LOOP, encoding="utf-8")
    with pytest.raises(ModelError, match="chat template was not done"):
        load_processor(ModelConfig(id=str(tmp_path / "hostile")))


@pytest.mark.parametrize("part", ["processor", "tokenizer"])
def test_an_endless_template_ends(hostile, part):
    renders = hostile if part == "processor" else hostile.tokenizer
    with pytest.raises(ModelError, match="chat template was not done"):
        renders.apply_chat_template(QUESTION, chat_template=LOOP, tokenize=False)


def test_it_ends_in_other_threads_and_later_ones_go_on(hostile):
    told = []

    def render():
        try:
            hostile.apply_chat_template(QUESTION, tokenize=False)
        except ModelError as error:
            told.append(error)

    threads = [threading.Thread(target=render) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 2
    plain = "{{ messages[0].role }}"
    assert hostile.apply_chat_template(QUESTION, chat_template=plain, tokenize=False) == "user"


def test_every_place_that_renders_in_transformers_is_bounded():
    template_timeout.bound_rendering()
    template_timeout.bound_rendering()
    for module in template_timeout.USERS:
        render = getattr(module, template_timeout.RENDER)
        assert hasattr(render, "__wrapped__") and not hasattr(render.__wrapped__, "__wrapped__")
