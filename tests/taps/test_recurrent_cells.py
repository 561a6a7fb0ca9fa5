"""Cells and gates inside the loops of recurrent layers, compared with the same cells called step by step."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.taps.numbers.values import StepValues
from tests.training.models import train
from tests.training.observe import Observe, value_of

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(8, 5, 3)).astype("float32")
LENGTHS = np.array([5, 3, 1, 4, 5, 2, 5, 3])
PADDED = np.where((np.arange(5) < LENGTHS[:, None])[..., None], X, 0).astype("float32")
Y = RANDOM.normal(size=(8, 2)).astype("float32")

KINDS: dict[str, Callable[[], layers.Layer]] = {
    "simple": lambda: layers.SimpleRNN(4),
    "lstm": lambda: layers.LSTM(4),
    "sequences": lambda: layers.LSTM(4, return_sequences=True),
    "unrolled": lambda: layers.GRU(4, unroll=True, go_backwards=True),
    "backwards": lambda: layers.LSTM(4, go_backwards=True),
    "gru": lambda: layers.GRU(4, implementation=1),
    "own": lambda: layers.RNN(OwnCell()),
    "masked": lambda: layers.LSTM(4),
    "masked_backwards": lambda: layers.GRU(4, go_backwards=True),
}
MODES: dict[str, dict[str, bool]] = {"compiled": {}, "XLA": {"jit_compile": True}, "eager": {"run_eagerly": True}}
FEW = ("lstm", "gru", "unrolled", "own", "masked")
"""Kinds that are trained in the other modes, too, whose loops take long to compile."""
KINDS_IN = {mode: {kind: KINDS[kind] for kind in (FEW if made else KINDS)} for mode, made in MODES.items()}
CASES = [pytest.param(mode, kind, id=f"{mode}-{kind}") for mode, kinds in KINDS_IN.items() for kind in kinds]
Seen = tuple[StepValues, dict[str, tuple[Any, Any]]]


@keras.saving.register_keras_serializable("tests")
class OwnCell(layers.Layer):
    """A cell without gates, with a layer inside."""

    def __init__(self) -> None:
        super().__init__(name="own_cell")
        self.state_size = self.output_size = 4
        self.inner = layers.Dense(4, "relu", name="inner")

    def build(self, shape: Any) -> None:
        self.inner.build(shape)

    def call(self, inputs: Any, states: Any) -> Any:
        output = self.inner(inputs) + 0.5 * states[0]
        return output, [output]


def branches(kinds: dict[str, Callable[[], layers.Layer]]) -> keras.Model:
    """A recurrent layer of each kind, each with a head of its own."""
    keras.utils.set_random_seed(0)
    given, padded, outputs = layers.Input((5, 3)), layers.Input((None, 3)), []
    masked = layers.Masking(name="masking")(padded)
    for name, kind in kinds.items():
        layer = kind()
        layer.name = name
        value = layer(masked if name.startswith("masked") else given)
        last = layers.GlobalAveragePooling1D(name=f"mean_{name}")(value) if len(value.shape) == 3 else value
        outputs.append(layers.Dense(2, name=f"head_{name}")(last))
    return keras.Model([given, padded], layers.Concatenate(name="all")(outputs))


def trained(model: keras.Model, **mode: bool) -> StepValues:
    """The values of the first step of a training."""
    model.compile("sgd", lambda y, outputs: tf.reduce_sum(tf.square(outputs - tf.tile(y, [1, outputs.shape[1] // 2]))))
    if mode:
        model.compile("sgd", model.loss, **mode)
    observe = Observe()
    model.fit([X, PADDED], Y, batch_size=8, epochs=1, shuffle=False, verbose=0, callbacks=[observe])
    (_, seen), *_ = observe.seen
    return seen


@functools.cache
def observed(mode: str) -> Seen:
    """The values of a training, and what `step_by_step` tells about each kind."""
    model = branches(KINDS_IN[mode])
    truth = {kind: step_by_step(model, kind) for kind in KINDS_IN[mode]}
    return trained(model, **MODES[mode]), truth


def step_by_step(model: keras.Model, kind: str) -> tuple[Any, Any]:
    """`[batch, time, units]` outputs of the cell, and the gradients of the loss at them; NaN in padding."""
    layer, head = model.get_layer(kind), model.get_layer(f"head_{kind}")
    x, mask = (PADDED, (PADDED != 0).any(-1)) if kind.startswith("masked") else (X, np.ones((8, 5), bool))
    with tf.GradientTape() as tape:
        states, outputs, kept = layer.get_initial_state(len(x)), [], []
        for t in range(5)[::-1] if layer.go_backwards else range(5):
            output, new_states = layer.cell(x[:, t], states)
            outputs.append(output)
            alive = mask[:, t, None]
            states = [tf.where(alive, new, old) for new, old in zip(new_states, states, strict=True)]
            kept.append(states[0])
        last = tf.reduce_mean(tf.stack(kept, 1), 1) if layer.return_sequences else kept[-1]
        loss = tf.reduce_sum(tf.square(head(last) - Y))
    gradients = tape.gradient(loss, outputs, unconnected_gradients="zero")
    real = (mask[:, ::-1] if layer.go_backwards else mask)[..., None]
    return np.where(real, np.stack(outputs, 1), np.nan), np.where(real, np.stack(gradients, 1), np.nan)


@pytest.mark.parametrize(("mode", "kind"), CASES)
def test_cells_are_measured_at_every_time_step(mode: str, kind: str) -> None:
    seen, truth = observed(mode)
    outputs, gradients = (values[~np.isnan(values[..., 0])] for values in truth[kind])
    name = next(row.call.name for row in seen.rows if row.call.part_of == kind)
    assert value_of(seen, name, "elements") == outputs.size
    expected = {
        "mean": outputs.mean(),
        "std": outputs.std(),
        "min": outputs.min(),
        "max": outputs.max(),
        "gradient_norm": np.linalg.norm(gradients),
        "gradient_mean_abs": np.abs(gradients).mean(),
    }
    for column, value in expected.items():
        assert value_of(seen, name, column) == pytest.approx(float(value), rel=1e-3, abs=1e-6)
    start = sum(row.units for row in seen.rows[: [row.call.name for row in seen.rows].index(name)])
    np.testing.assert_allclose(seen.peak[start : start + 4], np.abs(outputs).max(0), rtol=1e-4)


@pytest.mark.parametrize(("mode", "kind"), CASES)
def test_cells_are_measured_over_time(mode: str, kind: str) -> None:
    seen, truth = observed(mode)
    assert seen.sequences is not None
    (place,) = [place for place, row in enumerate(seen.rows) if row.call.part_of == kind]
    length, *bins = seen.sequences[place]
    assert length == 5
    for values, found in zip(truth[kind], np.split(np.array(bins), 2), strict=True):
        np.testing.assert_allclose(found[:5], np.sqrt(np.nanmean(values**2, axis=(0, 2))), rtol=1e-3, atol=1e-6)
        assert np.isnan(found[5:]).all()


@pytest.mark.parametrize("mode", list(MODES))
def test_only_cells_are_measured_over_time(mode: str) -> None:
    seen, _ = observed(mode)
    assert seen.sequences is not None
    measured = [row.call.part_of for row, values in zip(seen.rows, seen.sequences, strict=True) if values[0] > 0]
    assert sorted(measured) == sorted(KINDS_IN[mode])


@pytest.mark.parametrize("mode", list(MODES))
def test_a_layer_inside_a_cell_is_measured(mode: str) -> None:
    seen, _ = observed(mode)
    (row,) = [row for row in seen.rows if row.call.name.endswith("/inner")]
    assert (row.call.part_of, row.call.activation, row.units) == ("own/own_cell", "relu", 4)
    assert value_of(seen, row.call.name, "elements") == 8 * 5 * 4
    assert not any(row.not_observed for row in seen.rows)


def sigmoid(value: Any) -> Any:
    return 1 / (1 + np.exp(-value))


def gates_of_an_lstm(layer: layers.LSTM, x: Any) -> dict[str, Any]:
    """The gates by name, `[time, batch, units]`; Hochreiter & Schmidhuber 1997 with forget gates."""
    kernel, recurrent, bias = (weight.numpy() for weight in layer.cell.weights)
    h = c = np.zeros((len(x), 4))
    found: dict[str, list[Any]] = {"input_gate": [], "forget_gate": [], "candidate": [], "output_gate": []}
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        now = dict(zip(found, (sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)), strict=True))
        c = now["forget_gate"] * c + now["input_gate"] * now["candidate"]
        h = now["output_gate"] * np.tanh(c)
        for name, value in now.items():
            found[name].append(value)
    return {name: np.stack(values) for name, values in found.items()}


def gates_of_a_gru(layer: layers.GRU, x: Any) -> dict[str, Any]:
    """The gates by name; Cho et al. 2014, with the reset gate after the product."""
    kernel, recurrent, (bias, recurrent_bias) = (weight.numpy() for weight in layer.cell.weights)
    h = np.zeros((len(x), 4))
    found: dict[str, list[Any]] = {"update_gate": [], "reset_gate": [], "candidate": []}
    for t in range(x.shape[1]):
        z, r, c = np.split(x[:, t] @ kernel + bias, 3, axis=1)
        past_z, past_r, past_c = np.split(h @ recurrent + recurrent_bias, 3, axis=1)
        update, reset = sigmoid(z + past_z), sigmoid(r + past_r)
        candidate = np.tanh(c + reset * past_c)
        h = update * h + (1 - update) * candidate
        for name, value in zip(found, (update, reset, candidate), strict=True):
            found[name].append(value)
    return {name: np.stack(values) for name, values in found.items()}


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize(("kind", "truth"), [("lstm", gates_of_an_lstm), ("gru", gates_of_a_gru)])
def test_gates_have_rows_of_their_own(kind: str, truth: Callable[..., Any], mode: str) -> None:
    seen, _ = observed(mode)
    expected = truth(branches(KINDS_IN[mode]).get_layer(kind), X)
    rows = {row.call.name.rpartition("/")[2]: row for row in seen.rows if row.call.part_of.startswith(f"{kind}/")}
    assert set(rows) == set(expected)
    for gate, values in expected.items():
        call = rows[gate].call
        assert (call.is_gate, call.activation) == ((False, "tanh") if gate == "candidate" else (True, "sigmoid"))
        for column, value in (("mean", values.mean()), ("std", values.std()), ("max", values.max())):
            assert value_of(seen, call.name, column) == pytest.approx(float(value), rel=1e-3)


OTHERS: dict[str, Callable[[], layers.Layer]] = {
    "stack": lambda: layers.RNN([layers.LSTMCell(4, name="lower"), layers.GRUCell(4, name="upper")]),
    "both": lambda: layers.Bidirectional(layers.LSTM(2)),
    "gru": lambda: layers.GRU(4, dropout=0.2, recurrent_dropout=0.2, seed=1),
    "masked": lambda: layers.GRU(3, return_sequences=True),
}


@pytest.fixture(scope="module")
def others() -> tuple[keras.Model, keras.Model, StepValues]:
    """The same training without and with observing, and the values of its first step."""
    alone, together = branches(OTHERS), branches(OTHERS)
    observe = Observe(update_freq=2)
    for model, callbacks in ((alone, []), (together, [observe])):
        model.compile("sgd", lambda y, outputs: tf.reduce_sum(tf.square(outputs - tf.tile(y, [1, len(OTHERS)]))))
        model.fit([X, PADDED], Y, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=callbacks)
    return alone, together, observe.seen[0][1]


def test_observing_changes_no_weight(others: tuple[keras.Model, keras.Model, StepValues]) -> None:
    alone, together, _ = others
    for one, other in zip(alone.get_weights(), together.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_cell_of_a_stack_has_a_row(others: tuple[Any, Any, StepValues]) -> None:
    seen = others[2]
    names = [row.call.name for row in seen.rows if row.call.part_of == "stack"]
    assert [name.rpartition("/")[2] for name in names] == ["lower", "upper"]
    assert all(value_of(seen, name, "gradient_norm") > 0 for name in names)
    assert not any(row.not_observed for row in seen.rows)


def test_both_directions_have_rows(others: tuple[Any, Any, StepValues]) -> None:
    seen = others[2]
    cells = [
        row.call.name for row in seen.rows if row.call.name.startswith("both/") and row.call.class_name == "LSTMCell"
    ]
    assert [name.split("/")[1].split("_lstm")[0] for name in cells] == ["forward", "backward"]
    assert all(value_of(seen, name, "elements") == 4 * 5 * 2 for name in cells)


def test_feature_maps_of_a_convolutional_cell() -> None:
    keras.utils.set_random_seed(0)
    body = [layers.ConvLSTM2D(3, 3, name="recurrent"), layers.Flatten(), layers.Dense(2)]
    model = keras.Sequential([layers.Input((4, 6, 6, 1)), *body])
    model.compile("sgd", "mse")
    observe = Observe(with_histograms=False)
    x = RANDOM.normal(size=(8, 4, 6, 6, 1))
    model.fit(x, Y, batch_size=8, epochs=1, verbose=0, callbacks=[observe])
    seen = observe.seen[0][1]
    (cell,) = [row for row in seen.rows if row.call.class_name == "ConvLSTMCell"]
    assert (cell.units, value_of(seen, cell.call.name, "elements")) == (3, 8 * 4 * 4 * 4 * 3)
    assert value_of(seen, cell.call.name, "gradient_norm") > 0
    assert sum(row.call.class_name == "Gate" for row in seen.rows) == 3


def test_gates_of_many_samples_with_a_mask_are_measured() -> None:
    """A masked loop selects between two time steps for all samples: keeping some of them must not break it."""
    model = keras.Sequential(
        [layers.Input((20, 8)), layers.Masking(), layers.GRU(64, recurrent_dropout=0.1, name="gru"), layers.Dense(2)]
    )
    x = np.random.default_rng(1).normal(size=(32, 20, 8)).astype("float32")
    x[:, 15:] = 0
    observe = Observe()
    train(lambda: (model, x, np.arange(32) % 2), [observe])
    assert observe.dispatcher.failure == ""
    (_, seen), *_ = observe.seen
    elements = value_of(seen, "gru/gru_cell/update_gate", "elements")
    assert 0 < elements < 32 * 15 * 64
    assert elements % (15 * 64) == 0
    assert 0 < value_of(seen, "gru/gru_cell/update_gate", "mean") < 1
