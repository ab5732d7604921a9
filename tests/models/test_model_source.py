"""A model's configuration and processor, or why there is none."""

import json

import pytest
from transformers import AutoProcessor, LlamaConfig

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models.model_source import load_config, load_processor


def test_a_text_only_model_is_refused(tmp_path):
    LlamaConfig(hidden_size=64, num_hidden_layers=1).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="text-only") as caught:
        load_config(ModelConfig(id=str(tmp_path)))
    assert caught.value.field == "model.id"


def test_a_missing_model_is_refused(tmp_path):
    with pytest.raises(ModelError) as caught:
        load_config(ModelConfig(id=str(tmp_path)))
    assert caught.value.field == "model.id" and "config.json" in caught.value.remedy


def test_foreign_code_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "odd", "auto_map": {"AutoConfig": "evil.Config"}})
    )
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError, match="running code"):
        load_config(ModelConfig(id=str(tmp_path)))


def test_the_pixel_budget_reaches_the_processor():
    processor = load_processor(ModelConfig.model_validate({"image": {"longest_edge": 64}}))
    assert processor.image_processor.size["longest_edge"] == 64


def test_a_package_that_a_model_needs_is_named(monkeypatch):
    def lacking(*_, **__):
        raise ImportError("\nSmolVLMProcessor requires the num2words library.\nInstall it.")

    monkeypatch.setattr(AutoProcessor, "from_pretrained", lacking)
    with pytest.raises(ModelError, match="not here: SmolVLMProcessor requires the num2words"):
        load_processor(ModelConfig())
