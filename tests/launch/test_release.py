"""What is released answers as the run does, in a fresh process; what does not is refused."""

from __future__ import annotations

import errno
import io
import json
import shutil
import zipfile
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from transformers import AutoModelForImageTextToText

from studio.core.errors import BusyError, InputError, RunFailedError
from studio.core.paths import SAMPLES, TINY_VLM, Workspace
from studio.launch.release import REPORT, ReleaseRequest, release
from studio.release import artefact_files, merge
from studio.release.model_card import CARD, HERE
from studio.runs.store import RunStore
from tests.adapter_folders import describe
from tests.launch import card_hub
from tests.release.trained_runs import STEP, tied_model, trained_run

pytestmark = pytest.mark.usefixtures("forked")
FEW = {"data": "embedded:heldout", "rows": 8, "longest": 8}


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


def run_code(card: Path, picture: Path) -> str:
    """Execute the code of a model card; what it prints."""
    code = card.read_text().split("```python\n")[1].split("```")[0]
    code = code.replace(HERE, str(card.parent)).replace("picture.png", str(picture))
    code = code.replace("assets/tiny-vlm", str(TINY_VLM))
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(code, "card", "exec"), {})
    return printed.getvalue()


def released(workspace, run, **request):
    return release(workspace, ReleaseRequest(run.run_id, **FEW | request))


def test_a_quantized_run_is_released_as_adapter_and_as_merged_model(workspace):
    run = trained_run(workspace, model={"id": "embedded", "quantization": "nf4"})
    describe(run.paths.adapter, base_model_name_or_path=str(TINY_VLM))
    adapter, merged = released(workspace, run, merge=True)
    assert adapter.folder == workspace.releases / f"{run.run_id}@{STEP}" / "adapter"
    config = json.loads((adapter.folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "embedded" and config["revision"] is None
    for made in (adapter, merged):
        found = made.report["verification"]
        assert found["equal"] == 1 and found["verdict"] == "as the run"
        assert found["largest"] < 1e-4 < found["base_largest"]
        texts = [file.read_text() for file in made.folder.glob("*.json")]
        assert not any(str(workspace.root) in text or str(Path.home()) in text for text in texts)
        assert (made.folder / "chat_template.jinja").is_file()
    picture = next(SAMPLES.glob("heldout/**/*.png"))
    said = [run_code(made.folder / CARD, picture) for made in (adapter, merged)]
    assert all(text.strip() for text in said)
    with zipfile.ZipFile(adapter.archive) as archive:
        packed = {Path(name).name for name in archive.namelist()}
    assert packed == {file.name for file in adapter.folder.iterdir()}
    assert "quantization_config" not in (merged.folder / "config.json").read_text()
    state, server = card_hub.serve()
    request = ReleaseRequest(run.run_id, merge=True, push="ana/mine", **FEW)
    again = release(workspace, request, hub=state.api)
    server.shutdown()
    assert set(state.files["models/ana/mine"]) == {file.name for file in merged.folder.iterdir()}
    assert [made.known for made in again] == [True, True]
    assert again[1].report == json.loads((merged.folder / REPORT).read_text())


EVERYTHING = {
    "use_dora": True,
    "use_rslora": True,
    "target_modules": r".*(vision_model|text_model).*\.(q_proj|v_proj)",
    "modules_to_save": ["connector", "lm_head"],
    "bias": "all",
}


def test_everything_that_was_trained_is_merged(workspace):
    """DoRA with a rank-stabilised scale, in the vision tower too; whole modules; biases."""
    run = trained_run(workspace, adapter=EVERYTHING)
    *_, merged = released(workspace, run, merge=True, shard_size="4MB")
    assert merged.report["verification"]["equal"] == 1
    assert len(list(merged.folder.glob("*.safetensors"))) > 1


def test_a_tied_head_that_was_trained_is_not_lost(workspace, tmp_path):
    base = tied_model(tmp_path / "tied")
    run = trained_run(workspace, model={"id": str(base)}, adapter={"modules_to_save": ["lm_head"]})
    adapter, merged = released(workspace, run, merge=True)
    assert adapter.report["base"] == {"name": "", "revision": ""}
    config = json.loads((merged.folder / "config.json").read_text())
    assert config["tie_word_embeddings"] is False
    plain = trained_run(workspace, model={"id": str(base)})
    *_, merged = released(workspace, plain, merge=True)
    config = json.loads((merged.folder / "config.json").read_text())
    assert config["tie_word_embeddings"] is True


def lost(*_):
    """A merge that changes nothing."""
    return AutoModelForImageTextToText.from_pretrained(TINY_VLM)


def on_another_base(weights, into, dtype):
    """A merge into a model that is not the run's base."""
    model = right(weights, into, dtype)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model


right = merge._merged


@pytest.mark.parametrize("wrong", [lost, on_another_base])
def test_a_merge_that_went_wrong_is_refused(workspace, monkeypatch, wrong):
    run = trained_run(workspace)
    monkeypatch.setattr(merge, "_merged", wrong)
    with pytest.raises(RunFailedError, match="merged model is no release") as caught:
        released(workspace, run, merge=True)
    assert ("answers as the base" in str(caught.value)) == (wrong is lost)
    place = workspace.releases / f"{run.run_id}@{STEP}"
    assert {file.name for file in place.iterdir()} == {".release.lock", "adapter", "adapter.zip"}
    assert RunStore(workspace).get(run.run_id).status.state == "finished"


def test_a_full_disk_leaves_nothing_half_written(workspace, monkeypatch):
    run = trained_run(workspace)
    place = workspace.releases / f"{run.run_id}@{STEP}"
    rest = place / ".merged.999999999.1"
    rest.mkdir(parents=True)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(merge, "_merged", full)
    with pytest.raises(RunFailedError, match="No space left"):
        released(workspace, run, merge=True)
    assert not rest.exists() and not (place / "merged").exists()
    little = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(artefact_files.shutil, "disk_usage", lambda _: little)
    with pytest.raises(RunFailedError, match="GB are free"):
        released(workspace, run, merge=True)
    assert RunStore(workspace).get(run.run_id).status.state == "finished"


def test_what_cannot_be_released_is_said_before_anything_is_loaded(workspace, monkeypatch):
    run = trained_run(workspace)
    monkeypatch.setattr("studio.models.load._weights", lambda *_: pytest.fail("it was loaded"))
    wrong = [{"rows": 2}, {"shard_size": "big"}, {"data": "nowhere.jsonl"}]
    for request in wrong:
        with pytest.raises(InputError):
            released(workspace, run, **request)
    with pytest.raises(InputError, match="no complete checkpoint"):
        release(workspace, ReleaseRequest(f"{run.run_id}@3", **FEW))
    lock = FileLock(workspace.releases / f"{run.run_id}@{STEP}" / ".release.lock")
    with lock, pytest.raises(BusyError):
        released(workspace, run)
