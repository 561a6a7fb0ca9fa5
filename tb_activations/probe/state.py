"""Calling a model without changing it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_activations.probe.variables import restored


def build(model: keras.Model, batch: Any) -> None:
    """Calls the model once in inference mode if any of its layers has not created its weights or inner layers."""
    if not all(layer.built for layer in model._flatten_layers()):
        with preserved(model):
            model(batch, training=False)


@contextlib.contextmanager
def preserved(layer: keras.layers.Layer, among: Sequence[Any] | None = None) -> Iterator[None]:
    """Restores every variable that the block writes, also after an exception.

    This covers weights, moving averages, metrics, and the states of stateful RNNs and random generators, in this layer
    or anywhere else; see `restored`. Metrics of a model that are created within the block are reset. Other effects of
    Python code are not undone. In a loop, pass what `alive` returned before it as `among` to avoid a search per call.
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
