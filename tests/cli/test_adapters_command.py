"""Adapters named on the command line: confirmed, checked, refused in a sentence."""

from pathlib import Path

import pytest
import yaml

from studio.cli.main import main
from tests.adapter_folders import configured, save_adapter_of

IMAGE = str(sorted(Path("assets/samples/heldout/images").glob("*.png"))[0])


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """An adapter that names its base by a path of another machine."""
    folder = tmp_path_factory.mktemp("made") / "elsewhere"
    return str(save_adapter_of(configured("LORA"), folder, base="/data/models/Charts"))


def test_chat_takes_an_adapter_of_the_same_base_once_that_is_confirmed(elsewhere, tmp_path, capsys):
    asked = ["chat", "embedded", "Colour?", "--adapter", elsewhere, "--image", IMAGE]
    place = ["--max-new-tokens", "4", "--workspace", str(tmp_path)]
    assert main([*asked, *place]) == 2
    said = capsys.readouterr().err
    assert "/data/models/Charts" in said and "--same-base" in said and "Traceback" not in said
    assert main([*asked, "--same-base", *place]) == 0


def test_a_run_takes_it_once_the_run_file_says_so(elsewhere, tmp_path, capsys):
    values = {
        "adapter": {"continue_from": elsewhere},
        "data": {"source": "embedded:sft", "train": "train[:4]"},
        "batch": {"per_device": 2, "total": 2},
    }
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(values))
    asked = ["plan", str(file), "--workspace", str(tmp_path)]
    assert main(asked) == 2
    assert "adapter.base_is_same: true" in capsys.readouterr().err
    assert main([*asked, "--set", "adapter.base_is_same=true"]) == 0


def test_check_says_whether_an_adapter_can_be_trained_further(elsewhere, tmp_path, capsys):
    folder = save_adapter_of(configured("LORA", bias="all"), tmp_path / "biases")
    asked = ["check", "embedded:preferences", "--limit", "2", "--workspace", str(tmp_path)]
    assert main([*asked, "--adapter", str(folder), "--method", "dpo"]) == 2
    assert "biases" in capsys.readouterr().err
    assert main([*asked, "--adapter", str(folder)]) == 0
    assert main([*asked, "--adapter", elsewhere, "--same-base"]) == 0
    assert main([*asked, "--adapter", "no-such-run"]) == 2
    assert main([*asked, "--adapter", str(folder), "--method", "rl"]) == 2
