"""The benchmark of the advice: the changes do what they say, follow the text, and are counted strictly."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import keras
import numpy as np
import pytest

from benchmarks.advice import page
from benchmarks.advice.changes import (
    Activation,
    ClassAxis,
    CleanData,
    ClipNorm,
    ConstantRate,
    Initialize,
    NotPossible,
    RateAtMost,
    StandardizeInputs,
    StandardizeTargets,
    TargetsBetween,
    build,
)
from benchmarks.advice.controls import control
from benchmarks.advice.cures import CURES
from benchmarks.advice.losses import SafeLoss
from benchmarks.advice.reasons import REASONS
from benchmarks.advice.remedies import REMEDIES, Advised, remedy
from benchmarks.advice.result import MOST_ROUNDS, Result, followed
from benchmarks.advice.trial import Trial
from benchmarks.cases import CASES
from benchmarks.cases.base import Case, Training
from benchmarks.cases.data import flat_digits
from benchmarks.cases.networks import at_step, compiled, learning_rate, stack
from tb_activations.health.rules import RULES
from tb_activations.records.finding import Finding
from tests.health.sick_histories import SickHistory, histories
from tests.health.trainings import judge, still_open

BY_HAND = ("left_out", "target_sum", "all_pairs")
"""Signs whose remedy is in the user's own code."""
SICK = [
    pytest.param(rule, history, id=f"{rule}-{place}")
    for rule, many in histories().items()
    for place, history in enumerate(many)
]


def small(loss: object = "mse", optimizer: object = "sgd") -> Training:
    """A table of large numbers into a tanh layer whose bias is -9."""
    keras.utils.set_random_seed(0)
    bias = keras.initializers.Constant(-9)
    model = keras.Sequential(
        [
            keras.layers.Input((3,)),
            keras.layers.Dense(4, "tanh", bias_initializer=bias, name="hidden"),
            keras.layers.Dense(1, name="head"),
        ]
    )
    model.compile(optimizer, loss, jit_compile=False)
    x = np.random.default_rng(0).normal(50, 20, (32, 3)).astype("float32")
    return Training(model, x, x.sum(1, keepdims=True), epochs=1)


def advised(finding: Finding) -> Advised:
    return Advised(finding, (finding.layer,), ("bottleneck", "head"), ("bottleneck",), 0.1, 0.2)


def test_every_finding_has_a_remedy_or_a_reason() -> None:
    assert set(REMEDIES) == {(name, sign.id) for name, rule in RULES.items() for sign in rule.signs}


def test_every_sick_case_has_a_cure_or_a_reason() -> None:
    sick = {name for name, case in CASES.items() if case.rule}
    assert set(CURES) | set(REASONS) == sick
    assert not set(CURES) & set(REASONS)


@pytest.mark.parametrize(("rule", "history"), SICK)
def test_the_advice_of_every_finding_can_be_followed_or_is_left_to_a_person(rule: str, history: SickHistory) -> None:
    (finding, *_) = [
        finding
        for finding in still_open(judge(history.spec, history.records, [rule])[-1])
        if finding.layer == history.layer and finding.sign == history.sign
    ]
    try:
        changes = remedy(advised(finding))
    except NotPossible:
        assert finding.rule in ("no_gradient", "no_learning", "outliers") or finding.sign in BY_HAND
    else:
        assert changes
        assert len(control(changes, advised(finding), np.random.default_rng(0))) == len(changes)


@pytest.mark.parametrize(("named", "layers"), [("hidden, head", ("hidden", "head")), ("a, b and 3 more", ())])
def test_an_explosion_from_a_poor_start_gets_another_start_and_a_lower_rate(
    named: str, layers: tuple[str, ...]
) -> None:
    text = (
        f"Use an initializer that keeps the size of the signal in {named} (he_normal for relu): their kernels start "
        "far too large. Also lower the learning rate from 3 (try 0.3), and clip gradients (clipnorm=1.0)."
    )
    (history, *_) = histories()["exploding_gradient"]
    (finding,) = still_open(judge(history.spec, history.records, ["exploding_gradient"])[-1])
    found = advised(dataclasses.replace(finding, advice=text))
    assert remedy(found) == (Initialize(layers), RateAtMost(0.3), ClipNorm(1.0))


def test_weights_start_over() -> None:
    hidden, head = build(small, (Initialize(("hidden",)),)).model.layers
    assert (hidden.bias.numpy() == 0).all()
    assert np.abs(hidden.kernel.numpy()).max() > 0
    assert (build(small, (Initialize(("head",)),)).model.layers[0].bias.numpy() == -9).all()
    assert head.name == "head"


def test_activations_change_in_hidden_layers_only() -> None:
    hidden, head = build(small, (Activation("relu"),)).model.layers
    assert (hidden.activation.__name__, head.activation.__name__) == ("relu", "linear")


