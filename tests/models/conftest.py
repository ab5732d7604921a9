"""A workspace with its images, and the embedded model loaded once."""

import shutil

import pytest
from transformers import AutoModelForImageTextToText, AutoProcessor

from studio.core.paths import TINY_VLM, Workspace
from studio.data.image_store import ImageStore
from tests.adapter_folders import configured, save_adapter_of


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def store(workspace) -> ImageStore:
    return ImageStore(workspace)


@pytest.fixture(scope="session")
def processor():
    return AutoProcessor.from_pretrained(TINY_VLM)


@pytest.fixture(scope="session")
def model():
    return AutoModelForImageTextToText.from_pretrained(TINY_VLM).eval()


@pytest.fixture(scope="module")
def lora(tmp_path_factory):
    return save_adapter_of(configured("LORA"), tmp_path_factory.mktemp("lora") / "made")


@pytest.fixture
def folder(lora, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(lora, tmp_path / "made")
