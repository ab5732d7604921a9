"""What `doctor` says of a machine: each fault named with its remedy, the rest still looked at."""

from collections import namedtuple

import pytest

from studio.core.paths import Workspace
from studio.launch import doctor

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "PROBE", "print('cpu')\nprint('fp32')")
    return Workspace.locate(tmp_path / "workspace")


def checks(workspace):
    return {check.name: check for check in doctor.examine(workspace).checks}


def test_a_machine_in_order_has_no_fault(workspace):
    found = checks(workspace)
    assert all(check.ok for check in found.values())
    assert found["device"].found == "cpu; fp32" and found["database"].found == "0 datasets"
    assert found["log"].found.startswith(str(workspace.root / "studio.log"))
    assert "slowly" in found["SFT, DPO, LoRA"].found


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ("raise ImportError('libcudart.so.13')", "torch does not load: ImportError: libcudart"),
        ("import time; time.sleep(60)", "torch did not load within 0.2 seconds"),
    ],
)
def test_a_torch_that_does_not_load_is_named(workspace, monkeypatch, probe, said):
    monkeypatch.setattr(doctor, "PROBE", probe)
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 0.2 if "sleep" in probe else 60)
    found = checks(workspace)
    assert not found["device"].ok and said in found["device"].found and found["device"].remedy
    assert not found["SFT, DPO, LoRA"].ok and found["database"].ok


def test_a_full_disk_and_a_damaged_database_are_named(workspace, monkeypatch):
    workspace.root.mkdir(parents=True, exist_ok=True)
    workspace.database.write_bytes(b"not a database " * 99)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 10**6))
    found = checks(workspace)
    for name in ("disk", "database"):
        assert not found[name].ok and found[name].remedy
