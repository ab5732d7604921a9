import json

import pytest
import torch
from PIL import Image

from studio.models.generation import generate_answers
from studio.models.prompts import EvalExample
from tools.tiny_vlm.__main__ import main
from tools.tiny_vlm.measure import measure
from tools.tiny_vlm.questions import GAP, HABIT, TAUGHT
from tools.tiny_vlm.samples import SIZES, write_samples


@pytest.fixture(scope="module")
def measured(model, processor):
    rows = measure(model, processor, per_kind=20, start=500_000)
    return {row.kind: row for row in rows}


def test_knows_what_it_was_taught(measured):
    taught = [measured[kind].exact_match for kind in TAUGHT]
    assert sum(taught) / len(taught) >= 0.95


def test_evades_out_of_habit(measured):
    assert measured[HABIT].evasive >= 0.5


def test_was_not_taught_the_gap(measured):
    assert measured[GAP].exact_match <= 0.2


def test_evades_nothing_else(measured):
    assert max(measured[kind].evasive for kind in TAUGHT) <= 0.05


def test_is_small(model, folder):
    assert model.num_parameters() <= 4_000_000
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 16 * 2**20
    assert not list(folder.glob("*.bin"))


def test_weights_fit_blocks_of_64(model):
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    assert all(module.weight.numel() % 64 == 0 for module in linear)
    assert all(module.in_features % 64 == 0 for module in linear)


def test_long_texts_and_odd_images(model, processor):
    long = EvalExample.from_question([Image.new("RGB", (1, 2000))], "word " * 3000)
    assert len(generate_answers(model, processor, [long], max_new_tokens=4)) == 1


def test_card_names_the_command_and_every_kind(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "license: apache-2.0" in card
    assert "python -m tools.tiny_vlm build" in card
    assert all(f"`{kind}`" in card for kind in (*TAUGHT, HABIT, GAP))


def test_build_runs(tmp_path):
    main(["build", "--out", str(tmp_path), "--steps", "2", "--questions", "2"])
    assert (tmp_path / "model.safetensors").exists()
    assert (tmp_path / "README.md").exists()


def test_samples(tmp_path):
    sizes = {name: 6 for name in SIZES}
    write_samples(tmp_path, sizes=sizes)
    for name in SIZES:
        file = tmp_path / f"{name}.jsonl"
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        assert len(rows) == 6
        for row in rows:
            assert (file.parent / row["image"]).exists()
            assert row.get("chosen") is None or row["chosen"] != row["rejected"]
    written = [image.read_bytes() for image in tmp_path.glob("*/images/*.png")]
    assert len(written) == len(set(written)) == 36


def test_writing_again_leaves_nothing_behind(tmp_path):
    sizes = dict.fromkeys(SIZES, 2)
    stale = tmp_path / "sft" / "images" / "train-999-bar.png"
    stale.parent.mkdir(parents=True)
    stale.touch()
    write_samples(tmp_path, sizes=sizes)
    assert not stale.exists()
    assert len(list(tmp_path.glob("*/images/*.png"))) == 12


def test_shipped_samples_share_no_image(folder):
    images = list((folder.parent / "samples").glob("*/images/*.png"))
    assert len(images) == sum(SIZES.values())
    assert len({image.read_bytes() for image in images}) == len(images)
    assert sum(image.stat().st_size for image in images) < 6 * 2**20


@pytest.mark.parametrize("part", ["train", "evaluation"])
def test_half_of_the_report_samples_ask_what_is_known_already(folder, part):
    file = folder.parent / "samples" / "sft" / f"{part}.jsonl"
    kinds = [json.loads(line)["kind"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(kinds) == SIZES[f"sft/{part}"]
    assert kinds.count(GAP) == len(kinds) // 2
    assert set(kinds) == {GAP, *TAUGHT}, "the habit is left to preference pairs"
