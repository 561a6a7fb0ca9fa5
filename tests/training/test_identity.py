"""Observing does not change the training: the weights are the same with and without it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_activations import LayerHealth, load
from tests.thorough import mostly
from tests.training.models import KINDS, masked_attention, noisy, probabilities, train
from tests.training.observe import Observe, value_of

EAGER: dict[str, Any] = {"run_eagerly": True, "epochs": 1}
FOUR_STEPS: dict[str, Any] = {"steps_per_execution": 4}


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_run_of_every_kind_of_model_can_be_loaded(kind: str, tmp_path: Path) -> None:
    callback = LayerHealth(tmp_path, update_freq=2)
    optimizer = "adam" if kind == "functional" else "sgd"
    alone = train(kind, [], optimizer=optimizer).get_weights()
    model = train(kind, [callback], optimizer=optimizer)
    run = load(tmp_path)
    assert run.steps.tolist() == list(range(0, 16, 2))
    observed = [index for index, layer in enumerate(run.spec.layers) if not layer.not_observed]
    assert np.isfinite(run.stat("mean")[:, observed]).all()
    assert np.isfinite(run.step_stat("loss")).all()
    assert run.findings == callback.findings
    for one, other in zip(alone, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


MODES: dict[str, tuple[str, dict[str, Any]]] = {
    "sequential, eager": ("sequential", EAGER),
    "subclassed, eager": ("subclassed", EAGER),
    "lstm, eager": ("lstm", EAGER),
    "functional, four steps": ("functional", FOUR_STEPS),
    "subclassed, four steps": ("subclassed", FOUR_STEPS),
    "attention, four steps": ("attention", FOUR_STEPS),
}


# Step by step, the test above trains every kind; `make compatibility` trains many more in every mode. The other modes
# here are those of `test_compatibility.py` and `test_unbuilt_models.py`.
@pytest.mark.parametrize("mode", mostly(MODES, ("lstm, eager", "functional, four steps")))
def test_weights_are_bit_identical(mode: str) -> None:
    observe, (kind, arguments) = Observe(update_freq=3), MODES[mode]
    alone = train(kind, [], **arguments).get_weights()
    observed = train(kind, [observe], **arguments).get_weights()
    assert len(observe.seen) >= 3
    for one, other in zip(alone, observed, strict=True):
        np.testing.assert_array_equal(one, other)


def test_attention_with_masks_changes_no_weight() -> None:
    observe = Observe(update_freq=2)
    alone = train(masked_attention, [], epochs=1).get_weights()
    observed = train(masked_attention, [observe], epochs=1).get_weights()
    names = {row.call.name for _, seen in observe.seen for row in seen.rows if row.call.class_name == "AttentionHeads"}
    assert names == {"first/heads", "second/heads"}
    for one, other in zip(alone, observed, strict=True):
        np.testing.assert_array_equal(one, other)


def own_messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Without those of TensorFlow, which counts how often functions of other tests were traced."""
    return [record.getMessage() for record in caplog.records if record.name == "tb_activations"]


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
    assert own_messages(caplog) == []


def test_random_numbers_whose_state_belongs_to_the_step_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Trainings with all steps or no step observed draw the same numbers, but the two compiled steps share no state."""
    alone = train(lambda: noisy(tf.random.normal), []).get_weights()
    observed = train(lambda: noisy(tf.random.normal), [Observe(update_freq=1)]).get_weights()
    for one, other in zip(alone, observed, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(own_messages(caplog)) == 1
    assert "uses tf.random (RandomStandardNormal)" in own_messages(caplog)[0]


def test_a_softmax_head_goes_on_with_its_logits() -> None:
    observe = Observe(update_freq=1)
    alone = train(probabilities, [], from_logits=False).get_weights()
    observed = train(probabilities, [observe], from_logits=False).get_weights()
    assert len(observe.seen) >= 3
    for one, other in zip(alone, observed, strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(value_of(seen, "head", "gradient_norm") > 0 for _, seen in observe.seen)
