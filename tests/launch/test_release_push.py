"""A release on a stand-in for the hub: valid cards are taken, refusals become sentences."""

from __future__ import annotations

import pytest
from huggingface_hub import HfApi, ModelCard

from studio.core.errors import ConflictError, InputError, RunFailedError
from studio.launch.release_push import push_release
from studio.release.model_card import CARD, CardFacts, Licence, model_card, settled_licence
from studio.release.released_base import ReleasedBase
from tests.launch import card_hub
from tests.launch.jobs_hub import TOKEN

FACTS = CardFacts(
    name='A "good" name: [x](http://evil)',
    recipe=(("Rank", "8"),),
    data=("12 rows.",),
    limits=("It is small.",),
    licence=Licence("apache-2.0"),
    system_prompt='Say "yes"\nor ```no.',
)
BASE = ReleasedBase("HuggingFaceTB/SmolVLM-Instruct", "a" * 40)
REPORT = {"kind": "adapter", "method": "dpo", "step": 7, "quantization": "nf4", "settings": {}}


@pytest.fixture
def hub():
    state, server = card_hub.serve()
    yield state
    server.shutdown()


def written(folder, facts=FACTS, base=BASE, **report):
    folder.mkdir(parents=True, exist_ok=True)
    text = model_card(facts, base, REPORT | report, "100.0 % of 8 answers are those of the run.")
    (folder / CARD).write_text(text)
    (folder / "adapter_config.json").write_text("{}")
    return folder


def test_a_card_names_its_base_and_passes_the_hub(hub, tmp_path):
    folder = written(tmp_path / "run@7" / "adapter")
    data = ModelCard.load(folder / CARD).data
    assert data.base_model == BASE.name and data.to_dict()["base_model_relation"] == "adapter"
    assert data.library_name == "peft" and data.pipeline_tag == "image-text-to-text"
    assert {"dpo", "trl", "vlm-studio"} <= set(data.tags)
    text = (folder / CARD).read_text()
    assert "More Information Needed" not in text and r"[x](http" not in text.split("```")[0]
    assert text.count("```") == 4
    assert f'revision="{BASE.revision}"' in text and "NF4" in text
    assert push_release(folder, "ana/mine", api=hub.api).startswith(hub.url)
    push_release(folder, "ana/mine", api=hub.api)
    assert hub.files["models/ana/mine"][CARD].decode() == text


def test_the_code_in_a_card_can_be_parsed(tmp_path):
    for kind in ("adapter", "merged"):
        text = model_card(FACTS, BASE, REPORT | {"kind": kind}, "As the run.")
        code = text.split("```python\n")[1].split("```")[0]
        compile(code, "card", "exec")


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, RunFailedError, "not let you in"),
        (403, RunFailedError, "not let you write"),
        (409, ConflictError, "something else"),
        (400, RunFailedError, "refused"),
    ],
)
def test_a_refusal_of_the_hub_is_a_sentence(hub, tmp_path, status, kind, said):
    hub.refusing = status
    with pytest.raises(kind, match=said) as caught:
        push_release(written(tmp_path / "adapter"), "ana/mine", api=hub.api)
    assert "is kept" in caught.value.remedy and TOKEN not in str(caught.value)


def test_what_cannot_be_pushed_is_said(hub, tmp_path):
    away = HfApi(endpoint="http://127.0.0.1:9", token=TOKEN)
    with pytest.raises(RunFailedError, match="cannot be reached"):
        push_release(written(tmp_path / "one"), "ana/mine", api=away)
    with pytest.raises(InputError, match="cannot be a repository"):
        push_release(tmp_path / "one", "no name")
    unknown = CardFacts("mine", licence=Licence())
    with pytest.raises(InputError, match="licence"):
        push_release(written(tmp_path / "two", unknown), "ana/mine", api=hub.api)
    local = written(tmp_path / "three", base=ReleasedBase("/home/me/model"))
    with pytest.raises(RunFailedError, match="refused"):
        push_release(local, "ana/mine", api=hub.api)
    assert not hub.files.get("models/ana/mine")


def test_a_licence_goes_on_to_what_is_made_of_a_model():
    assert settled_licence("", Licence("llama3.2")).name == "llama3.2"
    assert settled_licence("mit", Licence("apache-2.0")).name == "mit"
    with pytest.raises(InputError, match="goes on"):
        settled_licence("mit", Licence("llama3.2"))
