"""The ways to make a model from layers without a custom `call`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from benchmarks.odd_models.description import Description
from benchmarks.odd_models.pieces import Body, make_body, make_head
from benchmarks.odd_models.steps import with_step
from benchmarks.odd_models.written import NoCall, written

SHAPES: dict[str, tuple[int, ...]] = {"vector": (10,), "picture": (8, 8, 2), "sequence": (6, 5), "tokens": (6,)}
"""Shapes of single samples."""
EXTRA = 3
"""Length of the second input."""


def make_model(described: Description) -> Any:
    """A new model, not compiled."""
    if described.family == "code":
        return written(described, SHAPES[described.inputs])
    return _MAKERS[described.structure](described)


def _input(described: Description) -> Any:
    return layers.Input(SHAPES[described.inputs], dtype="int32" if described.inputs == "tokens" else "float32")


def _flat(body: Body) -> list[Any]:
    return [layer for piece in body for layer in piece.layers]


def _sequential(described: Description) -> Any:
    return keras.Sequential([_input(described), *_flat(make_body(described)), make_head(described)])


def _sequential_without_input(described: Description) -> Any:
    return keras.Sequential([*_flat(make_body(described)), make_head(described)])


def _sequential_of_sequentials(described: Description) -> Any:
    body = make_body(described)
    front = [layer for piece in (*body.first, body.to_vector) for layer in piece.layers]
    back = [layer for piece in body.later for layer in piece.layers]
    return keras.Sequential(
        [_input(described), keras.Sequential(front), keras.Sequential([*back, make_head(described)])]
    )


def _vector(body: Body, x: Any) -> Any:
    for piece in body.first:
        x = piece(x)
    return body.to_vector(x)


def _through(body: Body, x: Any) -> Any:
    for piece in body:
        x = piece(x)
    return x


def _functional(described: Description) -> Any:
    inputs = _input(described)
    return keras.Model(inputs, make_head(described)(_through(make_body(described), inputs)))


def _functional_residual(described: Description) -> Any:
    inputs, body = _input(described), make_body(described)
    x = _vector(body, inputs)
    for piece in body.later:
        h = piece(x)
        x = h + (x if x.shape == h.shape else layers.Dense(h.shape[-1], use_bias=False)(x))
    return keras.Model(inputs, make_head(described)(x))


def _functional_dense(described: Description) -> Any:
    inputs, body = _input(described), make_body(described)
    seen = [_vector(body, inputs)]
    for piece in body.later:
        seen.append(piece(layers.Concatenate()(seen) if len(seen) > 1 else seen[0]))
    return keras.Model(inputs, make_head(described)(ops.concatenate(seen, axis=-1)))


def _functional_inputs(described: Description) -> Any:
    inputs, extra = _input(described), layers.Input((EXTRA,))
    x = _through(make_body(described), inputs)
    x = layers.Concatenate()([x, layers.Dense(4, activation="relu")(extra)])
    return keras.Model([inputs, extra], make_head(described)(x))


def _functional_outputs(described: Description) -> Any:
    inputs = _input(described)
    x = _through(make_body(described), inputs)
    return keras.Model(inputs, [make_head(described)(x), layers.Dense(1)(x)])


def _functional_shared(described: Description) -> Any:
    inputs, body = _input(described), make_body(described)
    turned = inputs if described.inputs == "tokens" else -0.5 * inputs
    x = layers.Subtract()([_through(body, inputs), 0.5 * _through(body, turned)])
    return keras.Model(inputs, make_head(described)(x))


def _functional_nested(described: Description) -> Any:
    body, inner_inputs, inputs = make_body(described), _input(described), _input(described)
    inner = keras.Model(inner_inputs, _through(body, inner_inputs), name="inner")
    middle_inputs = layers.Input(inner.output_shape[1:])
    middle = keras.Model(middle_inputs, layers.Dense(6, activation="tanh")(middle_inputs), name="middle")
    return keras.Model(inputs, make_head(described)(middle(inner(inputs))))


class Functional(keras.Model):
    """A functional model with a custom class."""

    def forward(self, x: Any) -> Any:
        return self(x, training=True)


def _functional_subclass(described: Description) -> Any:
    inputs = _input(described)
    outputs = make_head(described)(_through(make_body(described), inputs))
    return with_step(Functional, described.step)(inputs, outputs)


def _encoder_and_head(described: Description) -> Any:
    inputs, body = _input(described), make_body(described)
    encoder = keras.Model(inputs, _vector(body, inputs), name="encoder")
    code = layers.Input(encoder.output_shape[1:])
    x = code
    for piece in body.later:
        x = piece(x)
    head = keras.Model(code, make_head(described)(x), name="head")
    return with_step(NoCall, described.step)(encoder=encoder, head=head)


def _two_networks(described: Description) -> Any:
    network = _functional(described)
    critic = keras.Sequential([layers.Dense(8), layers.LeakyReLU(), layers.Dense(1)], name="critic")
    return with_step(NoCall, described.step)(network=network, critic=critic)


_MAKERS: dict[str, Callable[[Description], Any]] = {
    "sequential": _sequential,
    "sequential_without_input": _sequential_without_input,
    "sequential_of_sequentials": _sequential_of_sequentials,
    "functional": _functional,
    "functional_residual": _functional_residual,
    "functional_dense": _functional_dense,
    "functional_inputs": _functional_inputs,
    "functional_outputs": _functional_outputs,
    "functional_shared": _functional_shared,
    "functional_nested": _functional_nested,
    "functional_subclass": _functional_subclass,
    "encoder_and_head": _encoder_and_head,
    "two_networks": _two_networks,
}
