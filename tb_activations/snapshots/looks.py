"""The content of one snapshot of a model, as arrays. The model is not changed."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations import probe
from tb_activations.probe.ascent import maximize_units
from tb_activations.probe.calls import outputs, owners, recorded
from tb_activations.probe.climbing import Ascent, Regularizers
from tb_activations.probe.inputs import rows, tensors
from tb_activations.probe.state import preserved
from tb_activations.snapshots.settings import Samples
from tb_activations.taps.layer_calls import LayerCall
from tb_activations.taps.layers import LayerChoice, unit_axis

Array = NDArray[np.float32]
MAP_SAMPLES, MAP_CHANNELS, MAP_SIDE = 2, 16, 48
IMAGES, IMAGE_SIDE = 8, 256
UNITS, ASCENT_STEPS = 4, 24


@dataclasses.dataclass(frozen=True)
class LayerMaps:
    """Feature maps of one layer in inference mode.

    Attributes:
        maps: `[samples, height, width, channels]`: the first samples and channels, large maps with an even stride.
        means: `[channels]`: mean over all samples and positions.
    """

    maps: Array
    means: Array


@dataclasses.dataclass(frozen=True)
class Reconstructed:
    """What an autoencoder outputs for the samples.

    Attributes:
        error: mean squared error over all samples.
        pairs: output name to `[2, samples, height, width, channels]`: the expected output, then the actual one.
    """

    error: float
    pairs: dict[str, Array]


def was_called(model: keras.Model, x: Any) -> bool:
    """Calls the model with `x` and returns True."""
    with preserved(model):
        model(tensors(x), training=False)
    return True


def layer_maps(model: keras.Model, x: Any, layers: LayerChoice) -> dict[str, LayerMaps]:
    """By layer name, the maps of the first call of each layer whose output has height and width."""
    with preserved(model), recorded(model, layers) as calls:
        model(tensors(x), training=False)
    found: dict[str, LayerMaps] = {}
    for name, output, axis in _stacks(calls.first_calls()):
        if name not in found:
            maps = np.moveaxis(np.asarray(tf.cast(output, tf.float32).numpy()), axis, -1)
            shown = _thinned(maps[:MAP_SAMPLES, ..., :MAP_CHANNELS], MAP_SIDE)
            found[name] = LayerMaps(shown, maps.mean(axis=(0, 1, 2)))
    return found


def _stacks(calls: Mapping[str, LayerCall]) -> Iterable[tuple[str, tf.Tensor, int]]:
    layers = owners(calls)
    for name, output in outputs(calls).items():
        axis = unit_axis(layers[name], output.shape.rank)
        if output.shape.rank == 4 and axis is not None and output.dtype.is_floating:
            yield row_names(name)[0], output, axis


def row_names(output: str) -> tuple[str, ...]:
    """The rows of the layer table that an output of `probe` belongs to: that of the layer, and that of the call."""
    call = output.partition("[")[0]
    layer, at, number = call.rpartition("@")
    return (layer, call) if at and number.isdigit() else (call,)


def mode_differences(model: keras.Model, x: Any, layers: LayerChoice) -> dict[str, float]:
    """By row of the layer table, the layer's own difference between training mode and inference mode.

    The row of a layer called more than once has the largest of its calls, NaN if one is NaN.
    """
    found: dict[str, float] = {}
    for output, difference in probe.compare_modes(model, x, layers=layers, batch_size=_count(x)).items():
        for row in row_names(output):
            found[row] = float(np.maximum(found.get(row, 0.0), difference.own))
    return found


def saliency(model: keras.Model, samples: Samples) -> tuple[Array, Array] | None:
    """Images `[samples, height, width, channels]` and the gradient of each one's target, summed over its channels.

    The target is the labeled class, or the largest output if there are no labels. None for a model that does not map
    one floating-point array to one row of numbers per sample.
    """
    x = samples.x
    if keras.tree.is_nested(x) or not np.issubdtype(x.dtype, np.floating) or x.ndim not in (2, 3, 4):
        return None
    x = x[:IMAGES]
    with preserved(model):
        scores = model(tensors(x), training=False)
    if not tf.is_tensor(scores) or scores.shape.rank != 2:
        return None
    maps = probe.saliency(model, x, target=_labels(samples.y, len(x), scores.shape[1]))
    return as_images(x), as_images(maps).sum(axis=-1)


def _labels(y: Any, count: int, units: int) -> NDArray[np.int64] | None:
    """Class numbers `[count]` from integers or one-hot rows, None if `y` is neither."""
    if not isinstance(y, np.ndarray):
        return None
    if y.ndim == 2 and y.shape[1] == units > 1:
        return np.asarray(y[:count].argmax(axis=1), np.int64)
    flat = y[:count].reshape(len(y[:count]), -1)
    is_class = units > 1 and flat.shape[1] == 1 and np.all((flat == np.round(flat)) & (flat >= 0) & (flat < units))
    return np.asarray(flat[:, 0], np.int64) if is_class else None


def reconstruction(model: keras.Model, samples: Samples, is_autoencoder: bool) -> Reconstructed | None:
    """None unless the model is an autoencoder: outputs and targets have the shapes of the inputs.

    Targets that differ from the inputs, as for denoising, are accepted only with `is_autoencoder`; the outputs are then
    compared with them.
    """
    inputs = keras.tree.flatten(samples.x)
    targets = inputs if samples.y is None else keras.tree.flatten(samples.y)
    shapes = _shapes(inputs)
    if shapes != _shapes(targets) or not any(math.prod(shape) > 1 for shape in shapes):
        return None
    if not is_autoencoder and not all(map(np.array_equal, inputs, targets)):
        return None
    with preserved(model):
        actual = keras.tree.flatten(model(tensors(rows(samples.x, 0, IMAGES)), training=False))
    if _shapes(actual) != shapes:
        return None
    error = probe.reconstruction_error(model, samples.x, y=samples.y)
    names = list(error.per_output)
    pairs = {
        name: np.stack([as_images(np.asarray(part[:IMAGES], np.float32)) for part in (target, output)])
        for name, target, output in zip(names, targets, actual, strict=True)
        if 2 <= target.ndim <= 4
    }
    return Reconstructed(float(error.per_sample.mean()), pairs)


def _shapes(parts: Iterable[Any]) -> list[tuple[int, ...]]:
    """Shapes of one sample."""
    return [tuple(part.shape[1:]) for part in parts]


def maximized_inputs(model: keras.Model, x: Any, layers: LayerChoice) -> dict[str, Array]:
    """By layer name, `[1, units, height, width, channels]`: inputs that maximize the first units, NaN where none is
    found; for the last layer with units, and the last one with feature maps.

    Empty for models whose input is not one floating-point array.
    """
    if keras.tree.is_nested(x) or not np.issubdtype(x.dtype, np.floating) or x.ndim not in (2, 3, 4):
        return {}
    with preserved(model), recorded(model, layers) as calls:
        model(tensors(x[:1]), training=False)
    units: dict[str, int] = {}
    named, layer_of = outputs(calls.by_name()), owners(calls.by_name())
    for name, output in named.items():
        axis = unit_axis(layer_of[name], output.shape.rank)
        if axis is not None and output.dtype.is_floating:
            units[name] = output.shape[axis]
    ranks = {name: output.shape.rank for name, output in named.items()}
    chosen = {names[-1] for names in (list(units), [name for name in units if ranks[name] == 4]) if names}
    return {row_names(name)[-1]: _ascents(model, name, min(units[name], UNITS), x) for name in units if name in chosen}


def _ascents(model: keras.Model, layer: str, units: int, x: Array) -> Array:
    low, high = float(x.min()), float(x.max())
    bounds = (low, high) if low < high else (low, low + 1)
    # On smaller images a blur removes the features that units respond to.
    is_large_image = x.ndim == 4 and min(x.shape[1:3]) >= 32
    regularizers = Regularizers(blur=0.5 if is_large_image else 0.0, bounds=bounds)
    ascent = Ascent(ASCENT_STEPS, (bounds[1] - bounds[0]) / 10, regularizers)
    found = np.full((units, *x.shape[1:]), np.nan, np.float32)
    for unit, best in enumerate(maximize_units(model, layer, range(units), x.shape[1:], ascent)):
        # If no gradient reaches the starts because the unit is off there, its tile stays NaN.
        if not isinstance(best, Exception):
            found[unit] = best.input
    return as_images(found)[None]


def as_images(values: Array) -> Array:
    """Images, sequences `[samples, time, features]` or vectors as `[samples, height, width, channels]`."""
    if values.ndim == 4:
        is_channels_first = keras.config.image_data_format() == "channels_first"
        return _thinned(np.moveaxis(values, 1, -1) if is_channels_first else values, IMAGE_SIDE)
    return _thinned(values.reshape(len(values), *(values.shape[1:] if values.ndim == 3 else (1, -1)), 1), IMAGE_SIDE)


def _thinned(images: Array, side: int) -> Array:
    height, width = images.shape[1:3]
    return images[:, :: -(-height // side), :: -(-width // side)]


def _count(x: Any) -> int:
    return len(next(itertools.islice(keras.tree.flatten(x), 1)))
