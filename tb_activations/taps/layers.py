"""The layers of a model, their names, and the user's choice of layers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras

from tb_activations.records.arguments import invalid

LayerChoice = str | re.Pattern[str] | Sequence[str] | Callable[[keras.layers.Layer], bool] | None


@dataclasses.dataclass(frozen=True)
class NamedLayer:
    """A layer and its name in the run: the names from the model down to the layer, joined by "/".

    `is_cell` marks the cell of an RNN, which is called once per timestep inside a loop. `is_container` marks a model
    that is listed only because it holds weights directly: its outputs come from inner layers, which are listed too.
    """

    name: str
    layer: keras.layers.Layer
    is_cell: bool = False
    is_container: bool = False


def find_layers(model: keras.Model) -> list[NamedLayer]:
    """Every layer below `model`; a layer precedes the layers inside it.

    Input layers are left out. Models, `model` included, and stacks of cells are listed only if they hold weights
    directly. A layer that
    is reachable on several paths is listed once. Repeated names get the suffixes "~2", "~3", ...
    """
    found: list[NamedLayer] = []
    taken: dict[str, int] = {}
    cells: set[int] = set()
    for name, layer in [(model.name, model), *_walk(model, "", {id(model)})]:
        is_model = isinstance(layer, keras.Model)
        if (is_model or isinstance(layer, keras.layers.StackedRNNCells)) and not own_weights(layer):
            continue
        taken[name] = taken.get(name, 0) + 1
        if isinstance(layer, keras.layers.RNN):
            cells |= {id(cell) for cell in layer.cell._flatten_layers()}
        unique = name if taken[name] == 1 else f"{name}~{taken[name]}"
        is_container = is_model and any(_is_listed(inner) for inner in layer._flatten_layers(include_self=False))
        found.append(NamedLayer(unique, layer, id(layer) in cells, is_container))
    return found


def own_weights(layer: keras.layers.Layer) -> list[Any]:
    """The weights that a layer holds directly, without those of the layers inside it."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _is_listed(layer: keras.layers.Layer) -> bool:
    return not isinstance(layer, keras.Model | keras.layers.InputLayer)


def find_layers_of(models: Mapping[str, keras.Model]) -> list[NamedLayer]:
    """Every layer below these models; names begin with the model's key, unless that is "".

    A layer that several models share is listed under the first.
    """
    found: dict[int, NamedLayer] = {}
    for prefix, model in models.items():
        for entry in find_layers(model):
            name = f"{prefix}/{entry.name}" if prefix else entry.name
            found.setdefault(id(entry.layer), dataclasses.replace(entry, name=name))
    return list(found.values())


def _walk(parent: keras.layers.Layer, prefix: str, seen: set[int]) -> Iterator[tuple[str, keras.layers.Layer]]:
    for layer in parent._flatten_layers(include_self=False, recursive=False):
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        name = prefix + layer.name
        if not isinstance(layer, keras.layers.InputLayer):
            yield name, layer
        yield from _walk(layer, name + "/", seen)


def check_choice(layers: LayerChoice) -> None:
    """Raises TypeError or ValueError, naming `layers`, for a choice that no model could satisfy."""
    allowed = "None, a list of layer names, a regular expression or a function that takes a layer and returns a bool"
    if isinstance(layers, str):
        try:
            re.compile(layers)
        except re.error as error:
            raise invalid("layers", f"{layers!r} is not a regular expression ({error})", allowed) from error
    elif isinstance(layers, Sequence):
        strangers = [name for name in layers if not isinstance(name, str)]
        if strangers or not layers:
            raise invalid("layers", repr(layers), allowed, TypeError)
    elif layers is not None and not isinstance(layers, re.Pattern) and not callable(layers):
        raise invalid("layers", repr(layers), allowed, TypeError)


def choose_layers(named: Sequence[NamedLayer], layers: LayerChoice) -> list[NamedLayer]:
    """The layers that `layers` chooses, in the order of `named`.

    A list may hold names in the run (paths) or the layers' Keras names. A string is a regular expression, searched in
    the names in the run.

    Raises:
        ValueError: a name belongs to no layer, or the choice matches no layer; the text names `layers`.
    """
    if isinstance(layers, Sequence) and not isinstance(layers, str):
        known = {entry.name for entry in named} | {entry.layer.name for entry in named}
        unknown = [name for name in layers if name not in known]
        if unknown:
            raise invalid("layers", f"the model has no layer {_listed(unknown)}", _names(named))
    chosen = filter_layers(named, layers)
    if layers is not None and not chosen:
        raise invalid("layers", f"{layers!r} matches no layer of the model", _names(named))
    return chosen


