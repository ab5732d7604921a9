"""A plan's memory as a bar, as numbers and in words; planned beside measured."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from studio.runs.run_plan import Plan

PARTS = {
    "weights": "Weights",
    "adapter": "Adapter",
    "gradients": "Gradients",
    "optimizer": "Optimizer",
    "reference": "Reference",
    "activations": "Activations",
    "overhead": "Overhead",
}
GIB, MIB = 2**30, 2**20


@dataclass(frozen=True)
class Measurement:
    """What a dry step took, and which settings it belongs to.

    Attributes:
        key: Of `train_state.measured_key`.
        about: The settings in a few words.
        peak: Bytes; None when memory ran out.
    """

    key: str
    about: str
    peak: int | None
    seconds_per_step: float | None


def size(number: float) -> str:
    """Bytes in words: `310 MiB`, `9.12 GiB`."""
    if number < 0.1 * GIB:
        return f"{number / MIB:.3g} MiB" if number else "0"
    return f"{number / GIB:.3g} GiB"


def memory(found: Plan, seen: Measurement | None = None) -> str:
    """Draw the bar, its legend, and what a dry step measured for the same settings."""
    if found.memory is None:
        return ""
    parts = found.memory.parts()
    return (
        f'<section class="mem" aria-label="Memory">{_headline(found)}'
        f"{_bar(found, parts, seen)}{_legend(parts)}{_compared(found, seen)}</section>"
    )


def where(found: Plan) -> str:
    """Return the device in words."""
    kinds = {"cuda": "GPU", "mps": "Apple GPU", "cpu": "CPU"}
    return kinds.get(found.device, found.device)


def _headline(found: Plan) -> str:
    of = f" of {size(found.device_memory)} ({where(found)})" if found.device_memory else ""
    state = '<span class="fits">✓ fits</span>' if found.device_memory else ""
    if not found.fits:
        state = '<span class="fits not">✕ does not fit</span>'
    return f'<p class="mem-total"><b>{size(found.counted.total)}</b>{escape(of)} {state}</p>'


def _bar(found: Plan, parts: dict[str, int], seen: Measurement | None) -> str:
    peak = seen.peak if seen and seen.peak and not found.peak_measured else 0
    full = max(found.counted.total, found.device_memory, peak, 1)
    pieces = "".join(
        f'<i class="part-{name}" style="width:{100 * number / full:.2f}%" '
        f'title="{PARTS[name]} {size(number)}"></i>'
        for name, number in parts.items()
        if number
    )
    marks = ""
    if found.device_memory and found.device_memory < full:
        marks += f'<u class="limit" style="left:{100 * found.device_memory / full:.2f}%"></u>'
    if peak:
        marks += f'<u class="peak" style="left:{100 * peak / full:.2f}%"></u>'
    return (
        f'<div class="mem-bar" role="img" aria-label="{_words(found, parts)}">{pieces}{marks}</div>'
    )


def _words(found: Plan, parts: dict[str, int]) -> str:
    named = ", ".join(f"{PARTS[name].lower()} {size(n)}" for name, n in parts.items() if n)
    of = f" of {size(found.device_memory)}" if found.device_memory else ""
    how = "measured" if found.peak_measured else "planned"
    return escape(f"Memory {how}: {size(found.counted.total)}{of}: {named}.")


def _legend(parts: dict[str, int]) -> str:
    rows = "".join(
        f'<dt class="part-{name}{"" if number else " none"}">{PARTS[name]}</dt>'
        f"<dd>{size(number)}</dd>"
        for name, number in parts.items()
    )
    return f'<dl class="mem-parts">{rows}</dl>'


def _compared(found: Plan, seen: Measurement | None) -> str:
    peak = found.peak_measured or (seen.peak if seen else None)
    if peak is None:
        ran_out = '<p class="measured not">Measured: memory ran out in the dry step.</p>'
        return ran_out if seen else ""
    planned = found.total_planned or found.counted.total
    off = 100 * (planned - peak) / peak
    side = "more" if off >= 0 else "less"
    return (
        f'<p class="measured">Measured: <b>{size(peak)}</b>, planned: '
        f"<b>{size(planned)}</b> ({abs(off):.0f} % {side})</p>"
    )
