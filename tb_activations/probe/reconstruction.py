"""How well an autoencoder reconstructs its inputs."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.probe.calls import find_output, outputs, parts, recorded
from tb_activations.probe.inputs import batches, check_samples, is_batched
from tb_activations.probe.state import build, preserved
from tb_activations.probe.variables import alive
from tb_activations.records.arguments import invalid


@dataclasses.dataclass(frozen=True)
class Reconstruction:
    """Mean squared errors, float64.

    Attributes:
        per_sample: `[samples]`: over every value of every output.
        per_output: output name to `[samples]`: over the values of that output.
        per_element: output name to an array like one sample of that output: over all samples.
    """

    per_sample: NDArray[np.float64]
    per_output: dict[str, NDArray[np.float64]]
    per_element: dict[str, NDArray[np.float64]]


def reconstruction_error(
    model: keras.Model,
    x: Any,
    *,
    y: Any = None,
    between: tuple[str, str] | None = None,
    batch_size: int = 32,
) -> Reconstruction:
    """Squared error between a model's inputs and outputs, in inference mode.

    Args:
        model: an autoencoder, or any model with `between`.
        x: as for `activations`; targets in a dataset are not used.
        y: the expected outputs, structured and shaped as `x`; None for `x` itself. For denoising autoencoders. Not
            allowed for a dataset or with `between`.
        between: two layers, named as `activations` names outputs, whose outputs are compared instead of the model's
            inputs and outputs; the result is named after the second layer.
        batch_size: samples per call of the model; not used for a dataset.

    Returns:
        The errors. Outputs are compared with inputs one by one, in the order of their structures. A single output is
        called "output", several by their index or key, as in "[decoded]". NaN in either stays NaN.

    Raises:
        ValueError: no samples; a layer does not exist; inputs and outputs differ in number or shape (both are named).
    """
    if between is not None and (isinstance(between, str) or len(between) != 2):
        raise invalid("between", repr(between), "two layer names, or None")
    if y is not None and (between is not None or is_batched(x)):
        raise invalid("y", f"{type(y).__name__} with `between` or a dataset", "None")
    squared: dict[str, list[NDArray[np.float64]]] = {}
    sums: dict[str, NDArray[np.float64]] = {}
    among = None
    targets = itertools.repeat(None) if y is None else batches(y, batch_size)
    for batch, wanted in zip(batches(x, batch_size), targets, strict=y is not None):
        build(model, batch)
        among = among or alive()
        with preserved(model, among):
            if between is None:
                pairs = _through(model, batch, batch if wanted is None else wanted)
            else:
                pairs = _between(model, batch, between)
        for name, (expected, actual) in pairs.items():
            difference = _squared_difference(name, expected, actual, check_samples(batch))
            squared.setdefault(name, []).append(difference.reshape(len(difference), -1).mean(axis=1))
            sums[name] = sums.get(name, np.zeros(difference.shape[1:])) + difference.sum(axis=0)
    per_output = {name: np.concatenate(pieces) for name, pieces in squared.items()}
    sizes = [total.size for total in sums.values()]
    per_sample = np.average(list(per_output.values()), axis=0, weights=sizes)
    count = len(per_sample)
    return Reconstruction(per_sample, per_output, {name: total / count for name, total in sums.items()})


def _through(model: keras.Model, batch: Any, target: Any) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
    inputs = keras.tree.flatten(target)
    produced = dict(parts("", model(batch, training=False)))
    if len(inputs) != len(produced):
        raise invalid(
            "model",
            f"it has {len(produced)} outputs for {len(inputs)} inputs, so they cannot be compared one by one. "
            "Name two layers with `between`",
        )
    pairs = zip(inputs, produced.items(), strict=True)
    return {name or "output": (expected, actual) for expected, (name, actual) in pairs}


def _between(model: keras.Model, batch: Any, between: tuple[str, str]) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
    with recorded(model) as calls:
        model(batch, training=False)
    seen = outputs(calls.by_name())
    first, second = (seen[find_output(seen, name, "between")] for name in between)
    return {between[1]: (first, second)}


def _squared_difference(name: str, expected: tf.Tensor, actual: tf.Tensor, samples: int) -> NDArray[np.float64]:
    if expected.shape != actual.shape or expected.shape.rank < 1 or expected.shape[0] != samples:
        raise ValueError(
            f"Cannot compare {tuple(expected.shape)} with {tuple(actual.shape)} (output {name!r}): the shapes must be "
            f"equal, with {samples} samples on the first axis. Name two matching layers with `between`."
        )
    return np.square(np.asarray(actual, np.float64) - np.asarray(expected, np.float64))
