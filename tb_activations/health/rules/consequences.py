"""Why a finding matters: what becomes of a training in which it stays."""

from __future__ import annotations

WHY_IT_MATTERS: dict[str, str] = {
    "dead_units": (
        "A unit that puts out zero on every sample learns nothing: no gradient reaches its weights, and the layer "
        "works with fewer units than it has."
    ),
    "dormant_units": (
        "Units that hardly answer take time and memory, and leave the layer less able to learn anything new."
    ),
    "vanishing_gradient": (
        "Layers that hardly any gradient reaches keep the weights they began with, however long the training goes on."
    ),
    "exploding_gradient": "One huge step can undo what many steps have learned, and often ends in NaN.",
    "nonfinite": (
        "NaN spreads: from the next update on every weight it touches is lost, and nothing trained after it is worth "
        "keeping."
    ),
    "saturated_units": (
        "A unit at its bound answers every input alike, and its slope there is so flat that hardly any gradient passes."
    ),
    "stagnant_weights": (
        "Weights that do not move take no part in the training; weights that move too far in a step never settle."
    ),
    "collapsed_layer": "When every input gives the same output, the layers behind cannot tell samples apart.",
    "no_gradient": (
        "Trainable weights that no gradient reaches stay as they were initialised; often the way to the loss is cut."
    ),
    "poor_init": (
        "Signals that shrink or grow from layer to layer at the start cost the first epochs, or the whole training."
    ),
}
"""One or two sentences for each rule, by its id."""
