"""The studio killed in the middle of saves, twenty times: what was acknowledged is there, once."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "annotation.py"


def test_every_acknowledged_label_survives_twenty_kills_exactly_once(monkeypatch):
    spec = importlib.util.spec_from_file_location("labelling_benchmark", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, benchmark)
    spec.loader.exec_module(benchmark)
    found = benchmark.kill_often(20)
    assert found["acknowledged"] >= 20
    assert (found["lost"], found["doubled"], found["integrity"]) == (0, 0, "ok")
    assert found["unacknowledged"] <= 20
