"""Gradients of the loss with respect to layer outputs, weights and inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, overload

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.probe.calls import outputs as layer_outputs
from tb_activations.probe.calls import recorded
from tb_activations.probe.inputs import check_samples, labeled_batches
from tb_activations.probe.joining import joined
from tb_activations.probe.state import build, preserved
from tb_activations.probe.variables import alive
from tb_activations.records.arguments import invalid
from tb_activations.taps.layers import LayerChoice, find_layers, weight_key, weight_owners

Loss = str | Callable[[Any, Any], Any] | None
Gradients = dict[str, NDArray[Any] | None]


@overload
def gradients(
    model: keras.Model,
    x: Any,
    *,
    y: Any = None,
    wrt: Literal["activations", "weights"] = "activations",
    loss: Loss = None,
    layers: LayerChoice = None,
    training: bool = False,
    batch_size: int | None = None,
) -> Gradients: ...


@overload
def gradients(
    model: keras.Model,
    x: Any,
    *,
    y: Any = None,
    wrt: Literal["inputs"],
    loss: Loss = None,
    layers: LayerChoice = None,
    training: bool = False,
    batch_size: int | None = None,
) -> Any: ...


def gradients(
    model: keras.Model,
    x: Any,
    *,
    y: Any = None,
    wrt: str = "activations",
    loss: Loss = None,
    layers: LayerChoice = None,
    training: bool = False,
    batch_size: int | None = None,
) -> Any:
    """Gradient of the loss, averaged over all samples; no weight is changed.

    Args:
        model: any Keras model.
        x: as for `activations`; a dataset brings its own targets.
        y: the targets, as the loss takes them; None for a dataset, or if the loss needs none.
        wrt: what to differentiate with respect to: "activations", "weights" or "inputs".
        loss: a function of `(y, outputs)` or the name of a Keras loss; its mean is taken. None uses the loss the model
            was compiled with, including its regularization.
        layers: for `wrt="activations"`: layer names, a regular expression, or a function from a layer to a bool.
        training: whether layers run in training mode.
        batch_size: samples per call of the model; None for all samples of an array in one call. Not used for a dataset.
            The losses of several calls are averaged, weighted by their numbers of samples.

    Returns:
        For "activations" a dict from layer name (as `activations` names outputs), for "weights" from layer name, "/",
        weight name, to an array with the shape and dtype of the output or weight. For "inputs" the structure of `x`.
        None where the loss does not depend on the value, or the value is an integer (integer activations are left
        out). Gradients are not scaled, also under mixed precision.

    Raises:
        ValueError: an argument is not allowed; no loss is given and the model is not compiled; or there are several
            batches and the gradients of an output cannot be joined along the samples.
    """
    if wrt not in ("activations", "weights", "inputs"):
        raise invalid("wrt", repr(wrt), '"activations", "weights" and "inputs"')
    if layers is not None and wrt != "activations":
        raise invalid("layers", f'{layers!r} with wrt="{wrt}". Allowed with it is None')
    if loss is None and not model.compiled:
        raise invalid(
            "loss", "None for a model that is not compiled", "a function of (y, outputs) and the name of a Keras loss"
        )
    sizes: list[int] = []
    found: list[Gradients] = []
    for batch, own in _passes(model, labeled_batches(x, y, batch_size), wrt, loss, layers, training):
        sizes.append(check_samples(batch))
        found.append(own)
    averaged = found[0] if len(found) == 1 else _averaged(found, sizes, has_samples=wrt != "weights")
    return averaged if wrt != "inputs" else keras.tree.pack_sequence_as(batch, list(averaged.values()))


def _passes(
    model: keras.Model, pairs: Iterator[tuple[Any, Any]], wrt: str, loss: Loss, layers: LayerChoice, training: bool
) -> Iterator[tuple[Any, Gradients]]:
    """Each batch with its gradients; those of inputs by their position."""
    among = None
    for batch, targets in pairs:
        build(model, batch)
        among = among or alive()
        value_of = _compiled_loss(model, batch, training) if loss is None else _given_loss(loss)
        with preserved(model, among):
            if wrt == "activations":
                found = _of_activations(model, batch, targets, value_of, layers, training)
            else:
                inputs = {f"input {place}": part for place, part in enumerate(keras.tree.flatten(batch))}
                sources = _named_weights(model) if wrt == "weights" else inputs
                found = _of_sources(model, batch, targets, value_of, sources, training)
        yield batch, found


def _of_sources(
    model: keras.Model,
    batch: Any,
    targets: Any,
    value_of: Callable[[Any, Any], tf.Tensor],
    sources: dict[str, Any],
    training: bool,
) -> Gradients:
    with tf.GradientTape() as tape:
        tape.watch([source for source in sources.values() if source.dtype.is_floating])
        value = value_of(targets, model(batch, training=training))
    return _named(sources, tape.gradient(value, list(sources.values())))


def _of_activations(
    model: keras.Model,
    batch: Any,
    targets: Any,
    value_of: Callable[[Any, Any], tf.Tensor],
    layers: LayerChoice,
    training: bool,
) -> Gradients:
    with tf.GradientTape() as tape:

        def watched(value: tf.Tensor) -> tf.Tensor:
            # Each layer gets a tensor of its own: one that returns its input would share the input's gradient.
            own = tf.identity(value)
            tape.watch(own)
            return own

        with recorded(model, layers, watched) as calls:
            outputs = model(batch, training=training)
        value = value_of(targets, outputs)
    named = layer_outputs(calls.by_name())
    seen = {name: output for name, output in named.items() if output.dtype.is_floating}
    return _named(seen, tape.gradient(value, list(seen.values())))


def _named(names: Iterable[str], gradients: Sequence[Any]) -> Gradients:
    return {name: _array(own) for name, own in zip(names, gradients, strict=True)}


def _averaged(found: Sequence[Gradients], sizes: Sequence[int], *, has_samples: bool) -> Gradients:
    """The gradients of the mean loss of several batches; those of outputs are joined along the samples."""
    total = sum(sizes)
    names = dict.fromkeys(name for own in found for name in own)
    result: Gradients = {}
    for name in names:
        pieces = [_scaled(own.get(name), size / total) for own, size in zip(found, sizes, strict=True)]
        present = [piece for piece in pieces if piece is not None]
        if not present:
            result[name] = None
        elif has_samples:
            result[name] = joined(name, present, sizes)
        else:
            result[name] = sum(present[1:], present[0])
    return result


def _scaled(gradient: NDArray[Any] | None, share: float) -> NDArray[Any] | None:
    return None if gradient is None else (gradient * share).astype(gradient.dtype)


def _compiled_loss(model: keras.Model, batch: Any, training: bool) -> Callable[[Any, Any], tf.Tensor]:
    def value_of(y: Any, outputs: Any) -> tf.Tensor:
        # Keras' own wrapper of `compute_loss`, which also supports overrides that do not take `training`.
        return model._compute_loss(batch, y, outputs, None, training)

    return value_of


def _given_loss(loss: str | Callable[[Any, Any], Any]) -> Callable[[Any, Any], tf.Tensor]:
    function = keras.losses.get(loss) if isinstance(loss, str) else loss
    if not callable(function):
        raise invalid("loss", repr(loss), "a function of (y, outputs), the name of a Keras loss, or None")
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
    # The gradient of a lookup is an IndexedSlices.
    return None if gradient is None else np.asarray(tf.convert_to_tensor(gradient).numpy())
