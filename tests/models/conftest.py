"""A workspace with its images, and the embedded model loaded once."""

import pytest
from transformers import AutoModelForImageTextToText, AutoProcessor

from studio.core.paths import TINY_VLM, Workspace
from studio.data.image_store import ImageStore


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
