"""A card tells of a run's data, labels and results, and of nobody by name."""

from __future__ import annotations

from contextlib import closing

from studio.annotation import AnnotationStore, LabelEvent
from studio.core.paths import Workspace, write_json
from studio.data.schema import Answer, Message, Part, Row
from studio.launch.release_facts import card_facts
from studio.release.model_card import model_card
from studio.release.released_base import released_base
from studio.runs import held_out_result
from studio.runs.held_out_result import HeldOutResult
from studio.runs.run_weights import find_weights
from studio.runs.store import RunStore
from tests.release.trained_runs import STEP, trained_run

REPORT = {"kind": "adapter", "method": "dpo", "step": STEP, "quantization": "none", "settings": {}}
PEOPLE = ("Ana Lovelace", "Bela Noether")


def labelled(workspace: Workspace) -> None:
    """A dataset in which two people judged the same three pairs, not always alike."""
    with closing(AnnotationStore(workspace.database_url)) as store:
        turn = (Message("user", (Part("text", "which?"),)),)
        answers = (Answer("one"), Answer("two"))
        store.add_rows("charts", [Row(f"r{n}", (), turn, candidates=answers) for n in range(3)])
        for number, item in enumerate(store.browse()):
            for person in PEOPLE:
                second = number == 0 and person == PEOPLE[1]
                store.save(
                    LabelEvent(
                        key=f"{number}-{person}",
                        pair_id=item.pairs[0].id,
                        annotator=person,
                        kind="choose",
                        winner_id=item.candidates[second].id,
                        expected_version=0,
                    )
                )


def test_people_are_counted_and_never_named(tmp_path):
    workspace = Workspace.locate(tmp_path / "workspace")
    labelled(workspace)
    manifest = {"dataset": "charts", "content_hash": "f" * 64, "annotators": list(PEOPLE)}
    write_json(workspace.exports / "charts-ffff" / "manifest.json", manifest)
    run = trained_run(workspace, method="dpo", data={"source": "exports/charts-ffff"})
    rows = {"train": {"rows": 3, "digest": "d" * 64}}
    write_json(run.paths.identity, {"rows": rows})
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    measured = HeldOutResult(
        "measured", step=STEP, sentence="It got better", rows=40, metrics={"exact_match": figure}
    )
    held_out_result.write(run.paths, measured)
    facts = card_facts(workspace, find_weights(RunStore(workspace), run.run_id))
    text = model_card(facts, released_base(run.config.model), REPORT, "As the run.")
    assert "6 judgements by 2 people" in text and "Krippendorff's α" in text
    assert "3 rows of the frozen export" in text and "f" * 64 in text and "d" * 64 in text
    assert "40 % to 60 %" in text.replace(".0", "") and "It got better" in text
    assert not any(name.split()[0] in text for name in PEOPLE)
    assert str(workspace.root) not in text