def filter_layers(named: Sequence[NamedLayer], layers: LayerChoice) -> list[NamedLayer]:
    """Like `choose_layers`, for a model that may still create layers: names without a layer are ignored."""
    if layers is None:
        return list(named)
    if isinstance(layers, str | re.Pattern):
        pattern = re.compile(layers)
        return [entry for entry in named if pattern.search(entry.name)]
    if isinstance(layers, Sequence):
        return [entry for entry in named if entry.name in layers or entry.layer.name in layers]
    return [entry for entry in named if layers(entry.layer)]


def _names(named: Sequence[NamedLayer]) -> str:
    return _listed(entry.name for entry in named)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def weight_owners(named: Sequence[NamedLayer]) -> dict[int, str]:
    """`weight_key` of every weight to the name of the innermost of these layers that holds it.

    A layer that takes the weights of another one, as an output layer takes those of an embedding, does not own them.
    """
    # A layer precedes those inside it, so the innermost owner is written last and stays.
    around = {
        weight_key(weight): entry.name for entry in named if not entry.is_container for weight in entry.layer.weights
    }
    directly: dict[int, str] = {}
    for entry in named:
        for weight in own_weights(entry.layer):
            # Of several that hold a weight directly the first one owns it, or one inside that, as in a wrapper.
            first = directly.setdefault(weight_key(weight), entry.name)
            if entry.name.startswith(f"{first}/"):
                directly[weight_key(weight)] = entry.name
    return around | directly


def weight_key(variable: Any) -> int:
    """The same number for a Keras variable and the TensorFlow variable that it wraps; valid while the model lives."""
    return id(variable._value if isinstance(variable, keras.Variable) else variable)


def activation_name(layer: keras.layers.Layer) -> str | None:
    """Name of the activation function that a layer applies to its output; None if it has none or it is unknown.

    A `ReLU` layer with a negative slope counts as `leaky_relu`, since its units cannot die.
    """
    if isinstance(layer, keras.layers.ReLU):
        return "leaky_relu" if layer.negative_slope else "relu"
    for kind, name in _ACTIVATION_LAYERS:
        if isinstance(layer, kind):
            return name
    activation = getattr(layer, "activation", None)
    own = getattr(activation, "__name__", None) if callable(activation) else None
    return None if own == "<lambda>" else own


def has_known_activation(layer: keras.layers.Layer) -> bool:
    """Whether the activation function comes from Keras, so that its name can be trusted."""
    if isinstance(layer, keras.layers.ReLU) or any(isinstance(layer, kind) for kind, _ in _ACTIVATION_LAYERS):
        return True
    activation = getattr(layer, "activation", None)
    return any(activation is known for known in vars(keras.activations).values()) if activation is not None else False


_ACTIVATION_LAYERS = (
    (keras.layers.LeakyReLU, "leaky_relu"),
    (keras.layers.PReLU, "prelu"),
    (keras.layers.ELU, "elu"),
    (keras.layers.Softmax, "softmax"),
)

_MOVING = tuple(
    getattr(keras.layers, name)
    for name in (
        *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout", "GaussianDropout"),
        *("Flatten", "Reshape", "Permute", "RepeatVector", "Identity", "Masking", "ActivityRegularization"),
        *("Cropping1D", "Cropping2D", "Cropping3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"),
        *("UpSampling1D", "UpSampling2D", "UpSampling3D", "Resizing"),
        *("MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D"),
        *("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"),
        *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"),
    )
)


def is_moving(layer: keras.layers.Layer) -> bool:
    """Whether this is a Keras layer that only moves, drops or pools values, so its units are the previous layer's."""
    return isinstance(layer, _MOVING) and not layer.weights


def unit_axis(layer: keras.layers.Layer, rank: int | None, *, has_activation: bool = False) -> int | None:
    """The axis of a layer's output that counts units: the channel axis of `channels_first` layers, else the last.

    None for layers that only move values (reshaping, pooling, dropout): their units are the previous layer's.
    `has_activation` marks a layer with an activation function that it does not name.
    """
    if rank is None or rank < 2 or not (layer.weights or has_activation or activation_name(layer)):
        return None
    return 1 if getattr(layer, "data_format", None) == "channels_first" else rank - 1
