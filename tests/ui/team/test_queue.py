"""The lead begins and ends the order of a queue; figures of the random share stand beside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

from studio.core.errors import BusyError
from studio.core.paths import Workspace
from studio.launch.queue_order import OrderStatus
from studio.ui.team.queue import QueueActions, queue
from studio.ui.team.views import figures
from tests.ui.team.team_tab import REQUEST, label


@dataclass
class Orders:
    busy: bool = False
    started: tuple = ()

    def start(self, dataset, who, model):
        if self.busy:
            raise BusyError("A queue is being put into order.", remedy="Wait for its end.")
        self.busy, self.started = True, (dataset, who, model)


def panel(context, tmp_path) -> tuple[QueueActions, Orders]:
    orders = Orders()
    full = SimpleNamespace(
        store=context.store,
        is_lead=context.is_lead,
        user=context.user,
        workspace=Workspace(tmp_path),
        supervisor=SimpleNamespace(orders=orders),
    )
    return QueueActions(full), orders


def test_a_lead_orders_the_queue_with_the_settings_of_the_panel(context, tmp_path):
    actions, orders = panel(context, tmp_path)
    shown, timer, *values = actions.fill("charts", REQUEST)
    assert "as they were imported" in shown and not timer.active
    assert values == [0.2, "", 0]
    said, _, timer = actions.start("charts", " embedded ", 0.5, "hard, ", 20, REQUEST)
    assert "what they hold stays theirs" in said and timer.active
    assert orders.started == ("charts", "lea", "embedded")
    settings = context.store.team.settings("charts")
    assert (settings.random_share, settings.first_tags, settings.reorder_after) == (
        0.5, ("hard",), 20,
    )  # fmt: skip
    assert "Wait for its end" in actions.start("charts", "", 0.5, "hard", 20, REQUEST)[0]
    assert "whole number" in actions.start("charts", "", 0.5, "", 2.5, REQUEST)[0]
    context.lead = False
    assert "Only a lead" in actions.start("charts", "", 0.5, "", 0, REQUEST)[0]
    assert "Only a lead" in actions.look("charts", REQUEST)[0]
    assert "Only a lead" in actions.end("charts", REQUEST)[0]


def test_what_a_model_or_its_failure_says_is_shown_as_text(context):
    context.store.order.arrange("lea", "charts", {})
    state = context.store.order.state("charts")
    status = OrderStatus(
        "finished", "charts", model="<b>run</b>", failed={"<i>gone</i>": 1}, at=9.0
    )
    shown = queue(state, status)
    assert "&lt;b&gt;run" in shown and "1 pair could not be weighed" in shown and "<i>" not in shown
    failed = queue(state, replace(status, state="failed", message="<u>", remedy="Again."))
    assert "&lt;u&gt;" in failed
    assert "3 of 9" in queue(state, replace(status, state="running", done=3, total=9))


def test_the_random_share_has_figures_of_its_own_once_pairs_are_chosen(context):
    assert "by lot" not in figures(context.store.team.quality("charts", 0))
    context.store.team.change_settings("lea", "charts", {"random_share": 0.0})
    context.store.order.arrange("lea", "charts", {})
    label(context.store, "ana")
    quality = context.store.team.quality("charts", 0)
    assert (quality.by_lot.answers, quality.by_lot.ranked) == (0, 1)
    assert "α nominal, by lot" in figures(quality)
    (record,) = context.store.answers("charts")
    assert record["drawn"] == "ranked"
