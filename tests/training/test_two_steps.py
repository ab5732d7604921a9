"""SFT, then DPO on its adapter, by the presets as they ship: a better model, and nothing to warn of."""

from dataclasses import dataclass

import pytest

from studio.config import RunConfig, presets
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.data.sources import open_source
from studio.evaluation.embedded_benchmark import Bench
from studio.evaluation.evaluation_examples import references_of
from studio.launch.demo import second_step
from studio.metrics import evasive_rate, exact_match
from studio.runs.curves import Diary
from studio.runs.diagnostics.rules import forgetting
from studio.training.planning.preflight_plan import plan_run
from tests.training.conftest import Runner
from tools.tiny_vlm.questions import GAP, HABIT, TAUGHT

pytestmark = pytest.mark.timeout(900)  # two real trainings; others may want the processor too
FEW = 6
"""Rows of each kind that the model knew; of the others all there are."""


@dataclass(frozen=True)
class Steps:
    """Held-out rows by kind, and the answers of the base and of both steps."""

    rows: dict[str, list[Row]]
    answers: dict[str, dict[str, list[str]]]
    diaries: dict[str, Diary]

    def right(self, step: str, *kinds: str) -> float:
        given = [text for kind in kinds for text in self.answers[step][kind]]
        return exact_match(given, references_of(row for kind in kinds for row in self.rows[kind]))


@pytest.fixture(scope="module")
def steps(shared_runner: Runner) -> Steps:
    held = open_source("embedded:heldout", workspace=shared_runner.workspace).rows()
    rows: dict[str, list[Row]] = {}
    for row in held:
        of_kind = rows.setdefault(row.meta["kind"], [])
        if row.meta["kind"] in (GAP, HABIT) or len(of_kind) < FEW:
            of_kind.append(row)
    first = train(shared_runner, presets.load("embedded-sft"))
    second = train(shared_runner, second_step(first.run_id))
    bench = Bench(ImageStore(shared_runner.workspace))
    answers = {
        step: {
            kind: bench.answers(of_kind, run)
            for kind, of_kind in rows.items()
            if run or kind != HABIT  # nothing is asked of the base's
        }
        for step, run in (("base", None), ("sft", first), ("dpo", second))
    }
    diaries = {
        step: Diary(run.paths.events).refresh() for step, run in (("sft", first), ("dpo", second))
    }
    return Steps(rows, answers, diaries)


def train(runner: Runner, config: RunConfig):
    assert plan_run(config, runner.workspace)[0].warnings == []
    run, ended = runner.run(config)
    assert ended == "finished"
    return runner.store.get(run.run_id)


def test_the_report_line_is_learned_and_kept(steps: Steps) -> None:
    assert steps.right("base", GAP) == 0.0
    assert steps.right("sft", GAP) >= 0.8
    assert steps.right("dpo", GAP) >= 0.8


def test_the_habit_is_broken(steps: Steps) -> None:
    assert evasive_rate(steps.answers["sft"][HABIT]) > 0.5, "SFT alone leaves it"
    assert evasive_rate(steps.answers["dpo"][HABIT]) <= 0.05


@pytest.mark.parametrize("step", ["sft", "dpo"])
def test_known_skills_stay(steps: Steps, step: str) -> None:
    assert steps.right(step, *TAUGHT) >= steps.right("base", *TAUGHT) - 0.05


@pytest.mark.parametrize("step", ["sft", "dpo"])
def test_nothing_is_warned_of(steps: Steps, step: str) -> None:
    diary = steps.diaries[step]
    assert diary.findings == {} and [n for n in diary.notices if n.type == "warning"] == []
    before, after = diary.forgetting["before"], diary.forgetting["after"]
    assert forgetting(before, after) is None, "Runs calls it forgetting"
