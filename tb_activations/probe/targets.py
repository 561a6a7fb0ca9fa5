"""The output unit that an attribution explains."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.records.arguments import invalid

Target = int | Sequence[int] | NDArray[np.integer[Any]] | Callable[[Any], tf.Tensor] | None

# NumPy has no `finfo` for bfloat16.
_EPSILON = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}


@dataclasses.dataclass(frozen=True)
class Scorer:
    """One number per sample: what `pick` selects from the output of `model` in inference mode."""

    model: keras.Model
    pick: Callable[[Any], tf.Tensor]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """`[samples]` for `x` `[samples, ...]`."""
        return self.pick(self.model(x, training=False))

    def gradient(self, x: tf.Tensor) -> tf.Tensor:
        """Gradient of each sample's score with respect to that sample, shaped as `x`. ValueError if there is none."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            score = self(x)
        gradient = tape.gradient(score, x)
        if gradient is None:
            raise invalid(
                "x",
                "the model's output has no gradient with respect to it, as for inputs that are looked up or rounded",
                "inputs that the output depends on differentiably",
            )
        return tf.convert_to_tensor(gradient)

    def epsilon(self, x: tf.Tensor) -> float:
        """Relative rounding error of the scores: that of the model's least precise layer."""
        names = {layer.compute_dtype for layer in self.model._flatten_layers()} | {x.dtype.name}
        return max(_EPSILON.get(name, 0.0) for name in names)


def scorer(model: keras.Model, x: tf.Tensor, target: Target, start: int) -> Scorer:
    """The score of `target` for the samples `x`, which begin at index `start` of the user's array.

    A function takes the model's outputs and returns `[samples]`. Otherwise the outputs must be one tensor `[samples]`
    or `[samples, units]`, and `target` is a unit for all samples, one per sample, or None for the largest at `x`.

    Raises:
        ValueError: `target` does not fit the model's outputs.
    """
    if callable(target):
        function = target
        return Scorer(model, lambda outputs: _checked(function(outputs), len(x)))
    outputs = model(x, training=False)
    if not tf.is_tensor(outputs) or outputs.shape.rank not in (1, 2):
        shapes = keras.tree.map_structure(lambda part: tuple(part.shape), outputs)
        raise invalid(
            "target",
            f"{target!r} does not select one number per sample from outputs of shape {shapes}",
            "a function from the outputs to one number per sample",
        )
    table = tf.reshape(outputs, [len(x), -1])
    units = tf.argmax(table, axis=1) if target is None else _units(target, start, len(x), table.shape[1])
    return Scorer(model, lambda now: tf.gather(tf.reshape(now, [len(x), -1]), units, axis=1, batch_dims=1))


def _units(target: Any, start: int, count: int, units: int) -> NDArray[np.int64]:
    given = np.asarray(target)
    is_whole = np.issubdtype(given.dtype, np.integer)
    chosen = np.full(count, given) if given.ndim == 0 else given[start : start + count]
    if not is_whole or given.ndim > 1 or len(chosen) != count or np.any((chosen < 0) | (chosen >= units)):
        raise invalid(
            "target",
            repr(target),
            f"an integer from 0 to {units - 1}, one such integer per sample, a function from the outputs to one "
            "number per sample, or None",
        )
    return chosen.astype(np.int64)


def _checked(score: Any, count: int) -> tf.Tensor:
    if not tf.is_tensor(score) or tuple(score.shape) != (count,):
        what = tuple(score.shape) if tf.is_tensor(score) else type(score).__name__
        raise invalid(
            "target", f"the function returned {what}", f"a tensor with one number per sample, here of shape ({count},)"
        )
    return score
