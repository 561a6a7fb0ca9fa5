"""The layers of a run as a graph, from the connections that the taps found in the traced step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tb_activations.records.specs import LayerSpec

NORMALIZATIONS = frozenset(
    {
        "BatchNormalization",
        "LayerNormalization",
        "GroupNormalization",
        "RMSNormalization",
        "UnitNormalization",
        "SpectralNormalization",
    }
)
"""Layer classes whose output does not depend on the scale of their input."""


@dataclasses.dataclass(frozen=True, eq=False)
class LayerGraph:
    """The layers of a run as a graph; single calls of a shared layer have no edges.

    A part of a layer, such as a gate, has no direct edges; it reaches what its layer reaches.

    Attributes:
        direct: `[layers, layers]`, whether the row's layer feeds the column's directly.
        reaches: `[layers, layers]`, whether outputs of the row's layer flow into the column's, directly or through
            other layers. If the connections are unknown, every layer is taken to feed all layers called later.
        is_head: `[layers]`, whether no layer with weights follows.
        is_normalized: `[layers]`, whether a normalization layer takes the layer's output directly.
    """

    direct: NDArray[np.bool_]
    reaches: NDArray[np.bool_]
    is_head: NDArray[np.bool_]
    is_normalized: NDArray[np.bool_]

    def sources(self, row: int) -> NDArray[np.int64]:
        """The rows of the layers that feed layer `row` directly; empty for a layer that takes the input data."""
        return np.flatnonzero(self.direct[:, row])


def layer_graph(layers: Sequence[LayerSpec]) -> LayerGraph:
    """The graph of layers in call order."""
    direct = _direct(layers)
    reaches = direct.copy()
    # Rows are in call order: going backward, everything that a layer feeds is complete before the layer itself.
    for row in range(len(layers) - 1, -1, -1):
        reaches[row] |= reaches[direct[row]].any(axis=0)
    weighted = np.array([layer.parameters > 0 and layer.is_whole for layer in layers], bool)
    behind = reaches & weighted & ~_is_inside(layers)
    normalizing = np.array([layer.class_name in NORMALIZATIONS for layer in layers], bool)
    _place_parts(layers, reaches)
    return LayerGraph(direct, reaches, ~behind.any(axis=1), (direct & normalizing).any(axis=1))


def _place_parts(layers: Sequence[LayerSpec], reaches: NDArray[np.bool_]) -> None:
    """Puts the parts of a layer where the layer is: they feed it, and what it reaches."""
    rows = {layer.name: row for row, layer in enumerate(layers) if not layer.call_site}
    for row, layer in enumerate(layers):
        whole = layer
        # Terminates: each name is a part of one that is looked at once at most.
        for _ in range(len(layers)):
            if not whole.part_of or whole.part_of not in rows:
                break
            whole = layers[rows[whole.part_of]]
        if layer.part_of and whole.is_whole:
            at = rows[whole.name]
            reaches[row], reaches[:, row] = reaches[at], reaches[:, at]
            reaches[row, at] = reaches[at, row] = True


def _direct(layers: Sequence[LayerSpec]) -> NDArray[np.bool_]:
    rows = {layer.name: row for row, layer in enumerate(layers) if layer.is_whole}
    direct = np.zeros((len(layers), len(layers)), bool)
    order = list(rows.values())
    if any(layer.inputs for layer in layers):
        for name, row in rows.items():
            sources = [rows[source] for source in layers[row].inputs if source in rows and source != name]
            direct[sources, row] = True
        # A shared layer is called before the layers that feed its later calls. These edges would close a cycle.
        direct = np.triu(direct, 1)
    elif len(order) > 1:
        direct[order[:-1], order[1:]] = True
    return direct


def _is_inside(layers: Sequence[LayerSpec]) -> NDArray[np.bool_]:
    """`[layers, layers]`: whether the row's layer is a part of the column's."""
    rows: dict[str, list[int]] = {}
    for row, layer in enumerate(layers):
        rows.setdefault(layer.name, []).append(row)
    inside = np.zeros((len(layers), len(layers)), bool)
    for row, layer in enumerate(layers):
        for end, letter in enumerate(layer.name):
            if letter == "/":
                inside[row, rows.get(layer.name[:end], [])] = True
    return inside
