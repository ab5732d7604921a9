import pytest
from transformers import AutoModelForImageTextToText, AutoProcessor

from tests.places import TINY_VLM

FOLDER = TINY_VLM


@pytest.fixture(scope="session")
def processor():
    return AutoProcessor.from_pretrained(FOLDER)


@pytest.fixture(scope="session")
def model():
    return AutoModelForImageTextToText.from_pretrained(FOLDER).eval()
