"""The data of a step and how the compiled loss uses them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.gist import gist
from tb_activations.taps.numbers.aside import aside
from tb_activations.taps.numbers.batch_rows import BAD, first_bad
from tb_activations.taps.numbers.extents import EXTENT, constant_loss, extent, sums
from tb_activations.taps.numbers.head_logits import head_logits
from tb_activations.taps.numbers.layout import DATA_KINDS
from tb_activations.taps.step import replicas

_LOGGER = logging.getLogger("tb_activations")

_OF_SOFTMAX = frozenset({"categorical_crossentropy", "sparse_categorical_crossentropy"})
"""Losses that take the logarithm of a softmax."""
_OF_DISTRIBUTIONS = "categorical_crossentropy"
"""The loss whose targets sum to 1 for each sample."""


_WITH_ROWS = ("input", "output")
"""Data of which the first bad row is searched."""


class LossFunction(NamedTuple):
    """A loss of `keras.losses`: its name, "" for any other, and whether it takes logits."""

    name: str = ""
    from_logits: bool = False


class StepData:
    """Collects the ranges of a step's data. Whatever cannot be measured stays NaN and stops nothing.

    Attributes:
        loss: the compiled loss, if the model has one output and one loss of `keras.losses`.
        constant: what the best constant prediction would add to the step's loss, NaN if unknown.
        compiled: the compiled loss of the step, without regularization.
    """

    def __init__(self) -> None:
        self._extents: dict[str, tf.Tensor] = {}
        self._rows: dict[str, tf.Tensor] = {}
        self.loss = LossFunction()
        self.constant: tf.Tensor = tf.constant(math.nan)
        self.compiled: tf.Tensor = tf.constant(math.nan)
        self._logits: tf.Tensor | None = None
        self._sums: tf.Tensor | None = None

    def see(self, kind: str, values: Any) -> None:
        """Measures one of `DATA_KINDS`: a nest of tensors, None where the step has none."""
        numeric = [
            value
            for value in keras.tree.flatten(values)
            if isinstance(value, tf.Tensor) and (value.dtype.is_floating or value.dtype.is_integer)
        ]
        if numeric:
            self._extents[kind] = extent(numeric)
            if kind in _WITH_ROWS:
                self._rows[kind] = first_bad(numeric, self._extents[kind][EXTENT.index("nonfinite")])

    def see_batch(self, data: Any) -> None:
        """Measures what `fit` passes to a train step."""
        with_weights = keras.utils.unpack_x_y_sample_weight(data)
        for kind, values in zip(("input", "target", "sample_weight"), with_weights, strict=True):
            self.see(kind, values)

    def see_loss(self, model: keras.Model, targets: Any, outputs: Any, sample_weight: Any, value: Any) -> None:
        """Measures a call of the compiled loss."""
        self.see("target", targets)
        self.see("output", outputs)
        self.see("sample_weight", sample_weight)
        flat = keras.tree.flatten(targets), keras.tree.flatten(outputs)
        if len(flat[0]) != 1 or len(flat[1]) != 1 or not tf.is_tensor(value):
            return
        self.loss = loss_function(model.loss)
        self.compiled = tf.cast(tf.stop_gradient(value), tf.float32)
        if self.loss.name in _OF_SOFTMAX and tf.is_tensor(flat[1][0]):
            self._logits = flat[1][0] if self.loss.from_logits else taps.logits(flat[1][0])
        if sample_weight is None and tf.is_tensor(flat[0][0]):
            constant = constant_loss(self.loss.name, flat[0][0], flat[1][0].shape[-1])
            # Keras divides the loss of each replica by their number, so that the sum is the mean.
            self.constant = constant / replicas.count()
            if self.loss.name == _OF_DISTRIBUTIONS:
                self._sums = sums(flat[0][0])

    def packed(self) -> tf.Tensor:
        """`[DATA_KINDS x EXTENT + 5]` float32, ending in `head_logits`, `sums`. Call it when the step is complete."""
        unknown = tf.fill([len(EXTENT)], math.nan)
        logits = unknown if self._logits is None else head_logits(aside(self._logits))
        totals = tf.fill([2], math.nan) if self._sums is None else self._sums
        return tf.concat([*(self._extents.get(kind, unknown) for kind in DATA_KINDS), logits, totals], 0)

    def bad_rows(self) -> tf.Tensor:
        """`batch_rows.BAD` of the inputs, then of the model's outputs; NaN if unknown."""
        unknown = tf.fill([len(BAD)], math.nan)
        return tf.concat([self._rows.get(kind, unknown) for kind in _WITH_ROWS], 0)

    def constant_loss(self, loss: Any) -> tf.Tensor:
        """The step's loss if its compiled part were that of the best constant prediction."""
        return loss - self.compiled + self.constant


def on_compiled_loss(model: keras.Model, current: Callable[[], StepData | None]) -> Iterator[taps.Tap]:
    """The tap that shows a step's calls of the compiled loss to `current()`; none for a model without one."""
    compiled = getattr(model, "_compile_loss", None)
    if compiled is None or not callable(getattr(compiled, "call", None)):
        return

    def before(args: Any, kwargs: Any) -> tuple[Any, ...]:
        named = dict(zip(("y_true", "y_pred", "sample_weight"), args, strict=False)) | kwargs
        return named.get("y_true"), named.get("y_pred"), named.get("sample_weight")

    def after(given: tuple[Any, ...], value: Any) -> Any:
        data = current()
        if data is not None:
            try:
                targets, outputs, sample_weight = given
                data.see_loss(model, targets, outputs, sample_weight, value)
            except Exception as error:  # A missing statistic must not stop the training.
                _LOGGER.debug("Cannot observe the compiled loss (%s).", gist(error))
        return value

    yield taps.around(compiled, "call", before, after)


def loss_function(loss: Any) -> LossFunction:
    """What `compile(loss=...)` names, if it is a single loss of `keras.losses`."""
    if isinstance(loss, list | tuple | dict):
        flat = keras.tree.flatten(loss)
        return loss_function(flat[0]) if len(flat) == 1 else LossFunction()
    known = keras.losses.get(loss) if isinstance(loss, str) else loss
    function = getattr(known, "fn", known)
    is_known = getattr(function, "__module__", "").startswith("keras.")
    # An ignored class number is no class, and may lie beyond the units.
    if not is_known or getattr(known, "ignore_class", None) is not None:
        return LossFunction()
    return LossFunction(getattr(function, "__name__", ""), bool(getattr(known, "from_logits", False)))
