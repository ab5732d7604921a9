"""Whether an adapter's base is the run's."""

import shutil

import pytest

from studio.core.paths import TINY_VLM
from studio.models.adapter_weights import DEFAULT, check_adapter
from tests.adapter_folders import describe
from tests.models.adapters_put_on import EMBEDDED, PURPOSES, loaded, refused


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("base", ["/data/models/Charts", "someone/tiny-vlm", "/other/tiny-vlm"])
def test_another_name_of_the_base_has_to_be_confirmed(folder, purpose, base):
    describe(folder, base_model_name_or_path=base)
    assert f"it was trained on {base}, not on embedded" in refused(folder, purpose)
    confirmed = loaded(folder, purpose=purpose, same_base=True)
    assert confirmed.peft_config[DEFAULT].base_model_name_or_path == str(TINY_VLM)


def test_the_same_files_under_another_path_are_the_same_base(folder, tmp_path):
    copied = shutil.copytree(TINY_VLM, tmp_path / "models" / "copied")
    describe(folder, base_model_name_or_path=str(copied))
    check_adapter(folder, EMBEDDED, purpose="sft", field="here")
    reweighed = shutil.copytree(TINY_VLM, tmp_path / "other" / "tiny-vlm")
    reweigh_base(reweighed)
    describe(folder, base_model_name_or_path=str(reweighed))
    assert "it was trained on" in refused(folder)


def reweigh_base(folder):
    file = folder / "model.safetensors"
    held = bytearray(file.read_bytes())
    held[-8:] = bytes(8 * [1])
    file.write_bytes(held)
