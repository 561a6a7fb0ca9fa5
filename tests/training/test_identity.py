"""Observing does not change the training: the weights are the same with and without it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.models import noisy, probabilities, train
from tests.training.observe import Observe, value_of

EAGER: dict[str, Any] = {"run_eagerly": True, "epochs": 1}
FOUR_STEPS: dict[str, Any] = {"steps_per_execution": 4}


# Compiled, step by step, `test_callback.py` trains every kind; `make compatibility` trains many more in every mode.
@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("sequential", EAGER),
        ("subclassed", EAGER),
        ("lstm", EAGER),
        ("functional", FOUR_STEPS),
        ("subclassed", FOUR_STEPS),
        ("attention", FOUR_STEPS),
    ],
)
def test_weights_are_bit_identical(kind: str, mode: dict[str, Any]) -> None:
    observe = Observe(update_freq=3)
    alone = train(kind, [], **mode).get_weights()
    observed = train(kind, [observe], **mode).get_weights()
    assert len(observe.seen) >= 3
    for one, other in zip(alone, observed, strict=True):
        np.testing.assert_array_equal(one, other)


DRAWS: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "keras.random": lambda: keras.random.normal,
    "a generator of Keras": lambda: functools.partial(keras.random.normal, seed=keras.random.SeedGenerator(1)),
    "a generator of TensorFlow": lambda: tf.random.Generator.from_seed(1).normal,
}


@pytest.mark.parametrize("source", list(DRAWS))
def test_random_numbers_stay_the_same(source: str, caplog: pytest.LogCaptureFixture) -> None:
    observe = Observe(update_freq=3)
    alone = train(lambda: noisy(DRAWS[source]()), []).get_weights()
    observed = train(lambda: noisy(DRAWS[source]()), [observe]).get_weights()
    assert len(observe.seen) >= 3
    for one, other in zip(alone, observed, strict=True):
        np.testing.assert_array_equal(one, other)
    assert caplog.messages == []


def test_random_numbers_whose_state_belongs_to_the_step_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Trainings with all steps or no step observed draw the same numbers, but the two compiled steps share no state."""
    alone = train(lambda: noisy(tf.random.normal), []).get_weights()
    observed = train(lambda: noisy(tf.random.normal), [Observe(update_freq=1)]).get_weights()
    for one, other in zip(alone, observed, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(caplog.messages) == 1
    assert "uses tf.random (RandomStandardNormal)" in caplog.messages[0]


def test_a_softmax_head_goes_on_with_its_logits() -> None:
    observe = Observe(update_freq=1)
    alone = train(probabilities, [], from_logits=False).get_weights()
    observed = train(probabilities, [observe], from_logits=False).get_weights()
    assert len(observe.seen) >= 3
    for one, other in zip(alone, observed, strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(value_of(seen, "head", "gradient_norm") > 0 for _, seen in observe.seen)
