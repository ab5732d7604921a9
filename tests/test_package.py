"""The wheel: it holds all that the studio needs, and starts from any folder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.places import ROOT

ENTRY = "import sys; from studio.__main__ import studio; sys.exit(studio())"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with what a wheel of this checkout installs."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(folder), str(ROOT)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "GRADIO_TEMP_DIR": ""}
    return subprocess.Popen(
        [sys.executable, "-c", ENTRY, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_wheel_names_its_command_and_what_it_requires(installed):
    (entries,) = installed.glob("*.dist-info/entry_points.txt")
    assert "vlm-studio = studio.__main__:studio" in entries.read_text()
    (metadata,) = installed.glob("*.dist-info/METADATA")
    required = set(re.findall(r"^Requires-Dist: ([\w.-]+)", metadata.read_text(), re.M))
    lines = (ROOT / "requirements.txt").read_text().split()
    names = {re.split(r"[<>=]", line)[0].lower().replace("_", "-") for line in lines}
    assert {name.lower().replace("_", "-") for name in required} == names


def test_a_command_of_the_wheel_imports_the_samples_it_carries(installed, tmp_path):
    process = run(
        installed, tmp_path, "import", "embedded:preferences", "--workspace", "w", "--json"
    )
    said, told = process.communicate(timeout=200)
    assert process.returncode == 0, told
    assert json.loads(said)["added"] > 0 and (tmp_path / "w" / "studio.db").exists()


def test_the_studio_of_the_wheel_serves_its_page(installed, tmp_path):
    process = run(installed, tmp_path, "--port", "0", "--no-browser", "--workspace", "w")
    try:
        address = re.search(r"http://\S+", process.stdout.readline())
        assert address, process.stderr.read()
        with urllib.request.urlopen(address.group(), timeout=60) as reply:
            assert b"VLM Studio" in reply.read()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    assert "Traceback" not in process.stderr.read()