def test_the_axis_of_a_softmax_layer_changes_and_nothing_else_has_one() -> None:
    softmax = keras.layers.Softmax(axis=0, name="scores")
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(3, name="hidden"), softmax])
    training = Training(model, np.zeros((4, 3)), np.zeros(4))
    assert build(lambda: training, (ClassAxis(("scores",)),)).model.layers[-1].axis == -1
    with pytest.raises(NotPossible):
        build(lambda: training, (ClassAxis(("hidden",)),))


def test_a_rate_is_capped_whatever_schedules_and_callbacks_say() -> None:
    def jumping() -> Training:
        jump = at_step(0, learning_rate(5.0))
        return dataclasses.replace(small(), fit={"callbacks": [jump], "verbose": 0})

    training = build(jumping, (RateAtMost(0.001),))
    training.model.fit(training.x, training.y, **training.fit)
    assert float(training.model.optimizer.learning_rate) == pytest.approx(0.001)
    schedule = keras.optimizers.schedules.ExponentialDecay(3.0, 10, 0.5)
    capped = build(lambda: small(optimizer=keras.optimizers.SGD(schedule)), (RateAtMost(0.001),))
    assert float(capped.model.optimizer.learning_rate) == pytest.approx(0.001)
    constant = build(lambda: small(optimizer=keras.optimizers.SGD(schedule)), (ConstantRate(0.7),))
    assert float(constant.model.optimizer.learning_rate) == pytest.approx(0.7)


def test_other_options_of_the_optimizer_stay() -> None:
    optimizer = build(lambda: small(optimizer=keras.optimizers.SGD(0.3, momentum=0.8)), (ClipNorm(),)).model.optimizer
    assert float(optimizer.learning_rate) == pytest.approx(0.3)
    assert (optimizer.momentum, optimizer.clipnorm) == (0.8, 1.0)


def test_data_are_scaled_and_cleaned() -> None:
    training = build(small, (StandardizeInputs(), StandardizeTargets()))
    assert training.x.mean(0) == pytest.approx(np.zeros(3), abs=1e-5)
    assert training.y.std() == pytest.approx(1, abs=1e-5)
    bounded = build(small, (TargetsBetween(-1.0, 1.0),))
    assert (bounded.y.min(), bounded.y.max()) == (-1, 1)

    def dirty() -> Training:
        training = small()
        training.x[3, 1] = math.nan
        return training

    assert build(dirty, (CleanData(),)).x.shape == (31, 3)
    with pytest.raises(NotPossible, match="all data are finite"):
        build(small, (CleanData(),))


def test_a_mended_loss_takes_no_logarithm_of_zero() -> None:
    def logarithmic(truth: object, guess: object) -> object:
        return keras.ops.log(keras.ops.abs(guess) * 0)

    training = build(lambda: small(logarithmic), (SafeLoss(1e-7),))
    assert training.model.evaluate(training.x, training.y, verbose=0) == pytest.approx(math.log(1e-7), rel=1e-3)
    assert float(keras.ops.log(0.0)) == -math.inf


CURED = Trial((), (), 0.2, 1.0, 1.0, has_learned=True)


@pytest.mark.parametrize(
    ("loss", "findings", "learned", "mended"),
    [
        (0.23, (), True, True),
        (0.25, (), True, False),
        (0.1, ("dead_units of a",), True, False),
        (0.2, (), False, False),
    ],
)
def test_only_a_healthy_training_near_the_cured_one_is_mended(
    loss: float, findings: tuple[str, ...], learned: bool, mended: bool
) -> None:
    trial = Trial(findings, (), loss, 1.0, 1.0, learned)
    assert Result("", cure_trial=CURED).is_mended(trial) is mended


def test_a_case_whose_advice_is_not_followed_counts_as_not_mended() -> None:
    name = next(iter(CURES))
    followed = Result(name, "rule", "advice", ("change",), advice_trial=CURED, cure_trial=CURED)
    missed = Result(name, reason="no correct finding", cure_trial=CURED)
    hopeless = Result(name, reason="code")
    results = [(CASES[name], one) for one in (followed, missed, hopeless)]
    assert "50% (1/2)" in page.summary(results)
    assert not page.is_goal_met(results)
    assert page.is_goal_met(results[:1])
    text = page.markdown(results, 5)
    assert "2 of 5 sick cases have not been tried yet" in text


def far_too_slow() -> Training:
    """A network whose weights start at zero, and hardly move."""
    x, y = flat_digits(512)
    model = stack("relu", (16,), kernel_initializer="zeros")
    return Training(compiled(model, keras.optimizers.SGD(1e-7)), x, y, epochs=4)


def test_the_advice_of_what_a_change_leaves_is_followed_too(tmp_path: Path) -> None:
    changes, trials = followed(Case("slow", "", far_too_slow), (Initialize(("hidden_0",)),), tmp_path)
    assert changes[0] == Initialize(("hidden_0",))
    assert isinstance(changes[1], ConstantRate)
    assert 2 <= len(trials) <= MOST_ROUNDS
    first, last = trials[0], trials[-1]
    assert first is not None
    assert "learning_rate" in first.findings
    assert last is not None
    assert "learning_rate" not in last.findings
    assert last.loss < first.loss
