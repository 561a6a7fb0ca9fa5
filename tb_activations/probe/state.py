"""Calling a model and leaving it as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf


def build(model: keras.Model, batch: Any) -> None:
    """Calls the model once in inference mode if any of its layers has yet to make its weights or its inner layers."""
    if not all(layer.built for layer in model._flatten_layers()):
        with preserved(model):
            model(batch, training=False)


@contextlib.contextmanager
def preserved(layer: keras.layers.Layer) -> Iterator[None]:
    """Gives every variable of a model or layer, and of a model's metrics, its value back, also after an exception.

    That covers weights, moving averages, states of stateful RNNs and of seed generators. Metrics that came into being
    within the block are reset. Random numbers that a layer draws from outside the model stay drawn.
    """
    before = [(variable, tf.identity(variable)) for variable in _variables(layer)]
    known = {id(variable) for variable, _ in before}
    try:
        yield
    finally:
        for metric in _metrics(layer):
            if any(id(variable) not in known for variable in metric.variables):
                metric.reset_state()
        for variable, value in before:
            variable.assign(value)


def _variables(layer: keras.layers.Layer) -> list[Any]:
    of_metrics = [variable for metric in _metrics(layer) for variable in metric.variables]
    found = [*layer.variables, *_untracked(layer), *of_metrics]
    return list({id(variable): variable for variable in found}.values())


def _untracked(layer: keras.layers.Layer) -> Iterator[Any]:
    """Variables that layers hold without listing them, as stateful RNNs do with their states."""
    for inner in layer._flatten_layers():
        for value in vars(inner).values():
            parts = value if isinstance(value, list | tuple) else [value]
            yield from (part for part in parts if isinstance(part, keras.Variable | tf.Variable))


def _metrics(layer: keras.layers.Layer) -> list[keras.Metric]:
    return list(layer.metrics) if isinstance(layer, keras.Model) else []
