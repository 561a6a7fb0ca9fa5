"""The criteria for a training as a whole, on measurements made up by hand and on heads of small networks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from benchmarks.cases.base import WHOLE, Case, Training
from benchmarks.cases.heads import heads
from benchmarks.cases.measurements import Measurements
from benchmarks.cases.scoring import unconfirmed_claims
from benchmarks.cases.truth_whole import learning_rate, no_learning, nonfinite_loss, unfit_head

FINE = {"gradient": 0.1, "nonfinite": 0, "weights_nonfinite": 0, "moved": 0.2, "elasticity": 0.5}
FALLING = (2.3, 1.0, 0.5, 0.3, 0.2, 0.1)
SAME = (2.3,) * 6


def measured(losses: tuple[float, ...] = SAME, steps: Any = 1e-3, layer: Any = None, **known: Any) -> Measurements:
    """Six measurements of one hidden layer of a training of sixty steps."""
    moments = [
        {"step": 12 * at, "loss": loss, "layers": {"hidden": {**FINE, **(layer or {})}}}
        for at, loss in enumerate(losses)
    ]
    constants = {"class": "Dense", "activation": "relu", "head": False, "gate": False, "trained": True}
    sizes = steps if isinstance(steps, list) else [steps] * 60
    given = {"rates": [0.01] * 60, **known}
    return Measurements(moments, {"hidden": sizes}, {"hidden": constants}, known.pop("broken", None), 2.3, **given)


def told(criterion: Any, measurements: Measurements) -> list[tuple[str, bool, int]]:
    return [(fact.layer, fact.certain, fact.onset) for fact in criterion(measurements)]


@pytest.mark.parametrize(
    ("losses", "is_certain"),
    [
        (SAME, True),
        ((2.3, 3.0, 4.0, 5.0, 6.0, 7.0), True),
        ((2.3, 2.2, 2.2, 2.2, 2.2, 2.2), False),
        ((2.3, 2.3, float("nan"), float("nan"), float("nan"), float("nan")), False),
        (FALLING, None),
    ],
)
def test_a_loss_that_stays_is_no_learning(losses: tuple[float, ...], is_certain: bool | None) -> None:
    assert told(no_learning, measured(losses)) == ([] if is_certain is None else [(WHOLE, is_certain, 0)])


def test_a_program_with_a_goal_is_not_judged_by_its_loss() -> None:
    goal = {"name": "return", "start": 0.0, "end": 1.0, "is_reached": True}
    assert told(no_learning, measured(goal=goal)) == []
    assert told(no_learning, measured(goal={**goal, "is_reached": False})) == [(WHOLE, False, 0)]


NAN = float("nan")


@pytest.mark.parametrize(
    ("losses", "known", "expected"),
    [
        (FALLING, {}, []),
        ((2.3, 2.0, NAN, NAN, NAN, NAN), {}, [(WHOLE, True, 24)]),
        ((2.3, 2.0, NAN, NAN, NAN, NAN), {"layer": {"nonfinite": 3}}, [(WHOLE, False, 24)]),
        (FALLING, {"broken_loss_step": 7}, [(WHOLE, True, 7)]),
    ],
)
def test_a_loss_alone_is_not_finite(losses: tuple[float, ...], known: Any, expected: Any) -> None:
    assert told(nonfinite_loss, measured(losses, **known)) == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"losses": FALLING}, []),
        ({"rates": [0.0] * 60}, [(WHOLE, True, 0)]),
        ({"rates": [0.01] * 20 + [0.0] * 40}, [(WHOLE, True, 20)]),
        ({"rates": [0.01] * 40 + [0.0] * 20}, [(WHOLE, False, 40)]),
        ({"rates": [0.01] * 20 + [0.0] * 40, "losses": FALLING}, []),
        ({"layer": {"moved": 1e-5}}, [(WHOLE, True, 0)]),
        ({"layer": {"moved": 1e-5, "elasticity": 1e-6}}, []),
        ({"layer": {"moved": 1e-5}, "losses": FALLING}, []),
        ({"steps": 0.4}, [(WHOLE, True, 0)]),
        ({"steps": 0.4, "losses": FALLING}, [(WHOLE, False, 0)]),
        ({"steps": [1e-3] * 30 + [20.0] + [0.0] * 29}, [(WHOLE, True, 30)]),
        ({"rates": [None] * 60}, []),
    ],
)
def test_a_learning_rate_is_zero_gone_too_low_or_too_high(known: Any, expected: Any) -> None:
    assert told(learning_rate, measured(**known)) == expected


def training(activation: Any, units: int, loss: Any, y: Any) -> Training:
    model = keras.Sequential([layers.Input((3,)), layers.Dense(units, activation, name="output")])
    model.compile("sgd", loss)
    return Training(model, np.zeros((len(y), 3)), np.asarray(y))


CLASSES = np.arange(10) % 3
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    ("activation", "units", "loss", "y", "is_certain"),
    [
        ("softmax", 1, "binary_crossentropy", CLASSES > 1, True),
        ("sigmoid", 1, "binary_crossentropy", CLASSES > 1, None),
        ("sigmoid", 1, "binary_crossentropy", np.sign(CLASSES - 0.5), True),
        ("softmax", 3, "sparse_categorical_crossentropy", CLASSES, None),
        ("softmax", 3, "sparse_categorical_crossentropy", CLASSES + 1, True),
        ("softmax", 3, "categorical_crossentropy", np.eye(4)[CLASSES + 1][:, :3], True),
        (None, 3, LOGITS, CLASSES, None),
        (None, 3, "sparse_categorical_crossentropy", CLASSES, False),
        (None, 1, "mse", 100.0 * CLASSES, None),
        ("tanh", 1, "mse", 100.0 * CLASSES, True),
        ("tanh", 1, "mse", np.linspace(-1.05, 1.05, 10), False),
        ("relu", 1, "mean_absolute_error", CLASSES - 1.0, True),
        ("relu", 1, "mean_absolute_error", 100.0 * CLASSES, None),
        ("tanh", 1, "hinge", 3.0 * np.sign(CLASSES - 0.5), False),
    ],
)
def test_a_head_fits_its_targets(activation: Any, units: int, loss: Any, y: Any, is_certain: bool | None) -> None:
    known = heads(training(activation, units, loss, y))
    assert list(known) == ["output"]
    assert told(unfit_head, measured(heads=known)) == ([] if is_certain is None else [("output", is_certain, 0)])


def test_a_sick_training_may_also_not_learn_but_a_healthy_one_may_not() -> None:
    measurements = measured()
    healthy = Case("made_up", "", lambda: None)  # type: ignore[arg-type, return-value]
    sick = Case("made_up", "", lambda: None, "dead_units", ("hidden",))  # type: ignore[arg-type, return-value]
    assert unconfirmed_claims(healthy, measurements) != ()
    assert unconfirmed_claims(sick, measurements) == ("dead_units of hidden",)
