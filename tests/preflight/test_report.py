"""The report: its findings are documented, and it survives JSON."""

from __future__ import annotations

import json
import re

import pytest

from studio.preflight.report import Report
from tests.places import ROOT
from tests.preflight.conftest import drawing, saved


def test_every_finding_is_in_the_documentation():
    sources = (ROOT / "studio" / "preflight").rglob("*.py")
    found = {
        name
        for path in sources
        for name in re.findall(r'Finding\(\s*"(\w+)",', path.read_text(encoding="utf-8"))
    }
    table = (ROOT / "docs" / "data.md").read_text(encoding="utf-8").partition("| finding |")[2]
    table = table.partition("\n\n")[0]
    named = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line)}
    assert len(found) > 20 and named == found


PAIR = {"chosen": "a rather long answer", "rejected": "short"}


@pytest.fixture
def pairs(folder, write):
    """Eight rows: good, twice the same, identical, empty, image gone, broken line, two looks."""
    (folder / "a.png").write_bytes(saved(drawing(1)))
    (folder / "b.png").write_bytes(saved(drawing(2)))
    (folder / "a2.jpg").write_bytes(saved(drawing(1), "JPEG", quality=70))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    return write(
        {"image": "a.png", "question": "What?", **PAIR},
        {"image": "a.png", "question": "What?", **PAIR},
        {"image": "b.png", "question": "What?", "chosen": "same", "rejected": "same"},
        {"image": "b.png", "question": "Why?", "chosen": "", "rejected": "x"},
        {"image": "gone.png", "question": "What?", **PAIR},
        {"image": "broken.png", "question": "What?", **PAIR},
        "{broken",
        {"image": "a2.jpg", "question": "what?", **PAIR},
    )


def test_a_report_survives_json(pairs, check):
    report = check(pairs)
    values = json.loads(json.dumps(report.to_json()))
    assert Report.from_json(values) == report
    for finding in values["findings"]:
        assert set(finding) - {"reasons"} == {"id", "severity", "rows", "message", "remedy"}
