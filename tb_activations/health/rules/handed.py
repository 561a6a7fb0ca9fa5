"""By which trainable weights the training step differentiates, and which it leaves out."""

from __future__ import annotations

import collections
from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.records.specs import SEVERAL, LayerSpec


class Handed(NamedTuple):
    """The weights by which the step differentiates.

    Attributes:
        counts: by layer name, their number.
        is_judged: `[layers]`, whether a trainable layer has weights that are not counted in another layer.
        is_cut: `[layers]`, whether none of them has a gradient.
    """

    counts: Mapping[str, int]
    is_judged: NDArray[np.bool_]
    is_cut: NDArray[np.bool_]


def handed(history: History) -> Handed:
    """See `Handed`."""
    return history.once("handed", _handed)


def left_out(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether the step leaves out all weights of a trainable layer although it trains others by it.

    A trained layer learns from its outputs, or it is the last layer of a model most of which is trained. A teacher, an
    average of weights or a network that only measures a loss feeds no layer that is trained, and is a network of its
    own; where only a prompt is trained, most layers are left out.
    """
    counts, is_judged, is_cut = handed(history)
    layers = history.spec.layers
    is_missing = np.array([layer.name not in counts for layer in layers], bool)
    is_left, is_trained = is_judged & is_missing & is_cut, is_judged & ~is_cut
    is_used = learners(history).any(axis=1)
    if np.count_nonzero(is_trained) > np.count_nonzero(is_left):
        is_own = np.array(["/" not in layer.name for layer in layers], bool)
        is_used |= history.graph.is_head & is_own & history.graph.reaches[is_trained].any(axis=0)
    result: NDArray[np.bool_] = is_left & is_used
    return result


def learners(history: History) -> NDArray[np.bool_]:
    """`[layers, layers]`: whether the step trains the layer of the column on what the layer of the row outputs."""
    return history.once("learners", _learners)


def _handed(history: History) -> Handed:
    layers, weights = history.spec.layers, history.spec.weights
    counts = collections.Counter(weight.layer for weight in weights)
    around = {outer for layer in layers for outer in _around(layer.name)}
    reached = {weight.layer for weight in weights if weight.has_gradient}
    is_elsewhere = np.array([_is_counted_elsewhere(layer, around, counts) for layer in layers], bool)
    is_cut = np.array([bool(weights) and layer.name not in reached for layer in layers], bool)
    return Handed(counts, history.is_trained & ~is_elsewhere, is_cut)


def _learners(history: History) -> NDArray[np.bool_]:
    _, is_judged, is_cut = handed(history)
    learns: NDArray[np.bool_] = history.graph.reaches & (is_judged & ~is_cut)
    if SEVERAL in history.spec.model:
        # A step of the discriminator leaves the generator out.
        models = np.array([layer.name.partition("/")[0] for layer in history.spec.layers])
        learns &= models[:, None] == models
    return learns


def _around(name: str) -> Iterator[str]:
    """The names of the layers that contain the layer of this name."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _is_counted_elsewhere(layer: LayerSpec, around: Container[str], counts: Mapping[str, int]) -> bool:
    """Whether a layer's weights belong to layers inside it or, like those of an RNN's cell, to the layer around it.

    `around` has the names of layers that contain others.
    """
    if layer.name in counts:
        return False
    return layer.name in around or any(outer and outer in counts for outer in _around(layer.name))
