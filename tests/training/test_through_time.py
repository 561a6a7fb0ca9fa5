"""Digits read row by row: a plain cell whose gradient dies over time, next to an LSTM whose gradient does not."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations import LayerHealth, load
from tb_activations.reading.recorded_run import RecordedRun
from tests.training.models import digits

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

BATCH = 64
TIME = 8
KINDS = ("simple", "lstm")
CELLS = {"simple": "simple/simple_rnn_cell", "lstm": "lstm/lstm_cell"}


def model_of() -> keras.Model:
    """Both read the same rows, and one head reads both. Small recurrent weights are the mistake of the plain cell."""
    keras.utils.set_random_seed(0)
    rows = layers.Input((TIME, 8))
    small = keras.initializers.RandomNormal(stddev=0.05)
    simple = layers.SimpleRNN(16, recurrent_initializer=small, name="simple")(rows)
    lstm = layers.LSTM(16, name="lstm")(rows)
    return keras.Model(rows, layers.Dense(10, name="head")(layers.Concatenate(name="both")([simple, lstm])))


def data() -> tuple[Any, Any]:
    x, y = digits(4 * BATCH)
    return x.reshape(-1, TIME, 8), y


def loss_of(y: Any, logits: Any) -> Any:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(y, tf.int32), logits))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RecordedRun:
    folder = tmp_path_factory.mktemp("logs")
    model = model_of()
    model.compile(keras.optimizers.Adam(0.003), loss_of)
    x, y = data()
    callback = LayerHealth(folder, update_freq=1, image_freq="epoch")
    model.fit(x, y, batch_size=BATCH, epochs=6, shuffle=False, verbose=0, callbacks=[callback])
    recorded = load(folder)
    assert isinstance(recorded, RecordedRun)
    return recorded


def truth() -> dict[str, tuple[Any, Any]]:
    """Root mean squares of outputs and gradients at each time step of the first step, cell by cell in eager code."""
    model, (x, y) = model_of(), data()
    outputs: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    with tf.GradientTape() as tape:
        for kind in KINDS:
            layer = model.get_layer(kind)
            states = layer.get_initial_state(BATCH)
            for time in range(TIME):
                output, states = layer.cell(x[:BATCH, time], states)
                # The first state is the output: its gradient is that of all that follows.
                outputs[kind].append(output)
        loss = loss_of(y[:BATCH], model.get_layer("head")(tf.concat([outputs[kind][-1] for kind in KINDS], 1)))
    gradients = tape.gradient(loss, outputs)
    return {kind: (rms(outputs[kind]), rms(gradients[kind])) for kind in KINDS}


def rms(tensors: list[Any]) -> Any:
    return np.array([np.sqrt(np.mean(np.square(one.numpy().astype(np.float64)))) for one in tensors])


def test_profiles_are_those_of_the_cells_called_step_by_step(run: RecordedRun) -> None:
    for kind, (activity, gradient) in truth().items():
        found = run.sequences(CELLS[kind])
        assert found.steps[0] == 0
        assert found.length[0] == TIME
        np.testing.assert_allclose(found.activity[0], activity, rtol=1e-3)
        np.testing.assert_allclose(found.gradient[0], gradient, rtol=1e-3)


def test_the_reading_tells_the_dying_gradient_from_the_living_one(run: RecordedRun) -> None:
    simple, lstm = run.sequences("simple"), run.sequences("lstm")
    assert (simple.gradient[:, 0] < 1e-3 * simple.gradient[:, -1]).all()
    assert (lstm.gradient[:, 0] > 1e-2 * lstm.gradient[:, -1]).all()
    assert simple.reading(0).endswith("half of its squared norm comes from the last 1 of 8 steps.")
    assert simple.reading(0) != lstm.reading(0)


def test_profiles_are_written_with_histograms(run: RecordedRun) -> None:
    assert len(run.histogram_steps) >= 6
    for kind in KINDS:
        np.testing.assert_array_equal(run.sequences(kind).steps, run.histogram_steps)


def test_each_cell_has_a_picture(run: RecordedRun) -> None:
    assert sorted(tag for tag in run.image_tags if tag.startswith("through_time/")) == [
        f"through_time/{cell}" for cell in sorted(CELLS.values())
    ]


def test_layers_that_are_no_cells_are_refused(run: RecordedRun) -> None:
    with pytest.raises(KeyError, match="measured over time are simple/simple_rnn_cell, lstm/lstm_cell"):
        run.sequences("head")
