from pathlib import Path

import pytest
from transformers import AutoModelForImageTextToText, AutoProcessor


@pytest.fixture(scope="session")
def folder():
    return Path(__file__).resolve().parents[2] / "assets" / "tiny-vlm"


@pytest.fixture(scope="session")
def processor(folder):
    return AutoProcessor.from_pretrained(folder)


@pytest.fixture(scope="session")
def model(folder):
    return AutoModelForImageTextToText.from_pretrained(folder).eval()
