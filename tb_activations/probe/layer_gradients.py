"""What reaches layers, weights and inputs when the loss is differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.probe.calls import recorded
from tb_activations.probe.inputs import one_batch, tensors
from tb_activations.probe.state import build, preserved
from tb_activations.taps.layers import LayerChoice, find_layers, weight_key, weight_owners

Loss = str | Callable[[Any, Any], Any] | None
Gradients = dict[str, NDArray[Any] | None]


@overload
def gradients(
    model: keras.Model,
    x: Any,
    y: Any,
    wrt: Literal["activations", "weights"] = "activations",
    loss: Loss = None,
    *,
    layers: LayerChoice = None,
    training: bool = False,
) -> Gradients: ...


@overload
def gradients(
    model: keras.Model,
    x: Any,
    y: Any,
    wrt: Literal["inputs"],
    loss: Loss = None,
    *,
    layers: LayerChoice = None,
    training: bool = False,
) -> Any: ...


def gradients(
    model: keras.Model,
    x: Any,
    y: Any,
    wrt: str = "activations",
    loss: Loss = None,
    *,
    layers: LayerChoice = None,
    training: bool = False,
) -> Any:
    """Gradient of the loss over one batch; no weight is changed.

    Args:
        model: any Keras model.
        x: the batch: an array, or a tuple, list or dict of arrays, samples on the first axis.
        y: its targets, as the loss takes them; None for a model whose loss needs none.
        wrt: what to differentiate by.
        loss: a function of `(y, outputs)`, or the name of a Keras loss; one value a sample is averaged. None takes
            the loss the model was compiled with, its regularisation included.
        layers: for `wrt="activations"`: layer names, a regular expression, or a function from a layer to a bool.
        training: whether layers run in training mode.

    Returns:
        For "activations" and "weights" a dict: layer name (as `activations` names outputs) or layer name, "/", weight
        name, to an array of the output's or the weight's shape and dtype. For "inputs" the structure of `x`. None
        stands where the loss does not depend on the thing at all, or it holds whole numbers (for activations these
        are left out). Losses are not scaled, also under mixed precision.

    Raises:
        ValueError: an argument that is not allowed, or no loss given and the model is not compiled.
        TypeError: `x` is a dataset.
    """
    if wrt not in ("activations", "weights", "inputs"):
        raise ValueError(
            f'Invalid value for argument `wrt`: {wrt!r}. Allowed are "activations", "weights" and "inputs".'
        )
    if layers is not None and wrt != "activations":
        raise ValueError(f'Invalid value for argument `layers`: with wrt="{wrt}" it has no meaning; leave it out.')
    if loss is None and not model.compiled:
        raise ValueError("Invalid value for argument `loss`: None, and the model is not compiled. Give a loss.")
    batch = one_batch(x)
    targets = None if y is None else tensors(keras.tree.map_structure(np.asarray, y))
    build(model, batch)
    value_of = _compiled_loss(model, batch, training) if loss is None else _given_loss(loss)
    if wrt == "activations":
        return _by_activations(model, batch, targets, value_of, layers, training)
    named = _named_weights(model)
    sources = list(named.values()) if wrt == "weights" else keras.tree.flatten(batch)
    with preserved(model), tf.GradientTape() as tape:
        tape.watch([source for source in sources if source.dtype.is_floating])
        value = value_of(targets, model(batch, training=training))
    found = [_array(gradient) for gradient in tape.gradient(value, sources)]
    return dict(zip(named, found, strict=True)) if wrt == "weights" else keras.tree.pack_sequence_as(batch, found)


def _by_activations(
    model: keras.Model,
    batch: Any,
    targets: Any,
    value_of: Callable[[Any, Any], tf.Tensor],
    layers: LayerChoice,
    training: bool,
) -> Gradients:
    with preserved(model), tf.GradientTape() as tape:

        def watched(value: tf.Tensor) -> tf.Tensor:
            # A tensor of its own for each layer: one that returns its input would share the input's gradient.
            own = tf.identity(value)
            tape.watch(own)
            return own

        with recorded(model, layers, watched) as recording:
            outputs = model(batch, training=training)
        value = value_of(targets, outputs)
    seen = {name: output for name, output in recording.outputs().items() if output.dtype.is_floating}
    found = tape.gradient(value, list(seen.values()))
    return {name: _array(gradient) for name, gradient in zip(seen, found, strict=True)}


def _compiled_loss(model: keras.Model, batch: Any, training: bool) -> Callable[[Any, Any], tf.Tensor]:
    def value_of(y: Any, outputs: Any) -> tf.Tensor:
        # Keras' own way to `compute_loss`, which also calls overrides that do not take `training`.
        return model._compute_loss(batch, y, outputs, None, training)

    return value_of


def _given_loss(loss: str | Callable[[Any, Any], Any]) -> Callable[[Any, Any], tf.Tensor]:
    function = keras.losses.get(loss) if isinstance(loss, str) else loss
    if not callable(function):
        raise ValueError(
            f"Invalid value for argument `loss`: {loss!r}. Allowed are a function of (y, outputs), the name of a Keras "
            "loss, or None."
        )
    return lambda y, outputs: tf.reduce_mean(tf.convert_to_tensor(function(y, outputs)))


def _named_weights(model: keras.Model) -> dict[str, tf.Variable]:
    owners = weight_owners(find_layers(model))
    named: dict[str, tf.Variable] = {}
    for weight in model.trainable_weights:
        owner = owners.get(weight_key(weight))
        name = f"{owner}/{weight.name}" if owner else weight.path
        named[_free(name, named)] = weight.value
    return named


def _free(name: str, taken: dict[str, Any]) -> str:
    names: Sequence[str] = [name, *(f"{name}~{number}" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in names if candidate not in taken)


def _array(gradient: Any) -> NDArray[Any] | None:
    # A lookup hands back IndexedSlices.
    return None if gradient is None else np.asarray(tf.convert_to_tensor(gradient).numpy())
