"""Adapter folders that cannot be used."""

import pytest

from studio.config.adapter import AdapterConfig
from studio.core.errors import ModelError
from studio.models.adapter_config import inspect_adapter
from studio.models.load import load_model
from tests.training.one_step import OneStep


def test_damaged_and_pickled_adapters_are_refused(tmp_path):
    with pytest.raises(ModelError, match="adapter_config"):
        inspect_adapter(tmp_path)
    for damaged in ("{", "[]", '{"r": "four"}', '{"r": [4]}'):
        (tmp_path / "adapter_config.json").write_text(damaged)
        with pytest.raises(ModelError, match="not readable"):
            inspect_adapter(tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"r": 4}')
    (tmp_path / "adapter_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match="pickled"):
        inspect_adapter(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"\x10\x00")
    with pytest.raises(ModelError, match="damaged"):
        inspect_adapter(tmp_path)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return OneStep(tmp_path_factory.mktemp("adapters"))


@pytest.mark.parametrize(
    ("name", "said"), [("no_such_module", "no module"), ("lm_head", "output head")]
)
def test_modules_to_save_must_exist_and_not_be_the_head(one, name, said):
    from studio.models.adapter_config import lora_config

    with pytest.raises(ModelError, match=said) as caught:
        lora_config(AdapterConfig(modules_to_save=[name]), load_model(one.config().model).model)
    assert caught.value.field == "adapter.modules_to_save" and caught.value.remedy
