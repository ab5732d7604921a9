from pathlib import Path

import pytest
from transformers import AutoModelForImageTextToText, AutoProcessor

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "tiny-vlm"


@pytest.fixture(scope="session")
def processor():
    return AutoProcessor.from_pretrained(FOLDER)


@pytest.fixture(scope="session")
def model():
    return AutoModelForImageTextToText.from_pretrained(FOLDER).eval()
