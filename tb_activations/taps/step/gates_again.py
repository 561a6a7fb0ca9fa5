"""The gates of a cell at all time steps, computed once more after the loop from what the cell was given and returned.

Gates at one time step depend on the input and on the previous output only. One call of the cell with all time steps as
one batch costs far less than taps on the gates within the loop.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.step.gates import Gate, gate_taps


def is_possible(cell: keras.layers.Layer, layer: keras.layers.RNN, *, is_masked: bool) -> bool:
    """Whether a cell computes the same gates outside of its loop.

    Dropout draws other masks there. With padding, a layer that outputs zeros for it or is stateful has states that
    differ from its outputs.
    """
    has_dropout = bool(getattr(cell, "dropout", 0) or getattr(cell, "recurrent_dropout", 0))
    has_other_states = is_masked and bool(layer.stateful or layer.zero_output_for_mask)
    return not has_dropout and not has_other_states and any(True for _ in gate_taps(cell, lambda *_: None))


def computed(
    cell: keras.layers.Layer,
    inputs: tf.Tensor,
    outputs: tf.Tensor,
    states: Any,
    tapes: Sequence[tf.GradientTape],
) -> list[tuple[Gate, tf.Tensor]]:
    """Each gate with its values `[batch, time, ...]`.

    Args:
        cell: one of Keras' cells.
        inputs: `[batch, time, ...]`, what the cell was given, in the order of the loop.
        outputs: `[batch, time, ...]`, what it returned.
        states: before the first time step.
        tapes: those that record; they do not record this.
    """
    flat = [state[: tf.shape(inputs)[0]] for state in keras.tree.flatten(states)]
    before = tf.concat([flat[0][:, None], outputs[:, :-1]], 1)
    found: list[tuple[Gate, tf.Tensor]] = []
    with contextlib.ExitStack() as stack:
        for tape in tapes:
            stack.enter_context(_stopped(tape))
        stack.enter_context(taps.installed(gate_taps(cell, lambda gate, value: found.append((gate, value)))))
        # Other states than the output, such as the carry of an LSTM, do not enter into gates.
        others = [_as_batch(tf.zeros_like(before)) for _ in flat[1:]]
        given = [_as_batch(tf.stop_gradient(before)), *others]
        type(cell).call(cell, _as_batch(tf.stop_gradient(inputs)), given, training=False)
    leading = tf.shape(outputs)[:2]
    return [(gate, tf.reshape(value, tf.concat([leading, tf.shape(value)[1:]], 0))) for gate, value in found]


@contextlib.contextmanager
def _stopped(tape: tf.GradientTape) -> Iterator[None]:
    with tape.stop_recording():
        yield


def _as_batch(value: tf.Tensor) -> tf.Tensor:
    """`[batch * time, ...]` from `[batch, time, ...]`."""
    return tf.reshape(value, [-1, *value.shape[2:]])
