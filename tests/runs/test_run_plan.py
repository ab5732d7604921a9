"""What a run will do, as it is shown and kept."""

from dataclasses import replace

import pytest

from studio.runs.run_plan import GIB, FoundBatch, MemoryPlan, Plan, Suggestion, TowerPlan

MEMORY = MemoryPlan(4 * GIB, GIB, GIB, 2 * GIB, 0, 3 * GIB, GIB)
PLAN = Plan(
    trainable_parameters=10,
    total_parameters=100,
    towers=[TowerPlan("language", 4, 10, 100)],
    train_rows=80,
    evaluation_rows=0,
    steps=20,
    effective_batch=8,
    accumulation=2,
    tokens_median=70,
    tokens_max=90,
    device="cuda",
    dtype="bfloat16",
    memory=MEMORY,
    device_memory=24 * GIB,
    suggestions=[Suggestion("Smaller", "fits", {"batch.per_device": 1}, 5)],
)


def test_a_plan_comes_back_from_json_with_its_totals():
    values = PLAN.to_json()
    assert values["memory"]["total"] == 12 * GIB and values["fits"] is True
    assert values["seconds"] is None
    assert replace(PLAN, seconds_per_step=1.5).to_json()["seconds"] == 30
    assert Plan.from_json(values) == PLAN


def test_plans_of_other_versions_are_read():
    values = PLAN.to_json() | {"from_the_future": 1}
    values["memory"]["also"] = 7
    for name in ("memory", "suggestions", "fast_path", "quantization", "scored"):
        assert Plan.from_json({k: v for k, v in values.items() if k != name}).steps == 20
    assert Plan.from_json(values) == PLAN


def test_a_plan_fits_where_the_device_has_room_or_is_not_known():
    assert not replace(PLAN, device_memory=12 * GIB - 1).fits
    assert replace(PLAN, device_memory=12 * GIB).fits
    assert replace(PLAN, device_memory=0).fits and replace(PLAN, memory=None).fits
    with pytest.raises(ValueError, match="not counted"):
        replace(PLAN, memory=None).counted  # noqa: B018


def test_the_precision_names_quantized_weights():
    assert PLAN.precision == "bfloat16" == replace(PLAN, quantization="none").precision
    assert replace(PLAN, quantization="nf4").precision == "bfloat16, weights in nf4"


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            FoundBatch(4, 16, 4, 6 * GIB, 8 * GIB, True, 8, 11 * GIB),
            "4 rows at once × 4 accumulated = 16: 6.0 of 8.0 GiB, planned. 8 would need 11.0.",
        ),
        (
            FoundBatch(1, 16, 16, 6 * GIB, 8 * GIB, True, measured=7 * GIB),
            "1 row at once × 16 accumulated = 16: 7.0 of 8.0 GiB, measured.",
        ),
        (
            FoundBatch(1, 16, 16, 9 * GIB, 8 * GIB, False),
            "Even 1 row at once needs 9.0 of 8.0 GiB.",
        ),
    ],
)
def test_the_batch_that_was_found_is_said_in_one_sentence(found, sentence):
    assert found.sentence == sentence
    assert FoundBatch.from_json(found.to_json() | {"new": 1}) == found
    assert found.changes == {"batch.per_device": found.per_device}
