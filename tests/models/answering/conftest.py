"""The embedded model loaded once, charts in a workspace, and rows about them."""

import io

import pytest

from studio.config.model import ModelConfig
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.models.load import load_model
from tests.adapter_folders import configured, save_adapter_of
from tests.models.answering.asked import Asked
from tools.tiny_vlm.chart import sample_chart
from tools.tiny_vlm.draw import draw_chart


def chart(number: int) -> bytes:
    content = io.BytesIO()
    draw_chart(sample_chart("heldout", number)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(scope="session")
def workspace(tmp_path_factory) -> Workspace:
    return Workspace.locate(tmp_path_factory.mktemp("answering") / "workspace")


@pytest.fixture(scope="session")
def store(workspace) -> ImageStore:
    return ImageStore(workspace)


@pytest.fixture(scope="session")
def charts(store) -> list[str]:
    return [store.add(chart(number)) for number in range(4)]


@pytest.fixture(scope="session")
def plain():
    """A base model that nobody puts an adapter on."""
    return load_model(ModelConfig())


@pytest.fixture
def asked(plain, store) -> Asked:
    """The embedded model, without adapters, and what single calls of it answer."""
    return Asked(plain, store)


@pytest.fixture(scope="session")
def language_adapter(tmp_path_factory):
    return save_adapter_of(configured("LORA"), tmp_path_factory.mktemp("adapters") / "language")


@pytest.fixture(scope="session")
def vision_adapter(tmp_path_factory):
    targets = r".*(vision_model|modality_projection).*\.(q_proj|v_proj|proj)"
    config = configured("LORA", target_modules=targets)
    return save_adapter_of(config, tmp_path_factory.mktemp("adapters") / "vision")
