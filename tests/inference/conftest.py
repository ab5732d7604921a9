import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image

from studio.config.model import ModelConfig
from studio.core.paths import SAMPLES, write_json
from studio.data.image_decoding import open_image
from studio.inference.engine import Engine
from studio.models.load import load_model
from studio.runs.checkpoints import MARKER

TARGETS = r".*text_model.*(q_proj|v_proj|down_proj)"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """With the embedded model loaded once for all tests."""
    engine = Engine()
    engine.load(ModelConfig())
    return engine


@pytest.fixture(scope="session")
def image() -> Image.Image:
    return open_image(sorted((SAMPLES / "heldout" / "images").glob("*.png"))[0])


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's adapter folder; its weights are random and large enough to change answers."""
    folder = tmp_path_factory.mktemp("run") / "adapter"
    torch.manual_seed(7)
    settings = LoraConfig(r=4, lora_alpha=64, target_modules=TARGETS, init_lora_weights=False)
    get_peft_model(load_model(ModelConfig()).model, settings).save_pretrained(folder)
    write_json(folder / MARKER, {"kind": "adapter", "base": "embedded"})
    return folder


@pytest.fixture
def adapter(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(trained, tmp_path / "run" / "adapter"))
