"""The observed layers of one or more models, looked up again when a step calls a layer that is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from tb_activations.records.specs import Config
from tb_activations.taps.configuration import layer_configuration
from tb_activations.taps.layers import (
    LayerChoice,
    NamedLayer,
    filter_layers,
    find_layers_of,
    own_weights,
    weight_key,
    weight_owners,
)

Models = Mapping[str, keras.Model]
"""Models by the name that precedes those of their layers; a single one has the name ""."""


class LayerFinder:
    """Knows the layers, weights and names of models that may still create some of them.

    Subclassed models create layers in `build` or in their first call, and layers create weights when they are first
    called. A lookup before a step is therefore never final.
    """

    def __init__(self, models: Models, choice: LayerChoice = None) -> None:
        self._models = models
        self._choice = choice
        self._by_layer: dict[int, NamedLayer] = {}
        self._models_by_layer: dict[int, frozenset[str]] = {}
        self._unlisted: set[int] = set()
        self._configurations: dict[int, Config] = {}
        self._borrowing: dict[int, bool] = {}
        self._giving: frozenset[int] = frozenset()
        self.named: Sequence[NamedLayer] = ()
        self.look()

    def look(self) -> None:
        """Reads the layers that the models have now into `named`."""
        self.named = filter_layers(find_layers_of(self._models), self._choice)
        self._by_layer = {id(entry.layer): entry for entry in self.named}
        self._models_by_layer = _gathered(
            [(id(layer), name) for name, model in self._models.items() for layer in model._flatten_layers()]
        )
        self._giving = frozenset(id(layer) for model in self._models.values() for layer in _output_layers(model))
        self._unlisted.clear()

    def entry(self, layer: keras.layers.Layer) -> NamedLayer | None:
        """The entry of an observed layer, None for one that is not observed or belongs to none of the models."""
        key = id(layer)
        if key not in self._by_layer and key not in self._unlisted:
            self.look()
            # Without this, every call of a layer that no model lists would walk all layers again.
            self._unlisted.add(key)
        return self._by_layer.get(key)

    def owners(self) -> dict[int, str]:
        """`weight_key` of every existing weight to the name of the innermost observed layer that holds it."""
        return weight_owners(self.named)

    def borrows(self, entry: NamedLayer) -> bool:
        """Whether all weights of a layer are those of layers elsewhere, as with tied weights; read once."""
        if id(entry.layer) not in self._borrowing and _weights(entry):
            # Of all layers at once, because the owners of all weights have to be known.
            owners = self.owners()
            self._borrowing |= {id(one.layer): _borrows(one, owners) for one in (entry, *self.named) if _weights(one)}
        return self._borrowing.get(id(entry.layer), False)

    def is_output(self, entry: NamedLayer) -> bool:
        """Whether a functional or sequential model returns what this layer returns, also if other layers take it."""
        return id(entry.layer) in self._giving

    def models_of_weights(self) -> dict[int, frozenset[str]]:
        """`weight_key` of every existing weight to the names of the models that hold it."""
        return _gathered(
            [(weight_key(weight), name) for name, model in self._models.items() for weight in model.weights]
        )

    def configuration(self, layer: keras.layers.Layer) -> Config:
        """What a layer was made with; read once, since an eager step asks for it each time."""
        key = id(layer)
        if key not in self._configurations:
            self._configurations[key] = layer_configuration(layer)
        return self._configurations[key]

    def models_of(self, layer: keras.layers.Layer) -> frozenset[str]:
        """Names of the models that hold this layer."""
        return self._models_by_layer.get(id(layer), frozenset())


def _weights(entry: NamedLayer) -> list[Any]:
    """Those of a layer and of the layers inside it; of a model only those that it holds directly."""
    return own_weights(entry.layer) if entry.is_container else list(entry.layer.weights)


def _borrows(entry: NamedLayer, owners: Mapping[int, str]) -> bool:
    names = {owners.get(weight_key(weight), entry.name) for weight in _weights(entry)}
    return not any(name == entry.name or name.startswith(f"{entry.name}/") for name in names)


def _output_layers(model: keras.Model) -> list[Any]:
    """The layers, or other operations, that make the outputs of a model; empty if Keras does not know them."""
    outputs = keras.tree.flatten(getattr(model, "outputs", None) or [])
    return [output._keras_history.operation for output in outputs if hasattr(output, "_keras_history")]


def _gathered(pairs: Sequence[tuple[int, str]]) -> dict[int, frozenset[str]]:
    found: dict[int, frozenset[str]] = {}
    for key, name in pairs:
        found[key] = found.get(key, frozenset()) | {name}
    return found
