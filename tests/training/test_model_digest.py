"""The files that say what a model is."""

from studio.config.model import ModelConfig
from studio.training.model_digest import files_of, model_folder


def test_files_are_known_by_what_is_in_them(tmp_path):
    for name in ("config.json", "chat_template.jinja", "model.safetensors"):
        (tmp_path / name).write_text(name)
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    before = dict(files_of(tmp_path))
    assert list(before) == ["chat_template.jinja", "config.json"]
    (tmp_path / "config.json").write_text("another")
    after = dict(files_of(tmp_path))
    assert after["config.json"] != before["config.json"]
    assert after["chat_template.jinja"] == before["chat_template.jinja"]


def test_a_model_that_is_not_here_has_no_folder(tmp_path, monkeypatch):
    assert model_folder(ModelConfig(id=str(tmp_path))) == tmp_path
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert model_folder(ModelConfig(id="someone/never-fetched")) is None
