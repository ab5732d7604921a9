"""What is fetched from the hub, told while it is."""

import time

from studio.runs.status import read_status
from studio.training import model_download


def test_what_is_fetched_from_the_hub_is_told(shared_runner, monkeypatch, tmp_path):
    monkeypatch.setattr(model_download, "EVERY", 0.01)
    monkeypatch.setattr(model_download.constants, "HF_HUB_CACHE", str(tmp_path))
    blobs = tmp_path / "models--some--model" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "here").write_bytes(b"1234")
    run = shared_runner.store.create(shared_runner.config())
    with model_download.fetching_told(run.paths, "some/model"):
        (blobs / "new.incomplete").write_bytes(b"x" * 70)
        for _ in range(500):
            if read_status(run.paths).stage_done:
                break
            time.sleep(0.01)
    assert read_status(run.paths).stage_done == 70
    with model_download.fetching_told(run.paths, "embedded"):
        assert read_status(run.paths).stage_done == 70
