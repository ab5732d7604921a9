import pytest
from transformers import AutoModelForImageTextToText, AutoProcessor

from tests.places import TINY_VLM


@pytest.fixture(scope="session")
def folder():
    return TINY_VLM


@pytest.fixture(scope="session")
def processor(folder):
    return AutoProcessor.from_pretrained(folder)


@pytest.fixture(scope="session")
def model(folder):
    return AutoModelForImageTextToText.from_pretrained(folder).eval()
