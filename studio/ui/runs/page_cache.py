"""Whether the curves a page shows are to be drawn anew, or can wait."""

from __future__ import annotations

import time

from studio.runs.run_summary import stamp
from studio.ui.events.event_data import whole_number
from studio.ui.runs.state import RunSummary
from studio.ui.shared.line_charts import ChartLook
from studio.ui.shared.unchanged_parts import ShownParts, word_of

CURVES_EVERY = 4.0


def curves_word(
    there: ShownParts, chosen: RunSummary, others: list[RunSummary], look: ChartLook
) -> tuple[str, bool]:
    """Return the word of the curves as they would be drawn now, and whether that can wait.

    Drawing them is most of the work, in the browser too. While a run goes on they follow every few
    seconds; on a machine that trains beside its browser, training would pay for more.
    """
    drawn = [
        (item.run.run_id, item.state, item.run.status.total_steps) for item in (chosen, *others)
    ]
    key = word_of(drawn, look)
    steps = word_of(*(stamp(item.run.paths.events) for item in (chosen, *others)))
    before = there.words.get("curves", "").split()
    if before[:2] == [key, steps]:
        return there.words["curves"], False
    now = time.time()
    if before[:1] == [key] and chosen.run.status.active:
        drawn_at = whole_number(before[-1]) or 0
        if 0 <= 1000 * now - drawn_at < 1000 * CURVES_EVERY:
            return there.words["curves"], True
    return f"{key} {steps} {1000 * now:.0f}", False
