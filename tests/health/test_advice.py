"""What findings advise: a rate that follows from the steps, the layer that has the weights, penalties, precision."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tb_activations.health.rules import usual_causes
from tb_activations.health.rules.exploding_gradient import STEP
from tb_activations.health.rules.explosion import Remedies
from tb_activations.health.rules.explosion import advice as advice_on
from tb_activations.health.rules.rates import RATE_PHRASES
from tb_activations.records.columns import STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.finding import Finding
from tb_activations.records.specs import RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, judge, record, replaced, still_open

SPEC = chain("a", "b", "out")
KERNELS = dataclasses.replace(
    SPEC, weights=tuple(WeightSpec(f"{layer.name}/kernel", layer.name, (10, 10)) for layer in SPEC.layers)
)


def moving(
    step: int,
    ratio: float,
    *,
    loss: float = 1.0,
    rate: float = 1.0,
    size: float = 1.0,
    norm: float = 3.0,
    gradient: float = 0.1,
) -> StepRecord:
    """A record in which every kernel of this norm moves by `ratio` of it; inputs have a root mean square of `size`."""
    totals = {"learning_rate": rate, "input_rms": size}
    plain = record(KERNELS, step, values={key: {"update_ratio": ratio} for key in "ab"}, loss=loss, totals=totals)
    weights = np.full((3, len(WEIGHT_COLUMNS)), np.nan, np.float32)
    for column, value in {"gradient_norm": gradient, "weight_norm": norm, "update_ratio": ratio}.items():
        weights[:, WEIGHT_COLUMNS.index(column)] = value
    return dataclasses.replace(plain, weights=weights)


def first(records: Sequence[StepRecord], rule: str, spec: RunSpec = KERNELS) -> Finding:
    return next(one for one in still_open(judge(spec, records, [rule])[-1]) if one.rule == rule)


@pytest.mark.parametrize(
    ("optimizer", "first_ratio", "rate"),
    # A tenth; what makes the first step a twentieth of the weights; what makes it a fiftieth, of which that of
    # RMSprop begin at the square root of ten times their later length.
    [("SGD", 0.1, "0.1"), ("SGD", 5.0, "0.01"), ("Adam", 5.0, "0.004"), ("RMSprop", 5.0, "0.0126")],
)
def test_the_lower_rate_follows_from_the_first_steps(optimizer: str, first_ratio: float, rate: str) -> None:
    spec = dataclasses.replace(KERNELS, optimizer={"class_name": optimizer, "rho": 0.9})
    records = [moving(step, 50.0 if step == 5 else first_ratio) for step in range(8)]
    assert f"(try {rate})" in first(records, "exploding_gradient", spec).advice


@pytest.mark.parametrize(
    ("optimizer", "gradient", "clipping"),
    [("SGD", 0.1, "clipnorm=1.0"), ("SGD", 40.0, "clipnorm=40"), ("Adam", 40.0, "clipnorm=1.0")],
)
def test_clipping_leaves_the_first_gradients_as_they_were(optimizer: str, gradient: float, clipping: str) -> None:
    spec = dataclasses.replace(KERNELS, optimizer={"class_name": optimizer})
    records = [moving(step, 50.0 if step == 5 else 0.1, gradient=gradient) for step in range(8)]
    assert f"clip gradients ({clipping})" in first(records, "exploding_gradient", spec).advice


@pytest.mark.parametrize("rule", ["exploding_gradient", "learning_rate"])
def test_a_rate_that_rose_returns_to_the_highest_one_with_small_steps(rule: str) -> None:
    rates = [10.0 ** (step / 4 - 8) for step in range(45)]
    records = [moving(step, 0.2 * rate, rate=rate) for step, rate in enumerate(rates)]
    advice = first(records, rule).advice
    assert {"exploding_gradient": "(try 0.178)", "learning_rate": "about 0.178 instead of 1000, where"}[rule] in advice


def test_targets_of_both_signs_can_be_standardized_for_a_custom_loss() -> None:
    def told(least: float) -> str:
        records = [moving(step, 50.0 if step == 5 else 0.1) for step in range(8)]
        totals = dict(target_min=least, target_max=90.0)
        places = [STEP_COLUMNS.index(name) for name in totals]
        for one in records:
            one.totals[places] = list(totals.values())
        return first(records, "exploding_gradient", dataclasses.replace(KERNELS, loss="")).advice

    assert told(-20.0).startswith("Standardize the targets (up to 90 in size) first")
    assert "tandardize" not in told(0.0)


def test_where_no_usable_rate_makes_the_first_steps_small_gradients_are_clipped() -> None:
    records = [moving(step, 1e6 if step else 1e8) for step in range(8)]
    assert first(records, "exploding_gradient").advice == (
        "Clip gradients (clipnorm=1.0): no usable learning rate makes such steps small. Also lower the learning rate "
        "from 1 (try 0.1) or warm it up."
    )
    # Data that are far from standardized come first, and ask for a rate that suits standardized ones.
    records = [moving(step, 1e6 if step else 1e8, size=1e5) for step in range(8)]
    advice = first(records, "exploding_gradient").advice
    assert advice.startswith("Standardize the inputs")
    assert "(try 0.1)" in advice


def test_steps_from_kernels_that_start_far_too_large_say_nothing_of_a_better_start() -> None:
    records = [moving(step, 50.0, norm=30.0) for step in range(8)]
    advice = first(records, "exploding_gradient").advice
    assert advice.startswith("Use an initializer that keeps the size of the signal in a, b, out (")
    assert "their kernels start far too large" in advice
    assert "(try 0.1)" in advice


def test_of_many_layers_that_start_far_too_large_the_first_are_named() -> None:
    chained = chain(*(f"layer_{n}" for n in range(9)))
    text = advice_on(
        chained.layers[0], STEP, Remedies(1.0, 0.1, False, "clipnorm=1.0", "", [layer.name for layer in chained.layers])
    )
    assert "in layer_0, layer_1, layer_2, layer_3, layer_4, layer_5 and 3 more (" in text
    alone = advice_on(chained.layers[0], STEP, Remedies(1.0, 0.1, False, "clipnorm=1.0", "", ["layer_0"]))
    assert "in layer_0 (he_normal for relu, glorot_uniform for tanh): its kernel starts" in alone


def test_a_rate_that_is_too_low_is_raised_until_the_largest_steps_are_usual() -> None:
    records = [moving(step, 1e-8, rate=1e-7) for step in range(20)]
    assert "here about 0.1)" in first(records, "learning_rate").advice
    assert "float32" not in first(records, "learning_rate").advice


@pytest.mark.parametrize("rule", ["learning_rate", "stagnant_weights"])
def test_no_learning_rate_makes_up_for_a_gradient_that_is_far_too_small(rule: str) -> None:
    advice = first([moving(step, 1e-8, rate=0.1) for step in range(20)], rule).advice
    assert advice.startswith("The gradient is too small for any usual learning rate: use an initializer")
    assert "Raise" not in advice


def test_steps_that_round_to_nothing_need_another_precision_first() -> None:
    layers = tuple(dataclasses.replace(layer, dtype="bfloat16") for layer in KERNELS.layers)
    spec = dataclasses.replace(KERNELS, layers=layers)
    records = [moving(step, 1e-8, rate=1e-7) for step in range(20)]
    advice = first(records, "learning_rate", spec).advice
    assert advice.index("in float32 (dtype policy mixed_bfloat16)") < advice.index("Raise the learning rate")


def test_a_rate_that_is_too_high_for_raw_inputs_is_not_the_first_thing_to_change() -> None:
    records = [moving(step, 0.5, loss=1.1, size=200.0) for step in range(40)]
    advice = first(records, "learning_rate").advice
    assert advice.startswith("Standardize the inputs (root mean square 200) first")
    assert "about 0.01 instead of 1 makes steps of 0.005" in advice


def faint(spec: RunSpec, steps: int, faded_at: int) -> list[StepRecord]:
    """Records in which most units of the second layer output little, from a step on."""
    records = []
    for step in range(steps):
        peaks = np.full(spec.unit_count, 2.0, np.float32)
        if step >= faded_at:
            peaks[spec.unit_slice(1)][:17] = 1e-3
        records.append(dataclasses.replace(record(spec, step), unit_peak=peaks))
    return records


def test_units_that_started_dormant_are_reinitialized_in_the_layer_with_their_weights() -> None:
    spec = chain("dense", "act", "out", units=20, activation="gelu")
    spec = replaced(replaced(spec, "act", parameters=0, inputs=("dense",)), "dense", activation=None)
    spec = replaced(spec, "out", inputs=("act",))
    advice = first(faint(spec, 12, 0), "dormant_units", spec).advice
    assert "reinitialize the kernel and the bias of dense " in advice
    assert "penalties" not in advice


def test_units_that_faded_in_training_point_to_penalties() -> None:
    spec = chain("a", "b", "out", units=20, activation="gelu")
    advice = first(faint(spec, 40, 20), "dormant_units", spec).advice
    assert advice.startswith("The units faded during training. Remove or lower the penalties on b ")


def test_weights_lost_in_float16_are_kept_in_float32() -> None:
    lost = {"weight_nonfinite": 7.0, "weight_gradient_nonfinite": 7.0}
    records = [record(SPEC, 0), record(SPEC, 1, values=dict.fromkeys("ab", lost))]
    assert "float32" not in first(records, "nonfinite", SPEC).advice
    half = replaced(SPEC, "a", dtype="float16")
    assert first(records, "nonfinite", half).advice.startswith("Keep the weights of a in float32")
    scaled = [record(SPEC, 0, loss_scale=8.0), record(SPEC, 1, values=dict.fromkeys("ab", lost), loss_scale=8.0)]
    assert "float32" not in first(scaled, "nonfinite", half).advice


def test_a_logarithm_of_zero_in_the_loss_may_come_from_raw_inputs() -> None:
    broken = {"weight_gradient_nonfinite": 7.0, "gradient_nonfinite": 7.0}
    totals = {"input_rms": 200.0, "input_nonfinite": 0.0}
    records = [
        record(SPEC, 0, totals=totals),
        record(SPEC, 1, values={"out": broken}, loss=float("nan"), totals=totals),
    ]
    advice = first(records, "nonfinite", SPEC).advice
    assert advice.startswith("Standardize the inputs (root mean square 200) first")
    assert "Check targets and sample weights" in advice


def overflowing(gain: float) -> list[Finding]:
    """The outputs of the second layer overflow in the first step; its kernel starts with this gain."""
    made = moving(0, 1e-3)
    weights = made.weights.copy()
    weights[1, WEIGHT_COLUMNS.index("weight_norm")] = gain * np.sqrt(10)
    values = {"b": {"nonfinite": 7.0}}
    broken = dataclasses.replace(record(KERNELS, 0, values=values, loss=float("nan")), weights=weights)
    return still_open(judge(KERNELS, [broken], ["nonfinite", "poor_init"])[-1])


def test_an_overflow_follows_from_a_kernel_that_starts_far_too_large() -> None:
    root, *rest = overflowing(40000.0)
    assert (root.rule, root.sign, root.layer) == ("poor_init", "gain_high", "b")
    assert {one.root for one in rest if one.rule == "nonfinite"} == {root.id}
    assert [one.rule for one in overflowing(1.0)] == ["nonfinite"]


def test_a_gradient_lost_on_the_way_back_through_a_layer_points_to_that_layer() -> None:
    lost = {"a": {"gradient_nonfinite": 5.0, "weight_gradient_nonfinite": 7.0}}
    # The distance has no weights, and it is the output.
    spec = replaced(chain("a", "distance"), "distance", parameters=0, inputs=("a",))
    finding = first([record(spec, 0), record(spec, 1, values=lost)], "nonfinite", spec)
    assert (finding.layer, finding.origin) == ("a", "unknown")
    assert "the gradient at the outputs of distance: look there, and between a and that" in finding.advice
    lost["distance"] = {"gradient_nonfinite": 5.0}
    finding = first([record(spec, 0), record(spec, 1, values=lost)], "nonfinite", spec)
    assert finding.origin == "loss"
    assert "look there" not in finding.advice


@pytest.mark.parametrize("phrase", RATE_PHRASES)
def test_the_rules_still_use_the_phrases_behind_which_the_tab_finds_a_rate(phrase: str) -> None:
    sources = [Path(path).read_text("utf-8") for path in Path(usual_causes.__file__).parent.glob("*.py")]
    assert any(phrase in source for source in sources if "RATE_PHRASES" not in source)
