"""Calling a model and leaving it as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_activations.probe.variables import restored


def build(model: keras.Model, batch: Any) -> None:
    """Calls the model once in inference mode if any of its layers has yet to make its weights or its inner layers."""
    if not all(layer.built for layer in model._flatten_layers()):
        with preserved(model):
            model(batch, training=False)


@contextlib.contextmanager
def preserved(layer: keras.layers.Layer, among: Sequence[Any] | None = None) -> Iterator[None]:
    """Gives every variable that the block writes its value back, also after an exception.

    That covers weights, moving averages, metrics, states of stateful RNNs and of generators of random numbers, of this
    layer or wherever else they are kept; see `restored`. Metrics of a model that came into being within the block are
    reset. What Python code does besides stays done. In a loop `among` spares the search: what `alive` found before it.
    """
    known = {id(variable) for metric in _metrics(layer) for variable in metric.variables}
    with restored(list(_resources(layer)), among):
        try:
            yield
        finally:
            for metric in _metrics(layer):
                if any(id(variable) not in known for variable in metric.variables):
                    metric.reset_state()


def _resources(layer: keras.layers.Layer) -> Iterator[Any]:
    """The TensorFlow variables behind those of a layer."""
    for variable in layer.variables:
        value = variable._value
        yield from value.values if isinstance(value, tf.distribute.DistributedValues) else (value,)


def _metrics(layer: keras.layers.Layer) -> list[keras.Metric]:
    return list(layer.metrics) if isinstance(layer, keras.Model) else []
