"""Attention in real trainings: sick heads are named, nothing changes the weights, and stored heads are exact."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from tb_activations import LayerHealth, load
from tb_activations.events.unit_coding import quantize_activity, restore_activity
from tests.training.models import Trainable, digits, train
from tests.training.observe import Observe

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

SICK = 2
"""Number of the head whose query grows."""


def vit(first: Any = "glorot_uniform") -> Trainable:
    """Digits in 16 patches, two attention layers; the initializer is that of the first one."""
    x, y = digits()
    patches = x.reshape(-1, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 16, 4)
    inputs = layers.Input((16, 4))
    h = layers.Dense(16, name="patches")(inputs)
    for name, initializer in (("first", first), ("second", "glorot_uniform")):
        attention = layers.MultiHeadAttention(4, 4, kernel_initializer=initializer, name=name)
        h = layers.Add()([h, attention(layers.LayerNormalization()(h), layers.LayerNormalization()(h))])
    h = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(h))
    return keras.Model(inputs, layers.Dense(10, name="head")(h)), patches, y


class EqualHeads(keras.initializers.Initializer):
    """The same kernel for each of four heads."""

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        axis = 1 if shape[0] != 4 else 0
        one = keras.random.normal([1 if place == axis else size for place, size in enumerate(shape)], stddev=0.3)
        return ops.broadcast_to(one, shape)

    def get_config(self) -> dict[str, Any]:
        return {}


class GrowingQuery(keras.callbacks.Callback):
    """Multiplies the query kernel of one head of the first layer after every step."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        kernel = self.model.get_layer("first").query_dense.kernel
        factors = np.ones((1, 4, 1), "float32")
        factors[0, SICK] = 1.25
        kernel.assign(kernel * factors)


def test_a_head_whose_query_grows_is_named_while_the_loss_falls(tmp_path: Path) -> None:
    train(vit, [GrowingQuery(), LayerHealth(tmp_path, update_freq=1)], epochs=4, optimizer="adam")
    run = load(tmp_path)
    (finding,) = [finding for finding in run.findings if finding.rule == "attention_logits"]
    assert (finding.layer, finding.units) == ("first/heads", (SICK,))
    loss = run.step_stat("loss")
    found = int(np.flatnonzero(run.steps == finding.opened_step)[0])
    assert np.median(loss[found - 3 : found + 1]) < np.median(loss[:4])
    # The other heads and layers are as they were.
    peaks = run.unit_peaks("first/heads")[-1]
    assert peaks[SICK] == peaks.max() > 10 * np.delete(peaks, SICK).max()


def test_heads_with_the_same_start_are_named_and_others_are_not(tmp_path: Path) -> None:
    callback = LayerHealth(tmp_path, update_freq=1)
    train(lambda: vit(EqualHeads()), [callback], epochs=2, optimizer="adam")
    found = [finding for finding in callback.findings if finding.rule == "attention_collapse"]
    assert [(finding.layer, finding.sign, len(finding.units)) for finding in found] == [
        ("first/heads", "similarity", 2)
    ]


def test_every_record_has_the_entropy_and_the_peak_of_each_head(tmp_path: Path) -> None:
    train(vit, [LayerHealth(tmp_path, update_freq=1)], epochs=1)
    run = load(tmp_path)
    stored, peaks = run.units("first/heads"), run.unit_peaks("first/heads")
    assert stored.shape == (len(run.steps), 4)
    assert not np.isnan(peaks).any()
    means = run.stat("attention_entropy")[:, run.spec.layer_index("first/heads")]
    # Shares are stored to 3 %; were they repeated from an earlier record, they would not follow the mean.
    np.testing.assert_allclose(stored.mean(axis=1), means, rtol=0.03)
    np.testing.assert_array_equal(stored, restore_activity(quantize_activity(stored)))


@pytest.mark.parametrize(
    ("is_probability", "mode"),
    [(False, {}), (True, {}), (True, {"jit_compile": True}), (False, {"run_eagerly": True})],
)
def test_log_z_of_a_softmax_head_is_exact(is_probability: bool, mode: dict[str, Any]) -> None:
    def made() -> Trainable:
        hidden = [layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(16, "relu")]
        head = layers.Dense(10, "softmax" if is_probability else None, kernel_initializer="he_normal", name="head")
        return keras.Sequential([*hidden, head]), *digits(64)

    observe = Observe()
    train(made, [observe], epochs=1, from_logits=not is_probability, **mode)
    keras.utils.set_random_seed(0)
    model, x, _ = made()
    values = x[:32].reshape(32, 64).astype(float)
    kernel, bias, last, shift = (weight.astype(float) for weight in model.get_weights())
    logits = np.maximum(values @ kernel + bias, 0) @ last + shift
    log_z = np.log(np.exp(logits).sum(axis=1))
    totals = observe.seen[0][1].totals
    found = [totals[name] for name in ("log_z", "log_z_max", "logit_rms")]
    np.testing.assert_allclose(found, [log_z.mean(), log_z.max(), np.sqrt((logits**2).mean())], rtol=1e-5)


@pytest.mark.parametrize("mode", [{}, {"jit_compile": True}, {"run_eagerly": True}])
@pytest.mark.parametrize(
    ("loss", "weights", "expected"),
    [
        ("categorical_crossentropy", None, [0.0, 2.0]),
        ("categorical_crossentropy", np.ones(8), [np.nan, np.nan]),
        ("binary_crossentropy", None, [np.nan, np.nan]),
    ],
)
def test_the_sums_of_targets_that_are_distributions(
    loss: str, weights: Any, expected: list[float], mode: dict[str, Any]
) -> None:
    observe = Observe()
    model = keras.Sequential([layers.Input((4,)), layers.Dense(3, "softmax")])
    model.compile("sgd", loss, **{"jit_compile": False, **mode})
    targets = np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]
    targets[1] = 0
    targets[2, 1] = 1
    model.fit(np.ones((8, 4)), targets, sample_weight=weights, verbose=0, callbacks=[observe])
    totals = observe.seen[0][1].totals
    np.testing.assert_array_equal([totals["target_sum_min"], totals["target_sum_max"]], expected)


def test_a_regression_has_no_log_z() -> None:
    observe = Observe()
    model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(np.ones((8, 4), "float32"), np.ones((8, 1), "float32"), verbose=0, callbacks=[observe])
    totals = observe.seen[0][1].totals
    assert all(math.isnan(totals[name]) for name in ("log_z", "log_z_max", "logit_rms"))
