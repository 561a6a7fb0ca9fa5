from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from tb_activations.health.records import WEIGHT_COLUMNS, Finding, Severity, StepRecord, WeightSpec
from tests.unit.health.trainings import chain, judge, record, still_open

SPEC = dataclasses.replace(
    chain("a", "b", "out"),
    weights=(
        *(WeightSpec(f"{name}/kernel", name, (4, 4)) for name in ("a", "b", "out")),
        WeightSpec("b/bias", "b", (4,)),
    ),
)
RULE = ["exploding_gradient"]


def stepping(
    step: int, kernel: float = 1e-3, *, bias: float = 1e-3, loss: float = 1.0, gradient: float = 0.1
) -> StepRecord:
    """A record in which the weights of layer b take steps of this size."""
    weights = np.full((4, len(WEIGHT_COLUMNS)), 1e-3, np.float32)
    weights[:, WEIGHT_COLUMNS.index("update_ratio")] = [1e-3, kernel, 1e-3, bias]
    # Of 20 numbers of equal size.
    figures = {"weight_gradient_norm": gradient, "weight_gradient_mean_abs": gradient / 20**0.5}
    made = record(SPEC, step, figures={"b": figures}, loss=loss)
    return dataclasses.replace(made, weights=weights)


def found(steps: int, make: Callable[[int], StepRecord]) -> list[Finding]:
    return still_open(judge(SPEC, [make(step) for step in range(steps)], RULE)[-1])


def test_one_step_ten_times_the_kernel_is_a_problem() -> None:
    (finding,) = found(20, lambda step: stepping(step, 50.0 if step == 12 else 1e-3))
    assert (finding.layer, finding.severity, finding.value, finding.since_step) == ("b", Severity.PROBLEM, 50.0, 12)


def test_it_is_over_when_it_has_been_calm_for_long() -> None:
    assert found(40, lambda step: stepping(step, 50.0 if step == 12 else 1e-3)) == []


def test_biases_and_the_first_steps_do_not_count() -> None:
    assert found(20, lambda step: stepping(step, bias=1e3)) == []
    assert found(20, lambda step: stepping(step, 50.0 if step < 3 else 1e-3)) == []


def test_a_loss_blown_up_is_laid_to_the_layer_that_moves_most() -> None:
    (finding,) = found(30, lambda step: stepping(step, 2.0, loss=1.0 if step < 10 else 5000.0))
    assert (finding.layer, finding.severity, finding.since_step) == ("b", Severity.PROBLEM, 10)


def test_a_spike_of_the_loss_is_ordinary() -> None:
    assert found(30, lambda step: stepping(step, loss=5000.0 if step % 4 == 0 else 1.0)) == []


def test_elasticity_counts_while_the_loss_has_not_halved() -> None:
    (finding,) = found(20, lambda step: stepping(step, gradient=100.0))
    assert (finding.layer, finding.severity) == ("b", Severity.WARNING)
    assert found(20, lambda step: stepping(step, gradient=100.0, loss=1.0 if step < 3 else 0.1)) == []


def test_a_gradient_that_doubles_window_after_window_is_found() -> None:
    grown = found(49, lambda step: stepping(step, gradient=1e-6 * 3.0 ** (step // 8)))
    assert [(finding.layer, finding.severity) for finding in grown] == [("b", Severity.WARNING)]
    assert found(49, lambda step: stepping(step, gradient=1e-6 * 1.5 ** (step // 8))) == []


def test_a_gradient_that_swings_around_the_threshold_is_one_finding() -> None:
    records = [stepping(step, gradient=22.0 if step // 6 % 2 else 15.0) for step in range(60)]
    findings = judge(SPEC, records, RULE)[-1].findings
    assert [finding.closed_step for finding in findings] == [None]
