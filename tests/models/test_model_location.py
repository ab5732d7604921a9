"""A wrong name of a model is told in our words, the same at every door."""

import json
import shutil

import pytest
import yaml
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

from studio.cli.main import main
from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.core.paths import TINY_VLM
from studio.models import model_source
from studio.models.model_source import load_config, load_processor

DOORS = (load_config, load_processor)


def refused(door, name):
    with pytest.raises(ModelError) as caught:
        door(ModelConfig(id=str(name)))
    assert caught.value.field == "model.id" and caught.value.remedy
    return caught.value


@pytest.fixture
def adapter(tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": "owner/charts"})
    )
    return folder


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/does/not/exist", "There is no folder /does/not/exist."),
        ("./nowhere", "There is no folder ./nowhere."),
        ("~/nowhere-at-all", "There is no folder ~/nowhere-at-all."),
        ("C:\\models\\charts", "There is no folder C:\\models\\charts."),
        ("foo bar//baz", "'foo bar//baz' is no folder here, and no hub id."),
        ("a/b/c", "'a/b/c' is no folder here, and no hub id."),
        (str(TINY_VLM / "config.json"), "is a file; a model is a folder."),
    ],
)
def test_a_name_that_nothing_has_is_refused_without_a_library_s_words(door, name, said):
    error = refused(door, name)
    assert said in error.message and "repo" not in str(error).lower()


@pytest.mark.parametrize("door", DOORS)
def test_an_adapter_is_called_one_with_its_base_and_how_it_is_used(door, adapter):
    error = refused(door, adapter)
    assert "is an adapter, no model: trained on owner/charts." in error.message
    assert "adapter.continue_from" in error.remedy and f"--adapter {adapter}" in error.remedy
    (adapter / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(TINY_VLM)})
    )
    assert "trained on embedded" in refused(door, adapter).message
    (adapter / "adapter_config.json").write_text("{")
    assert "does not say" in refused(door, adapter).message


@pytest.mark.parametrize("door", DOORS)
def test_a_folder_without_a_configuration_is_no_model(door, tmp_path):
    assert "there is no config.json" in refused(door, tmp_path).message


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (["processor_config.json"], "holds no image processor (preprocessor_config.json or"),
        (["tokenizer.json", "tokenizer_config.json"], "holds no tokenizer (tokenizer.json or"),
    ],
)
def test_the_files_that_a_processor_lacks_are_named(tmp_path, gone, said):
    folder = shutil.copytree(TINY_VLM, tmp_path / "model")
    for name in gone:
        (folder / name).unlink()
    assert said in refused(load_processor, folder).message


def raised(kind):
    """An error of the hub as transformers raises it: around the one that says what it was."""
    error = OSError("Can't load it. See\nhttps://huggingface.co/models")
    error.__cause__ = kind.__new__(kind)
    return error


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (LocalEntryNotFoundError, "the hub could not be reached"),
        (RepositoryNotFoundError, "The hub has no model owner/none"),
        (GatedRepoError, "whom its owners let in"),
        (ValueError, "owner/none cannot be loaded: Can't load it. See."),
    ],
)
def test_what_the_hub_answers_is_told_in_our_words(monkeypatch, door, kind, said):
    class Hub:
        @staticmethod
        def from_pretrained(*_, **__):
            raise raised(kind)

    monkeypatch.setattr(model_source, "AutoConfig", Hub)
    monkeypatch.setattr(model_source, "AutoProcessor", Hub)
    assert said in refused(door, "owner/none").message


@pytest.mark.parametrize("command", ["plan", "check", "chat"])
def test_every_command_says_the_same(command, adapter, tmp_path, capsys):
    run_file = tmp_path / "run.yaml"
    run_file.write_text(yaml.safe_dump({"model": {"id": str(adapter)}}))
    asked = {
        "plan": [str(run_file)],
        "check": ["embedded:sft", "--model", str(adapter)],
        "chat": [str(adapter), "What is it?"],
    }[command]
    assert main([command, *asked, "--workspace", str(tmp_path / "workspace")]) == 2
    assert "is an adapter, no model: trained on owner/charts." in capsys.readouterr().err
