from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tb_activations.health.history import History
from tb_activations.health.rules.elasticity import output_elasticity
from tb_activations.records.columns import LAYER_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.finding import Finding, Severity
from tb_activations.records.specs import WeightSpec
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, judge, record, replaced, still_open

SPEC = dataclasses.replace(
    chain("a", "b", "out"),
    weights=(
        *(WeightSpec(f"{name}/kernel", name, (4, 4)) for name in ("a", "b", "out")),
        WeightSpec("b/bias", "b", (4,)),
    ),
)
RULE = ["exploding_gradient"]


def stepping(
    step: int,
    kernel: float = 1e-3,
    *,
    bias: float = 1e-3,
    loss: float = 1.0,
    gradient: float = 0.1,
    reached: float = 1.0,
    outputs: float = 0.1,
    batch: int = 100,
) -> StepRecord:
    """A record in which the weights of layer b take steps of this size.

    Its gradient reaches this share of its weights; `outputs` is the norm of the gradient at the head's outputs.
    """
    weights = np.full((4, len(WEIGHT_COLUMNS)), 1e-3, np.float32)
    weights[:, WEIGHT_COLUMNS.index("update_ratio")] = [1e-3, kernel, 1e-3, bias]
    # 20 elements, equal in size where the gradient reaches them.
    values = {"weight_gradient_norm": gradient, "weight_gradient_mean_abs": gradient * (reached / 20) ** 0.5}
    made = record(SPEC, step, values={"b": values, "out": {"gradient_norm": outputs}}, loss=loss, batch=batch)
    return dataclasses.replace(made, weights=weights)


def found(steps: int, make: Callable[[int], StepRecord]) -> list[Finding]:
    return still_open(judge(SPEC, [make(step) for step in range(steps)], RULE)[-1])


def test_one_update_ten_times_as_large_as_the_kernel_is_a_problem() -> None:
    (finding,) = found(20, lambda step: stepping(step, 50.0 if step == 12 else 1e-3))
    assert (finding.layer, finding.severity, finding.value, finding.since_step) == ("b", Severity.PROBLEM, 50.0, 12)


def test_weights_that_a_huge_step_has_left_too_large_to_move_follow_from_it() -> None:
    def stuck(step: int) -> StepRecord:
        made = stepping(step, 1e5 if step == 4 else 1e-9)
        layers, weights = made.layers.copy(), made.weights.copy()
        layers[:, LAYER_COLUMNS.index("update_ratio")] = 1e-3 if step < 5 else 1e-9
        weights[[0, 2, 3], WEIGHT_COLUMNS.index("update_ratio")] = 1e-3 if step < 5 else 1e-9
        return dataclasses.replace(made, layers=layers, weights=weights)

    records = [stuck(step) for step in range(50)]
    root, *others = still_open(judge(SPEC, records, [*RULE, "stagnant_weights"])[-1])
    assert (root.rule, root.layer, root.sign, root.root) == ("exploding_gradient", "b", "step", None)
    assert {(one.rule, one.layer) for one in others} == {("stagnant_weights", name) for name in ("a", "b", "out")}
    assert {one.root for one in others} == {root.id}


def test_the_finding_closes_after_many_calm_steps_once_the_network_learns() -> None:
    def course(loss: float) -> list[Finding]:
        return found(40, lambda step: stepping(step, 50.0 if step == 12 else 1e-3, loss=1.0 if step < 14 else loss))

    assert course(0.3) == []
    (finding,) = course(1.0)
    assert (finding.layer, finding.since_step, finding.value) == ("b", 12, 50.0)


def test_biases_and_the_first_steps_do_not_count() -> None:
    assert found(20, lambda step: stepping(step, bias=1e3)) == []
    assert found(20, lambda step: stepping(step, 50.0 if step < 3 else 1e-3)) == []


def test_a_blown_up_loss_is_attributed_to_the_layer_that_moves_most() -> None:
    (finding,) = found(30, lambda step: stepping(step, 2.0, loss=1.0 if step < 10 else 5000.0))
    assert (finding.layer, finding.severity, finding.since_step) == ("b", Severity.PROBLEM, 10)


def test_weights_that_blow_up_between_observed_steps_are_found_until_the_network_learns() -> None:
    def course(factor: float, after: float = 1.0) -> list[Finding]:
        records = []
        for step in range(40):
            made = stepping(step, loss=1.0 if step < 14 else after)
            table = made.weights.copy()
            table[1, WEIGHT_COLUMNS.index("weight_norm")] = 3.0 * factor if step >= 12 else 3.0
            records.append(dataclasses.replace(made, step=10 * step, weights=table))
        return still_open(judge(SPEC, records, RULE)[-1])

    (finding,) = course(140.0)
    assert (finding.layer, finding.sign, finding.severity) == ("b", "weights", Severity.PROBLEM)
    assert finding.value == pytest.approx(140.0)
    assert finding.since_step == 120
    assert course(60.0) == []
    assert course(140.0, after=0.1) == []


def test_a_loss_that_grows_from_near_zero_by_small_steps_has_not_blown_up() -> None:
    assert found(30, lambda step: stepping(step, 1e-3, loss=1e-5 if step < 10 else 0.1)) == []


