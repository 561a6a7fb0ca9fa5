"""Every layer's output for given inputs, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tb_activations.probe.calls import recorded, to_numpy
from tb_activations.probe.inputs import batches, check_samples
from tb_activations.probe.state import build, preserved
from tb_activations.probe.variables import alive
from tb_activations.taps.layers import LayerChoice


def activations(
    model: keras.Model,
    x: Any,
    layers: LayerChoice = None,
    training: bool = False,
    batch_size: int = 32,
    *,
    progress: bool = False,
) -> dict[str, NDArray[Any]]:
    """The outputs of all layers for all samples of `x`, in one pass over the model.

    The model runs eagerly: the figures are those its layers return when they are called one by one, bit for bit.

    Args:
        model: any Keras model; one that is not built yet is built by a call with the first batch.
        x: an array or a tuple, list or dict of arrays, samples on the first axis; or batches of them: a
            `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator, whose elements may be `(x, y)`.
        layers: layer names, a regular expression, or a function from a layer to a bool; None takes all.
        training: whether layers run in training mode; their state is the same afterwards in either mode.
        batch_size: samples a call; not used for what is batched.
        progress: whether to draw a progress bar on standard output.

    Returns:
        Output by layer name in call order, each `[samples, ...]` in the layer's own dtype. Names are those from the
        model down to the layer joined by "/"; the calls of a shared layer are "name@1", "name@2", ..., the parts of an
        output structure "name[0]" or "name[key]". Cells of RNNs, and layers that are called inside a `tf.function` or
        a loop of the model, cannot be seen and are left out.

    Raises:
        ValueError: `x` holds no samples or parts of different length; `layers` names a layer that is not there or
            cannot be seen; or there are several batches and an output has no axis of samples to join them along.
        TypeError: an output is a ragged tensor.
    """
    collected: dict[str, list[NDArray[Any]]] = {}
    sizes = []
    for size, batch in _passes(model, x, layers, training, batch_size, progress):
        sizes.append(size)
        for name, value in batch.items():
            collected.setdefault(name, []).append(value)
    return {name: _joined(name, pieces, sizes) for name, pieces in collected.items()}


def iter_activations(
    model: keras.Model,
    x: Any,
    layers: LayerChoice = None,
    training: bool = False,
    batch_size: int = 32,
    *,
    progress: bool = False,
) -> Iterator[dict[str, NDArray[Any]]]:
    """The answer of `activations` batch by batch, for more data than memory holds; arguments and errors are the same.

    The model may be used between two batches; each batch leaves its state as found.
    """
    return (batch for _, batch in _passes(model, x, layers, training, batch_size, progress))


def _passes(
    model: keras.Model, x: Any, layers: LayerChoice, training: bool, batch_size: int, progress: bool
) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    among = None
    for batch in batches(x, batch_size, progress):
        build(model, batch)
        among = among or alive()
        with preserved(model, among), recorded(model, layers) as recording:
            model(batch, training=training)
        outputs = recording.outputs()
        yield check_samples(batch), {name: to_numpy(name, value) for name, value in outputs.items()}


def _joined(name: str, pieces: list[NDArray[Any]], sizes: list[int]) -> NDArray[Any]:
    if len(sizes) == 1:
        return pieces[0]
    # Layers may fold other axes into that of the samples, such as time: then each sample has the same number of rows.
    shares = {piece.shape[0] / size if piece.ndim else 0 for piece, size in zip(pieces, sizes, strict=False)}
    if len(pieces) != len(sizes) or len(shares) != 1 or not shares.pop():
        raise ValueError(
            f"The outputs of layer {name!r} for several batches cannot be joined: their shapes are "
            f"{[piece.shape for piece in pieces][:3]} for batches of {sizes[:3]} samples. Leave it out with `layers`, "
            "give a `batch_size` that holds all samples, or use `iter_activations`."
        )
    return np.concatenate(pieces)
