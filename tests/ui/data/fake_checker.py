"""A checker that reports at once, and the panel it works for."""

from __future__ import annotations

import time
from types import SimpleNamespace

from studio.config.model import ModelConfig
from studio.preflight.client import CheckStatus, Kept, ShownImage
from studio.preflight.report import (
    Bin,
    Finding,
    LengthBias,
    Report,
    Tokens,
    Truncation,
)
from studio.ui.data.check_panel import CheckLook, CheckPanel

HOSTILE = "<img src=x onerror=alert(1)> ${alert(2)} {{constructor}}"


class FakeChecker:
    """Keeps one report and remembers what it was asked."""

    def __init__(self, report: Report | None) -> None:
        self.reports = {"mine": Kept(report, time.time() - 90, ModelConfig())} if report else {}
        self.status = CheckStatus()
        self.asked: list = []
        self.refuse: Exception | None = None

    def kept(self, dataset: str) -> Kept | None:
        return self.reports.get(dataset)

    def start(self, dataset, model, max_length) -> None:
        if self.refuse:
            raise self.refuse
        self.asked.append((dataset, model.id, max_length, model.image.longest_edge))
        self.status = CheckStatus(1, "checking", dataset, "rows", 30, 60, seconds=3)

    def stop(self) -> None:
        self.asked.append("stop")

    def show(self, image, model) -> ShownImage:
        if self.refuse:
            raise self.refuse
        return ShownImage(39, (160, 120), 1, 96, 96, "data:image/png;base64,AA==", None)


def report_of(ids: list[int]) -> Report:
    return Report(
        source="mine",
        model="embedded",
        rows=len(ids),
        numbers="items",
        findings=[
            Finding("identical_answers", "error", ids[:2], f"2 rows say {HOSTILE}.", "Leave out."),
            Finding("length_bias", "warning", [], "Longer.", "Bring others."),
            Finding("shrunk_images", "info", ids, "All are shrunk.", "Crop."),
        ],
        tokens=Tokens(60, 70, 90, 0.55, 39, 39, [Bin(50, 70, 3), Bin(70, 90, 1)]),
        length_bias=LengthBias(4, 0.75, 5.5),
        truncation=Truncation(70, True, 0.25, 1, 0),
        duplicates=1,
    )


def clicked(**data) -> SimpleNamespace:
    return SimpleNamespace(_data=data)


def drawn(panel: CheckPanel) -> str:
    return panel.choose(CheckLook(), "mine", None)[1]
