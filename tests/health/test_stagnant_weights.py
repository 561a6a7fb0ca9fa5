from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tb_activations.records.columns import STEP_COLUMNS
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, judge, outcome, record, still_open

SPEC = chain("a", "b", "out")
RULE = ["stagnant_weights"]
EVERY_LAYER = ("a", "b", "out")


def moving(ratio: float, step: int, *, rate: float = 1e-3, loss: float = 1.0, norm: float = 5.0) -> StepRecord:
    values = {"b": {"update_ratio": ratio, "weight_norm": norm}}
    made = record(SPEC, step, values=values, loss=loss)
    totals = made.totals.copy()
    totals[STEP_COLUMNS.index("learning_rate")] = rate
    return dataclasses.replace(made, totals=totals)


def found(records: list[StepRecord]) -> list[Finding]:
    return still_open(judge(SPEC, records, RULE)[-1])


def test_weights_that_do_not_move_are_found() -> None:
    (finding,) = found([moving(1e-8, step) for step in range(20)])
    assert (finding.layer, finding.severity, finding.since_step) == ("b", Severity.WARNING, 0)
    assert found([moving(0.0, step) for step in range(20)])[0].severity is Severity.PROBLEM


def test_small_steps_of_a_trained_network_are_fine() -> None:
    assert found([moving(1e-8, step, loss=1 / (1 + step)) for step in range(20)]) == []


def test_one_step_of_many_is_movement() -> None:
    assert found([moving(1e-3 if step % 8 == 0 else 0.0, step) for step in range(40)]) == []


def test_movement_between_observed_steps_counts() -> None:
    assert found([moving(0.0, step, norm=5 + 1e-3 * step) for step in range(20)]) == []


def test_a_learning_rate_lowered_on_purpose_is_not_judged() -> None:
    records = [moving(1e-9, step, rate=1e-3 if step < 3 else 1e-9) for step in range(60)]
    judgement = judge(SPEC, records, RULE)[-1]
    assert outcome(SPEC, judgement, "b", 0) == Outcome.NOT_APPLICABLE


def test_a_warm_up_is_not_judged_before_it_ends() -> None:
    records = [moving(1e-9, step, rate=1e-9 * (1 + step)) for step in range(20)]
    assert outcome(SPEC, judge(SPEC, records, RULE)[-1], "b", 0) == Outcome.INSUFFICIENT_DATA


def test_restless_weights_are_found_and_a_falling_loss_makes_it_a_note() -> None:
    (finding,) = found([moving(0.3, step) for step in range(30)])
    assert (finding.severity, "move too fast" in finding.message) == (Severity.WARNING, True)
    assert found([moving(0.3, step, loss=1 / (1 + step)) for step in range(30)])[0].severity is Severity.NOTE


def test_a_loss_that_falls_slowly_makes_restless_weights_a_note() -> None:
    falling = [moving(0.3, step, loss=0.99**step) for step in range(30)]
    assert [finding.severity for finding in found(falling)] == [Severity.NOTE]
    swinging = [moving(0.3, step, loss=1 + 0.3 * math.sin(step)) for step in range(30)]
    assert [finding.severity for finding in found(swinging)] == [Severity.WARNING]


def test_a_small_fall_counts_if_nearly_every_loss_is_below_those_before() -> None:
    steady = [moving(0.3, step, loss=0.996**step) for step in range(30)]
    assert [finding.severity for finding in found(steady)] == [Severity.NOTE]
    random = np.random.default_rng(0)
    noisy = [moving(0.3, step, loss=0.996**step + random.normal(0, 0.2)) for step in range(30)]
    assert [finding.severity for finding in found(noisy)] == [Severity.WARNING]
    flat = [moving(0.3, step, loss=0.9999**step) for step in range(30)]
    assert [finding.severity for finding in found(flat)] == [Severity.WARNING]


def test_slopes_and_scales_are_not_restless() -> None:
    records = [moving(0.3, step) for step in range(30)]
    others = [WeightSpec(f"{name}/kernel", name, (10, 10)) for name in ("a", "out")]
    shapes: dict[str, list[tuple[int, ...]]] = {
        "alpha": [(10,), (1, 1, 10), (10, 1)],
        "beta": [(10, 10)],
        "kernel": [(10, 1)],
    }
    is_found = {
        name: [
            bool(still_open(judge(dataclasses.replace(SPEC, weights=(*others, weight)), records, RULE)[-1]))
            for weight in (WeightSpec(f"b/{name}", "b", shape) for shape in alike)
        ]
        for name, alike in shapes.items()
    }
    assert is_found == {"alpha": [False, False, False], "beta": [True], "kernel": [True]}