def test_a_spike_of_the_loss_is_no_finding() -> None:
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
    records = [stepping(step, gradient=22.0 if step // 6 % 2 else 15.0, outputs=0.01) for step in range(60)]
    findings = judge(SPEC, records, RULE)[-1].findings
    assert [finding.closed_step for finding in findings] == [None]


def changes(losses: Sequence[float], **options: Any) -> list[Finding]:
    """All changes of findings in a training with these losses."""
    records = [stepping(step, loss=loss, **options) for step, loss in enumerate(losses)]
    return [finding for judgement in judge(SPEC, records, RULE) for finding in judgement.changes]


def test_rows_that_no_gradient_reaches_do_not_count() -> None:
    assert changes([1.0] * 20, gradient=100.0, reached=1e-3) == []
    (finding,) = changes([1.0] * 20, gradient=1000.0, reached=1e-3)
    assert "0.157% of its weights that the gradient reaches" in finding.message
    assert finding.value < 1000.0


@pytest.mark.parametrize(("batch", "expected"), [(1, 0), (2, 0), (7, 0), (8, 1), (100, 1)])
def test_batches_of_few_samples_are_not_enough(batch: int, expected: int) -> None:
    assert len(changes([1.0] * 20, gradient=100.0, batch=batch)) == expected


def test_small_batches_between_large_ones_are_skipped() -> None:
    records = [stepping(step, gradient=100.0, batch=1 if step % 2 else 64) for step in range(20)]
    (finding,) = judge(SPEC, records, RULE)[-1].findings
    assert finding.opened_step == 8
    alone = [stepping(step, gradient=100.0 if step % 2 else 0.1, batch=1 if step % 2 else 64) for step in range(20)]
    assert judge(SPEC, alone, RULE)[-1].findings == ()


def test_a_few_samples_do_not_hide_steps_and_losses_that_explode() -> None:
    kernel = [stepping(step, 50.0 if step == 12 else 1e-3, batch=1) for step in range(20)]
    assert [finding.layer for finding in still_open(judge(SPEC, kernel, RULE)[-1])] == ["b"]
    assert [finding.sign for finding in changes([1.0] * 10 + [5000.0] * 10, kernel=2.0, batch=1)][-1:] == ["loss"]


@pytest.mark.parametrize(
    "losses",
    [
        [0.5, -0.5, 0.001, -0.4, 0.3, -0.002, 0.45, -0.35] * 4,
        [0.0, 0.5, 0.0, 0.4, 0.001, 0.6, 0.0, 0.3] * 4,
        [0.2 - 0.02 * step for step in range(32)],
    ],
    ids=["policy gradient", "hinge", "negative log-likelihood"],
)
def test_a_loss_near_zero_is_no_explosion_if_losses_pass_through_zero(losses: list[float]) -> None:
    assert changes(losses, gradient=3.0) == []


def test_an_explosion_is_found_with_losses_of_both_signs() -> None:
    found = changes([0.5, -0.5, 0.3, -0.4] * 8, gradient=1000.0)
    assert found
    assert "passes through zero" in found[0].message


def test_losses_of_both_signs_are_compared_with_their_initial_size() -> None:
    assert changes([0.5, -0.5, 0.003] + [2.0] * 20, kernel=2.0) == []


def test_a_solved_task_makes_elasticity_large_at_the_outputs_too() -> None:
    assert changes([1e-6] * 20, gradient=1e-3, outputs=1e-3) == []
    assert "b" in {finding.layer for finding in changes([1e-6] * 20, gradient=1e-3, outputs=1e-6)}


def test_a_negative_loss_that_rises_has_not_fallen() -> None:
    assert [finding.layer for finding in changes([-1.0] * 3 + [-0.4] * 20, gradient=100.0)] == ["b"]
    assert changes([-1.0] * 2 + [-3.0] * 20, gradient=100.0) == []


def test_an_eased_threshold_is_named() -> None:
    records = [stepping(step, gradient=22.0 if step < 10 else 12.0, outputs=0.01) for step in range(30)]
    (finding,) = still_open(judge(SPEC, records, RULE)[-1])
    assert (finding.value, finding.threshold, finding.closing_threshold) == pytest.approx((60.0, 100, 100 / 3))
    assert "threshold 100, closes at 33.3" in finding.message


def test_kernels_before_a_normalization_have_no_elasticity() -> None:
    """ResNet50 starts with an elasticity of 1,450 in its first kernel, and learns."""
    wired = replaced(replaced(SPEC, "b", inputs=("a",)), "out", inputs=("b",))
    records = [stepping(step, gradient=1000.0) for step in range(20)]
    assert [finding.layer for finding in still_open(judge(wired, records, RULE)[-1])] == ["b"]
    normalized = replaced(wired, "out", class_name="BatchNormalization")
    assert still_open(judge(normalized, records, RULE)[-1]) == []


def test_infinite_outputs_without_a_gradient_count_as_none() -> None:
    spec = chain("a", "out")
    history = History(spec)
    for step in range(5):
        history.update(record(spec, step, values={"out": {"std": np.inf, "gradient_norm": 0.0}}))
    np.testing.assert_array_equal(output_elasticity(history), np.zeros(5))


def test_steps_after_the_explosion_do_not_count_as_evidence_of_it() -> None:
    (finding,) = found(60, lambda step: stepping(step, 50.0 if step in (12, 13) else 1e-3))
    assert (finding.since_step, finding.checks, finding.last_step) == (12, 2, 59)
