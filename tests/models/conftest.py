"""A workspace with its images."""

import pytest

from studio.core.paths import Workspace
from studio.data.image_store import ImageStore


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def store(workspace) -> ImageStore:
    return ImageStore(workspace)
