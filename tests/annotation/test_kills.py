"""The studio killed in the middle of saves, fifty times: what was acknowledged is there, once."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "annotation.py"


def test_every_acknowledged_label_survives_fifty_kills_exactly_once(monkeypatch):
    spec = importlib.util.spec_from_file_location("labelling_benchmark", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, benchmark)
    spec.loader.exec_module(benchmark)
    found = benchmark.kill_often(50)
    assert found["acknowledged"] >= 50
    assert (found["lost"], found["doubled"], found["integrity"]) == (0, 0, "ok")
    assert found["unacknowledged"] <= 50
