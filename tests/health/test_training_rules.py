"""The rules for the training as a whole: data, loss, learning rate, progress, spikes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tb_activations.health.rules.learning_rate import DECAYED, LEAP, OVERSHOOT, TOO_HIGH, TOO_LOW, ZERO
from tb_activations.health.rules.nonfinite_data import INPUTS, SAMPLE_WEIGHTS, TARGETS
from tb_activations.records.columns import STEP_COLUMNS
from tb_activations.records.finding import WHOLE, Finding, Severity
from tb_activations.records.specs import AllPairs, RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, judge, record, still_open

SPEC = chain("a", "b", "out")
KERNELS = dataclasses.replace(
    SPEC, weights=tuple(WeightSpec(f"{layer.name}/kernel", layer.name, (10, 10)) for layer in SPEC.layers)
)
NAN, LOST = float("nan"), {"weight_gradient_nonfinite": 7.0, "weight_nonfinite": 7.0}
EVERY_LAYER = ("a", "b", "out")


def moving(
    step: int, ratio: float, *, loss: float = 1.0, rate: float = 1e-3, gradient: float = 0.1, cosine: float = NAN
) -> StepRecord:
    """A record in which every kernel moves by `ratio` of its norm."""
    values = {name: {"update_ratio": ratio, "weight_gradient_norm": gradient} for name in EVERY_LAYER}
    plain = record(KERNELS, step, values=values, loss=loss, totals={"learning_rate": rate})
    weights = np.full((3, 9), np.nan, np.float32)
    weights[:, 0], weights[:, 3], weights[:, 5], weights[:, 6] = gradient, 3.0, ratio, cosine
    return dataclasses.replace(plain, weights=weights)


def opened(records: list[StepRecord], rules: list[str] | None = None, spec: RunSpec = SPEC) -> list[Finding]:
    return still_open(judge(spec, records, rules)[-1])


@pytest.mark.parametrize(
    ("column", "sign"),
    [("input_nonfinite", INPUTS), ("target_nonfinite", TARGETS), ("sample_weight_nonfinite", SAMPLE_WEIGHTS)],
)
def test_nan_in_the_data_is_the_root_of_the_nan_in_the_layers(column: str, sign: object) -> None:
    bad = record(SPEC, 3, values=dict.fromkeys(EVERY_LAYER, LOST), loss=NAN, totals={column: 2})
    after = record(SPEC, 4, values=dict.fromkeys(EVERY_LAYER, LOST), loss=NAN, totals={column: 0})
    findings = opened([*(record(SPEC, step, totals={column: 0}) for step in range(3)), bad, after])
    first = findings[0]
    assert (first.rule, first.layer, first.sign, first.value) == ("nonfinite_data", WHOLE, sign.id, 2)  # type: ignore[attr-defined]
    assert first.since_step == 3
    assert {finding.root for finding in findings[1:]} == {first.id}
    assert {finding.layer for finding in findings if finding.rule == "nonfinite"} == set(EVERY_LAYER)


def test_nan_in_the_data_that_harms_nothing_is_a_note_until_the_next_batch() -> None:
    bad = record(SPEC, 1, totals={"input_nonfinite": 3})
    (finding,) = opened([record(SPEC, 0), bad], ["nonfinite_data"])
    assert finding.severity is Severity.NOTE
    assert opened([record(SPEC, 0), bad, record(SPEC, 2, totals={"input_nonfinite": 0})], ["nonfinite_data"]) == []


def test_a_loss_that_is_nan_while_all_layers_are_finite_is_found_at_once() -> None:
    ranges = {"target_min": -1.0, "target_max": 2.0, "target_nonfinite": 0.0, "output_min": -5.0, "output_max": 5.0}
    (finding,) = opened([record(SPEC, 0, loss=NAN, totals=ranges)])
    assert (finding.rule, finding.layer, finding.severity) == ("nonfinite_loss", WHOLE, Severity.PROBLEM)
    assert "targets from -1 to 2; outputs from -5 to 5" in finding.message


def test_a_loss_that_is_nan_because_of_a_layer_is_not_the_loss_function() -> None:
    findings = opened([record(SPEC, 0, loss=NAN, values={"a": LOST})])
    assert {finding.rule for finding in findings} == {"nonfinite"}


BACKWARD = {"gradient_nonfinite": 9.0, "weight_gradient_nonfinite": 9.0}
EVERYTHING = {**BACKWARD, "nonfinite": 9.0, "weight_nonfinite": 9.0}


def test_a_loss_that_is_nan_is_the_root_of_what_its_gradients_destroy() -> None:
    classes = {"target_min": -1.0, "target_max": -1.0, "target_nonfinite": 0.0}
    others = {"target_min": 0.0, "target_max": 9.0, "target_nonfinite": 0.0}
    first = record(SPEC, 1, loss=NAN, values=dict.fromkeys(EVERY_LAYER, BACKWARD), totals=classes)
    lost = dict.fromkeys(EVERY_LAYER, EVERYTHING)
    later = [record(SPEC, step, loss=NAN, values=lost, totals=others) for step in (2, 3)]
    root, *following = opened([record(SPEC, 0), first, *later])
    assert (root.rule, root.since_step, root.checks, root.root) == ("nonfinite_loss", 1, 3, None)
    assert "Data of that step: targets from -1 to -1." in root.message
    assert {(one.rule, one.layer, one.root) for one in following} == {
        ("nonfinite", layer, root.id) for layer in EVERY_LAYER
    }


def test_a_finite_loss_is_not_the_root_of_its_gradients() -> None:
    findings = opened([record(SPEC, 0), record(SPEC, 1, values=dict.fromkeys(EVERY_LAYER, BACKWARD))])
    assert {finding.rule for finding in findings} == {"nonfinite"}


def test_a_loss_of_lost_weights_is_not_their_root() -> None:
    lost = [record(SPEC, step, loss=NAN, values=dict.fromkeys(EVERY_LAYER, EVERYTHING)) for step in (4, 5)]
    assert {finding.rule for finding in opened([record(SPEC, 0), *lost])} == {"nonfinite"}


def test_a_loss_that_stays_nan_after_the_layers_recovered_begins_there() -> None:
    outputs = {"nonfinite": 9.0}
    records = [record(SPEC, 0), record(SPEC, 1, loss=NAN, values=dict.fromkeys(EVERY_LAYER, outputs))]
    assert {one.rule for one in opened(records)} == {"nonfinite"}
    (finding,) = opened([*records, *(record(SPEC, step, loss=NAN) for step in (2, 3))])
    assert (finding.rule, finding.since_step, finding.checks) == ("nonfinite_loss", 2, 2)
    assert "since step 2. The outputs and weights of every layer were finite in that step" in finding.message


def test_a_step_that_loss_scaling_skips_is_a_note() -> None:
    (finding,) = opened([record(SPEC, 0, loss=float("inf"), loss_scale=1024.0)], ["nonfinite_loss"])
    assert finding.severity is Severity.NOTE


@pytest.mark.parametrize(
    ("records", "sign"),
    [
        ([moving(step, 0.0, rate=0.0) for step in range(5)], ZERO),
        ([moving(step, 1e-8, rate=1e-9) for step in range(20)], TOO_LOW),
        ([moving(step, 1e-3 if step < 4 else 1e-9, rate=1e-3 if step < 4 else 1e-9) for step in range(30)], DECAYED),
        ([moving(step, 0.3, rate=1.0, loss=1.1) for step in range(40)], TOO_HIGH),
        ([moving(step, 0.01, rate=1.0, loss=1 + step / 99, cosine=-0.8) for step in range(40)], OVERSHOOT),
    ],
)
def test_the_learning_rate_is_named(records: list[StepRecord], sign: object) -> None:
    (finding,) = opened(records, ["learning_rate"], KERNELS)
    assert (finding.layer, finding.sign, finding.severity) == (WHOLE, sign.id, Severity.PROBLEM)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "records",
    [
        [moving(step, 1e-8, rate=1e-9, loss=1 / (1 + step)) for step in range(30)],
        [moving(step, 1e-8, rate=1e-9, gradient=0.0) for step in range(30)],
        [moving(step, 1e-3) for step in range(30)],
        [moving(step, 1e-8, rate=1e-9 * (1 + step)) for step in range(30)],
        [moving(step, 0.3, rate=1.0, loss=1 / (1 + step)) for step in range(30)],
        [moving(step, 0.01, loss=1 / (1 + step), cosine=-0.9) for step in range(40)],
        [moving(step, 0.01, cosine=-0.9) for step in range(40)],
    ],
    ids=[
        "has learned",
        "no gradient",
        "usual steps",
        "warming up",
        "fast and learning",
        "at its noise floor",
        "perhaps from the start",
    ],
)
def test_the_learning_rate_is_not_blamed(records: list[StepRecord]) -> None:
    assert opened(records, ["learning_rate"], KERNELS) == []


def leaping(optimizer: str, ratio: float, loss: float = 5.0) -> list[Finding]:
    """After steps that are usual but for the third."""
    spec = dataclasses.replace(KERNELS, optimizer={"class_name": optimizer})
    records = [
        moving(step, ratio if step == 2 else 0.01, rate=1.0, loss=1.0 if step < 3 else loss) for step in range(20)
    ]
    return opened(records, ["learning_rate", "exploding_gradient"], spec)


def test_a_step_as_large_as_the_weights_is_the_learning_rate_where_no_gradient_decides_its_size() -> None:
    (finding,) = leaping("Adam", 3.0)
    assert (finding.layer, finding.sign, finding.severity) == (WHOLE, LEAP.id, Severity.PROBLEM)
    assert leaping("Adam", 0.5) == []
    assert leaping("Adam", 3.0, loss=0.5) == []
    assert leaping("SGD", 3.0) == []


def test_large_first_steps_are_no_harm_while_the_loss_falls_but_are_if_it_ends_where_it_was() -> None:
    spec = dataclasses.replace(KERNELS, optimizer={"class_name": "Adam"})

    def of(losses: list[float]) -> list[Finding]:
        steps = [moving(step, 3.0 if step == 2 else 0.01, rate=1.0, loss=loss) for step, loss in enumerate(losses)]
        return opened(steps, ["learning_rate"], spec)

    high_and_falling = [9.0 - 0.3 * step for step in range(20)]
    assert of([1.0] * 3 + high_and_falling) == []
    (finding,) = of([1.0] * 3 + high_and_falling + [3.0] * 20)
    assert finding.sign == LEAP.id


def test_an_explosion_follows_from_a_learning_rate_that_steps_over_the_weights() -> None:
    first, *rest = leaping("RMSprop", 30.0)
    assert (first.rule, {finding.rule for finding in rest}) == ("learning_rate", {"exploding_gradient"})
    assert {finding.root for finding in rest} == {first.id}
    assert {finding.rule for finding in leaping("SGD", 30.0)} == {"exploding_gradient"}


def test_weights_that_do_not_move_follow_from_the_learning_rate() -> None:
    findings = opened([moving(step, 1e-8, rate=1e-9) for step in range(60)], None, KERNELS)
    assert (findings[0].rule, findings[0].layer) == ("learning_rate", WHOLE)
    assert {finding.rule for finding in findings} >= {"stagnant_weights", "no_learning"}
    assert {finding.root for finding in findings[1:]} == {findings[0].id}


def test_a_training_that_does_not_learn_without_visible_cause_is_a_note() -> None:
    (finding,) = opened([record(SPEC, step) for step in range(60)])
    assert (finding.rule, finding.layer, finding.severity) == ("no_learning", WHOLE, Severity.NOTE)


def test_a_loss_that_only_reaches_a_constant_prediction_is_not_learning() -> None:
    records = [record(SPEC, step, loss=1 + 3 / (1 + step), totals={"constant_loss": 1.0}) for step in range(60)]
    assert [finding.rule for finding in opened(records)] == ["no_learning"]
    better = [record(SPEC, step, loss=0.5 + 3 / (1 + step), totals={"constant_loss": 1.0}) for step in range(60)]
    assert opened(better) == []


def test_no_learning_follows_from_what_blocks_it_and_has_its_severity() -> None:
    silent = {"a": range(10)}
    findings = opened([record(SPEC, step, silent=silent) for step in range(60)])
    stuck = next(finding for finding in findings if finding.rule == "no_learning")
    assert (findings[0].rule, stuck.root, stuck.severity) == ("dead_units", findings[0].id, findings[0].severity)


def test_a_loss_that_comes_down_from_far_above_chance_is_a_note_until_it_stands() -> None:
    losses = [*np.linspace(30.0, 3.0, 60), *([3.0] * 60)]
    records = [record(SPEC, step, silent={"a": range(10)}, loss=loss) for step, loss in enumerate(losses)]
    for entry in records:
        entry.totals[STEP_COLUMNS.index("constant_loss")] = 2.0
    severities = [
        {finding.severity for finding in still_open(entry) if finding.rule == "no_learning"}
        for entry in judge(SPEC, records)
    ]
    assert severities[59] == {Severity.NOTE}
    assert severities[-1] == {Severity.PROBLEM}


def test_a_training_with_a_cause_is_said_not_to_learn_as_early_as_one_without() -> None:
    records = [record(SPEC, step, silent={"a": range(10)}) for step in range(60)]
    severities = [
        [finding.severity for finding in still_open(entry) if finding.rule == "no_learning"]
        for entry in judge(SPEC, records)
    ]
    assert severities == [[]] * 31 + [[Severity.NOTE]] * 16 + [[Severity.PROBLEM]] * 13


def test_a_spike_is_a_note_and_one_that_lasts_a_warning() -> None:
    random = np.random.default_rng(0)
    quiet = [record(SPEC, step, loss=1 + 0.02 * random.normal()) for step in range(30)]
    (spike,) = opened([*quiet, record(SPEC, 30, loss=3.0)], ["loss_spike"])
    assert (spike.layer, spike.severity, spike.since_step) == (WHOLE, Severity.NOTE, 30)
    recovered = [record(SPEC, step, loss=3.0 if step == 30 else 1.0) for step in range(30, 45)]
    assert opened([*quiet, *recovered], ["loss_spike"]) == []
    (lasting,) = opened([*quiet, *(record(SPEC, step, loss=3.0) for step in range(30, 38))], ["loss_spike"])
    assert lasting.severity is Severity.WARNING


def test_ordinary_noise_is_no_spike() -> None:
    random = np.random.default_rng(1)
    records = [record(SPEC, step, loss=float(np.exp(random.normal() / 2))) for step in range(300)]
    assert not any(judgement.changes for judgement in judge(SPEC, records, ["loss_spike"]))


def test_gradients_that_point_to_and_fro_are_no_overshoot() -> None:
    cosines = [-0.8, -0.7, 0.7] * 14
    course = [moving(step, 0.01, rate=1.0, loss=1 + step / 99, cosine=cosine) for step, cosine in enumerate(cosines)]
    assert opened(course, ["learning_rate"], KERNELS) == []


def test_a_solved_network_that_is_trained_on_is_left_alone() -> None:
    records = [moving(step, 1e-4, loss=1e-3, cosine=-0.9) for step in range(60)]
    place = STEP_COLUMNS.index("constant_loss")
    for entry in records:
        entry.totals[place] = 1.1
    assert opened(records, ["learning_rate", "no_learning"], KERNELS) == []


def test_the_limit_of_no_learning_is_a_threshold() -> None:
    records = [record(SPEC, step, loss=1.0 if step < 3 else 0.9) for step in range(60)]
    assert opened(records, ["no_learning"]) == []
    (finding,) = still_open(judge(SPEC, records, {"no_learning": {"stuck": 0.8}})[-1])
    assert (finding.threshold, "threshold 0.8" in finding.message) == (0.8, True)


def test_a_rate_that_is_lowered_after_a_loss_of_what_was_learned_is_not_to_blame() -> None:
    losses = [1.0] * 4 + [0.2] * 40 + [1.1] * 60
    rates = [1e-3] * 40 + [0.3] * 4 + [1e-5] * 60
    course = [
        moving(step, 1e-3, loss=loss, rate=rate) for step, (loss, rate) in enumerate(zip(losses, rates, strict=True))
    ]
    assert opened(course, ["learning_rate"], KERNELS) == []
    never = [moving(step, 1e-3, loss=1.1, rate=rate) for step, rate in enumerate(rates)]
    assert [finding.sign for finding in opened(never, ["learning_rate"], KERNELS)] == [DECAYED.id]


def in_pairs(weighs: bool = False) -> RunSpec:
    return dataclasses.replace(SPEC, all_pairs=(AllPairs("subtraction", "my_loss (train.py:41)", "", "out", weighs),))


def test_a_loss_over_all_pairs_of_samples_is_the_root_from_the_first_step_on() -> None:
    flat = {"out": {"sample_std": 1e-6, "mean": 2.0}}
    findings = opened([record(in_pairs(), step, values=flat) for step in range(20)], spec=in_pairs())
    first = findings[0]
    assert (first.rule, first.layer, first.sign, first.severity) == (
        "no_learning",
        WHOLE,
        "all_pairs",
        Severity.PROBLEM,
    )
    assert (first.since_step, first.opened_step, first.root) == (0, 0, None)
    assert first.message.startswith(
        "The subtraction in my_loss (train.py:41) combines a vector of shape (batch,) of data with a column of shape "
        "(batch, 1) computed from out."
    )
    assert "no more from it than a constant prediction" in first.message
    assert [finding.root for finding in findings[1:]] == [first.id]


def test_a_column_that_only_weighs_samples_is_a_warning() -> None:
    (finding,) = opened([record(in_pairs(True), 0)], ["no_learning"], in_pairs(True))
    assert finding.severity is Severity.WARNING
    assert "the weights have no effect on single samples" in finding.message