def left_out(*trained: str, spec: RunSpec = SPEC) -> list[tuple[str, str, Severity, str | None]]:
    """What is found of weights if the step differentiates only by these layers."""
    weights = tuple(WeightSpec(f"{name}/kernel", name, (10, 10)) for name in trained)
    records = [record(spec, step) for step in range(12)]
    findings = still_open(judge(dataclasses.replace(spec, weights=weights), records, RULE)[-1])
    return [(one.layer, one.sign, one.severity, one.root) for one in findings]


def test_layers_that_the_step_leaves_out_are_found_where_others_learn_from_them() -> None:
    assert left_out("b", "out") == [("a", "left_out", Severity.WARNING, None)]
    last, first = left_out("out")
    assert last == ("b", "left_out", Severity.WARNING, None)
    assert first == ("a", "left_out", Severity.WARNING, "stagnant_weights:b:9")


def test_layers_that_feed_nothing_trained_may_be_left_out() -> None:
    assert left_out("a") == left_out() == []
    measuring = chain("a", "b", "vgg/conv")
    assert left_out("a", "b", spec=measuring) == []


def test_a_last_layer_that_is_forgotten_is_found() -> None:
    assert left_out("a", "b") == [("out", "left_out", Severity.WARNING, None)]


def test_a_step_of_one_model_may_leave_another_out() -> None:
    spec = chain("generator/a", "discriminator/b")
    assert left_out("discriminator/b", spec=spec) != []
    assert left_out("discriminator/b", spec=dataclasses.replace(spec, model="g + d")) == []


def test_the_layer_that_learns_is_one_of_the_same_model() -> None:
    spec = dataclasses.replace(chain("g/a", "d/b", "d/out", "g/c"), model="g + d")
    weights = tuple(WeightSpec(f"{name}/kernel", name, (10, 10)) for name in ("d/b", "d/out", "g/c"))
    records = [record(spec, step) for step in range(12)]
    (finding,) = still_open(judge(dataclasses.replace(spec, weights=weights), records, RULE)[-1])
    assert (finding.layer, "g/c learns from their outputs" in finding.message) == ("g/a", True)


def test_weights_that_grow_from_zero_take_large_steps_at_first() -> None:
    assert found([moving(1 / (1 + step), step) for step in range(40)]) == []


def test_weights_that_began_near_zero_and_still_grow_are_not_restless() -> None:
    def steps(first: float) -> list[StepRecord]:
        return [moving(0.2, step, norm=first if step == 0 else 0.1 * 1.1**step) for step in range(40)]

    assert found(steps(0.0)) == []
    assert [one.sign for one in found(steps(5.0))] == ["restless"]


@pytest.mark.parametrize(("steps", "epoch_length", "is_found"), [(96, 16, True), (96, 96, False), (300, 16, False)])
def test_more_steps_for_an_update_than_epochs_have_is_found(steps: int, epoch_length: int, is_found: bool) -> None:
    spec = dataclasses.replace(SPEC, optimizer={"class_name": "Adam", "gradient_accumulation_steps": 200})
    # An optimizer that only adds up gradients has no update whose size could be measured.
    records = [
        record(
            spec,
            step,
            values={name: {"update_ratio": math.nan, "weight_norm": 5.0 + (step >= 200)} for name in EVERY_LAYER},
            totals={"epoch": step // epoch_length, "learning_rate": 1e-3},
        )
        for step in range(steps)
    ]
    open_ones = still_open(judge(spec, records, ["stagnant_weights", "learning_rate"])[-1])
    if not is_found:
        assert [one for one in open_ones if one.sign == "waiting" or one.rule == "stagnant_weights"] == []
        return
    root, *others = open_ones
    assert (root.rule, root.sign, root.value, root.threshold, root.since_step) == (
        "learning_rate",
        "waiting",
        200,
        96,
        0,
    )
    assert {(one.layer, one.root, one.since_step) for one in others} == {(name, root.id, 0) for name in EVERY_LAYER}


def test_frozen_layers_are_not_judged() -> None:
    spec = dataclasses.replace(
        SPEC, layers=tuple(dataclasses.replace(layer, trainable=layer.name != "b") for layer in SPEC.layers)
    )
    records = [record(spec, step, values={"b": {"update_ratio": np.nan}}) for step in range(20)]
    assert outcome(spec, judge(spec, records, RULE)[-1], "b", 0) == Outcome.NOT_APPLICABLE


def test_what_adds_up_over_thousands_of_steps_is_no_movement() -> None:
    drift = 1e-7 * 5
    (finding,) = found([moving(1e-7, step, norm=5 + drift * step) for step in range(0, 20_000, 1000)])
    assert (finding.layer, finding.severity) == ("b", Severity.WARNING)
