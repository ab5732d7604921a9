"""Settings that cannot work are refused before anything is loaded, each with field and remedy."""

import json

import pytest

from studio.config import run_file
from studio.core.errors import ModelError
from studio.core.paths import TINY_VLM, Workspace
from studio.models.load import load_model
from studio.training.planning.preflight_plan import preflight


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda f: (f / "adapter_model.bin").write_bytes(b"\x80\x04pickle"), "pickled"),
        (lambda f: (f / "adapter_config.json").write_text('{"auto_map": {}, "r": 4}'), "foreign"),
        (lambda f: (f / "adapter_model.safetensors").write_bytes(b"\x10"), "damaged"),
    ],
)
@pytest.mark.parametrize("field", ["adapter.continue_from", "dpo.reference"])
def test_29_unsafe_and_damaged_adapters_are_refused_in_every_place(tmp_path, break_it, said, field):
    folder = tmp_path / "adapter"
    folder.mkdir()
    described = {"r": 4, "base_model_name_or_path": "embedded", "peft_type": "LORA"}
    (folder / "adapter_config.json").write_text(json.dumps(described))
    break_it(folder)
    section, key = field.split(".")
    config = run_file.parse(
        {"method": "dpo", "data": {"source": "embedded:preferences"}, section: {key: str(folder)}}
    )
    with pytest.raises(ModelError, match=said) as caught:
        preflight(config, Workspace.locate(tmp_path / "workspace"))
    assert caught.value.field == field and caught.value.remedy


def test_29_a_base_model_with_foreign_code_is_refused(tmp_path):
    described = json.loads((TINY_VLM / "config.json").read_text())
    described |= {"auto_map": {"AutoConfig": "evil.Evil"}, "model_type": "evil"}
    (tmp_path / "config.json").write_text(json.dumps(described))
    (tmp_path / "evil.py").write_text("raise SystemExit('ran foreign code')")
    with pytest.raises(ModelError) as caught:
        load_model(run_file.parse({"model": {"id": str(tmp_path)}}).model)
    assert caught.value.field == "model.id" and caught.value.remedy
