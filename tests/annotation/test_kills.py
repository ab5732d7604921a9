"""The studio killed in the middle of saves: what was acknowledged is there, once, by its name."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from tests.places import ROOT

BENCHMARK = ROOT / "benchmarks" / "annotation.py"


@pytest.fixture
def benchmark(monkeypatch, python):
    """The benchmark, whose processes are forked with their libraries loaded."""
    monkeypatch.setattr(sys, "executable", python)
    spec = importlib.util.spec_from_file_location("labelling_benchmark", BENCHMARK)
    loaded = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, loaded)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize(("kills", "beside"), [(30, False), (8, True)])
def test_every_acknowledged_label_survives_exactly_once(benchmark, kills, beside):
    """Also while imports, exports, backups, checks, plans, doctor and freezes go on beside."""
    found = benchmark.kill_often(kills, beside)
    assert found["acknowledged"] >= kills
    assert (found["lost"], found["doubled"], found["misnamed"]) == (0, 0, 0)
    assert (found["deleted_files_held"], found["integrity"]) == (0, "ok")
    assert found["unacknowledged"] <= benchmark.PEOPLE * kills
    if beside:
        assert found["done"]["import"] and not found["failed"]
