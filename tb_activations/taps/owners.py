"""What belongs to a layer: its parameters, and the weights of the layers inside it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from tb_activations.taps.gist import gist
from tb_activations.taps.layers import NamedLayer, own_weights

_LOGGER = logging.getLogger("tb_activations")


def parameters_of(entry: NamedLayer) -> int:
    """Number of parameters of a layer without statistics; 0 if it cannot be determined."""
    layer = entry.layer
    try:
        if entry.is_container:
            return sum(math.prod(weight.shape) for weight in own_weights(layer))
        return int(layer.count_params()) if layer.built else 0
    except Exception as error:  # The layer must be listed as unobserved, with or without its parameters.
        _LOGGER.debug("Cannot count the parameters of layer %r (%s).", layer.name, gist(error))
        return 0


def innermost(layer: str, called: AbstractSet[str]) -> str:
    """The innermost observed layer that contains `layer`: weights of an LSTM's cell belong to the LSTM."""
    around = layer
    while around and around not in called:
        around = around.rpartition("/")[0]
    return around or layer


def by_innermost(weights: Iterable[tuple[str, Any]], called: AbstractSet[str]) -> dict[str, list[Any]]:
    """Weights, given with the names of their layers, by `innermost` layer."""
    found: dict[str, list[Any]] = {}
    for layer, weight in weights:
        found.setdefault(innermost(layer, called), []).append(weight)
    return found
