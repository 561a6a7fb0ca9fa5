"""What the changes are made of: layers, optimizers, arrays and losses of a training that has been built."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.cases.base import Training

Array = NDArray[Any]

_HE = ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "mish", "selu")


class RateCap(keras.callbacks.Callback):
    """Lowers the learning rate to `rate` before every step, after all other callbacks."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        if float(optimizer.learning_rate) > self.rate:
            optimizer.learning_rate = self.rate


class CappedSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that never exceeds `rate`."""

    def __init__(self, schedule: Any, rate: float) -> None:
        self.schedule, self.rate = schedule, rate

    def __call__(self, step: Any) -> Any:
        return keras.ops.minimum(self.schedule(step), self.rate)

    def get_config(self) -> dict[str, Any]:
        return {"schedule": self.schedule, "rate": self.rate}


def layers_called(training: Training, names: Collection[str]) -> list[Any]:
    """The layers of the model with these names in the run, without those around them; all with weights for no names."""
    every = [layer for layer in training.model._flatten_layers() if not isinstance(layer, keras.Model)]
    if not names:
        return every
    short = {name.rpartition("/")[2] for name in names}
    return [layer for layer in every if layer.name in short]


def initial(layer: Any, weight: Any) -> Array | None:
    """A usual start of a weight; None for weights that normalizations count and for single numbers."""
    name, shape = weight.name, tuple(weight.shape)
    if "bias" in name or name == "beta":
        value = np.zeros(shape, "float32")
        if isinstance(layer, keras.layers.LSTM) or type(layer).__name__ == "LSTMCell":
            # The forget gate starts open, as in Keras.
            units = shape[0] // 4
            value[units : 2 * units] = 1
        return value
    if name == "embeddings":
        return np.asarray(keras.initializers.RandomUniform()(shape))
    if "recurrent_kernel" in name:
        return np.asarray(keras.initializers.Orthogonal()(shape))
    if "kernel" in name and len(shape) > 1:
        activation = getattr(getattr(layer, "activation", None), "__name__", "")
        is_gated = any(part in type(layer).__name__ for part in ("LSTM", "GRU", "RNN"))
        start = keras.initializers.HeNormal() if activation in _HE and not is_gated else None
        return np.asarray((start or keras.initializers.GlorotUniform())(shape))
    return None


def with_optimizer(training: Training, **options: Any) -> Training:
    """The training with an optimizer that differs in these options."""
    given = training.model.optimizer
    inner = getattr(given, "inner_optimizer", given)
    changed = type(inner).from_config({**_plain_config(inner), **options})
    if given is not inner:
        changed = type(given)(changed)
    variables = getattr(inner, "_trainable_variables", None)
    result = recompile(training, optimizer=changed)
    if inner.built and variables:
        result.model.optimizer.build(variables)
    return result


def _plain_config(optimizer: Any) -> dict[str, Any]:
    config = dict(optimizer.get_config())
    rate = optimizer._learning_rate
    is_schedule = isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
    return {**config, "learning_rate": rate if is_schedule else float(rate)}


def recompile(training: Training, **options: Any) -> Training:
    """The training with its model compiled again, with these options in place of its own."""
    model = training.model
    given = {"optimizer": model.optimizer, "loss": getattr(model, "loss", None), "jit_compile": False}
    model.compile(**{**given, **options})
    return training


def mapped(change: Callable[[Array], Array], data: Any) -> Any:
    """`data` with every array changed; None stays None."""
    return keras.tree.map_structure(lambda one: change(one) if isinstance(one, np.ndarray) else one, data)


def standardized(array: Array) -> Array:
    """Mean 0 and deviation 1: of each feature in `[rows, features]` and `[rows, steps, features]`, else of all.

    Integers, and features that never change, stay as they are.
    """
    if array.dtype.kind != "f" or array.ndim < 2:
        if array.dtype.kind == "f":
            return standardized(array[:, None])[:, 0]
        return array
    is_picture = array.ndim > 3 or (array.ndim == 3 and array.shape[1] == array.shape[2])
    axes = None if is_picture else tuple(range(array.ndim - 1))
    known = np.where(np.isfinite(array), array, np.nan).astype("float64")
    mean, deviation = np.nanmean(known, axes, keepdims=True), np.nanstd(known, axes, keepdims=True)
    scale = np.where(deviation > 1e-6 * np.abs(mean), deviation, 1.0)
    return np.asarray((array - mean) / scale, "float32")


@contextlib.contextmanager
def safe_operations(least: float) -> Iterator[None]:
    """Inside, the logarithms and roots that a loss asks Keras or TensorFlow for get arguments of at least `least`."""
    with contextlib.ExitStack() as stack:
        for module, name in ((keras.ops, "log"), (keras.ops, "sqrt"), (tf, "sqrt"), (tf.math, "log")):
            _replace(stack, module, name, least)
        yield


def _replace(stack: contextlib.ExitStack, module: Any, name: str, least: float) -> None:
    given = getattr(module, name)
    stack.callback(setattr, module, name, given)
    setattr(module, name, lambda value, **options: given(keras.ops.maximum(value, least), **options))
