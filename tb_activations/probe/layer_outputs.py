"""Every layer's output for given inputs, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
from numpy.typing import NDArray

from tb_activations.probe.calls import outputs, recorded, to_numpy
from tb_activations.probe.inputs import batches, check_samples
from tb_activations.probe.joining import joined
from tb_activations.probe.state import build, preserved
from tb_activations.probe.variables import alive
from tb_activations.taps.layers import LayerChoice


def activations(
    model: keras.Model,
    x: Any,
    *,
    layers: LayerChoice = None,
    training: bool = False,
    batch_size: int = 32,
    progress: bool = False,
) -> dict[str, NDArray[Any]]:
    """The outputs of all layers for all samples of `x`, in one pass over the model.

    The model runs eagerly: the values are bit for bit those that its layers return when they are called one by one.

    Args:
        model: any Keras model; one that is not built yet is built by a call with the first batch.
        x: an array, or a tuple, list or dict of arrays, samples on the first axis; or batches of them: a
            `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator, whose elements may be `(x, y)`.
        layers: layer names, a regular expression, or a function from a layer to a bool; None for all.
        training: whether layers run in training mode. Their state is restored in either mode.
        batch_size: samples per call of the model; not used for inputs that are already batched.
        progress: whether to draw a progress bar on standard output.

    Returns:
        Output by layer name in call order, each `[samples, ...]` in the layer's own dtype. A name is the path from the
        model down to the layer, joined by "/". "name" is the last call of a layer; "name@1", "name@2", ... are the
        calls of a layer called more than once. The parts of an output structure are "name[0]" or "name[key]". Cells of
        RNNs, and layers that the model calls inside a `tf.function` or a loop, are left out.

    Raises:
        ValueError: `x` has no samples or parts of different length; `layers` names a layer that does not exist or
            cannot be observed; or there are several batches and an output has no sample axis to join them along.
        TypeError: an output is a ragged tensor.
    """
    collected: dict[str, list[NDArray[Any]]] = {}
    sizes = []
    for size, batch in _passes(model, x, layers, training, batch_size, progress):
        sizes.append(size)
        for name, value in batch.items():
            collected.setdefault(name, []).append(value)
    return {name: joined(name, pieces, sizes) for name, pieces in collected.items()}


def iter_activations(
    model: keras.Model,
    x: Any,
    *,
    layers: LayerChoice = None,
    training: bool = False,
    batch_size: int = 32,
    progress: bool = False,
) -> Iterator[dict[str, NDArray[Any]]]:
    """As `activations`, but batch by batch, for data that does not fit into memory.

    The model may be used between two batches: its state is restored after each.
    """
    return (batch for _, batch in _passes(model, x, layers, training, batch_size, progress))


def _passes(
    model: keras.Model, x: Any, layers: LayerChoice, training: bool, batch_size: int, progress: bool
) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    among = None
    for batch in batches(x, batch_size, progress):
        build(model, batch)
        among = among or alive()
        with preserved(model, among), recorded(model, layers) as calls:
            model(batch, training=training)
        named = outputs(calls.by_name())
        yield check_samples(batch), {name: to_numpy(name, value) for name, value in named.items()}
