"""What advice says about the operations that may have made outputs, a loss or their gradient non-finite."""

from __future__ import annotations

import numpy as np

from tb_activations.health.history import History
from tb_activations.records.formatting import number
from tb_activations.records.specs import FragileOperation, LayerSpec

ENDED_PHRASE = ", so that its outputs stay above zero: "
"""What follows the layer and its new activation, where advice names them: the tab puts both into the code to copy."""

NAMED = 3
"""Operations that advice names one by one."""

_OF_POSITIVE = frozenset({"logarithm", "square root", "power"})
"""Operations whose argument must be positive."""

_POSITIVE = frozenset({"sigmoid", "softmax", "softplus", "exponential", "hard_sigmoid"})
"""Activations whose outputs are."""


def to_positive(history: History, *before: str) -> str:
    """A sentence and a space that name a layer whose outputs must be positive and are not; "" if there is none.

    Only of operations before these layers, "" for the loss, as in `suspects`.
    """
    least = history.stat("min")[-1]
    for one in _operations(history, *before):
        row = history.row_of.get(one.takes)
        if one.kind not in _OF_POSITIVE or row is None or not least[row] <= 0:
            continue
        end = _formed_by(history, history.spec.layers[row])
        if end.activation not in _POSITIVE:
            positive = "softplus" if one.before else _positive(history)
            reached = number(float(least[row]))
            return (
                f"End {end.name} in {positive}{ENDED_PHRASE}the {one.kind} in {one.place} takes them, and they go down "
                f"to {reached}. Also clip its argument (keras.ops.maximum(value, 1e-7)), which can be rounded to zero; "
                "clipping alone leaves no gradient. "
            )
    return ""


def suspects(history: History, *before: str) -> str:
    """The operations in words, such as "the logarithm in my_loss (train.py:41)"; "" if none is known."""
    # Several on one line are one to look at.
    named = list(dict.fromkeys(f"the {one.kind} in {one.place}" for one in _operations(history, *before)))
    if len(named) > NAMED:
        named[NAMED:] = [f"{len(named) - NAMED} more"]
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


def lone_suspect(history: History) -> str:
    """The layer before which the program has all of its such operations; "" if there is none, or not only one."""
    places = {one.before for one in history.spec.fragile_operations}
    return places.pop() if len(places) == 1 else ""


def every_suspect(history: History) -> str:
    """`suspects` of the loss and of all layers."""
    return suspects(history, *dict.fromkeys(one.before for one in history.spec.fragile_operations))


def _operations(history: History, *before: str) -> list[FragileOperation]:
    return [one for name in before for one in history.spec.fragile_operations if one.before == name]


def _formed_by(history: History, layer: LayerSpec) -> LayerSpec:
    """The nearest layer before, or this one, that has weights or an activation function."""
    for _ in history.spec.layers:
        if layer.parameters or layer.activation is not None or len(layer.inputs) != 1:
            break
        row = history.row_of.get(layer.inputs[0])
        if row is None:
            break
        layer = history.spec.layers[row]
    return layer


def _positive(history: History) -> str:
    """The activation for outputs that are to match the targets of the latest step."""
    least, most = (float(history.total(f"target_{end}")[-1]) for end in ("min", "max"))
    is_share = np.isfinite(least) and least >= 0 and most <= 1
    return "sigmoid" if is_share else "softplus"
