"""Differences between the descriptions of two runs: layers and their configuration, loss, optimizer, weights, steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tb_activations.comparison.axis import Axis
from tb_activations.comparison.difference import Cause, Difference
from tb_activations.comparison.pairing import Pairing, weight_key
from tb_activations.events.run import Run
from tb_activations.records.specs import CUT, Config

_HYPERPARAMETERS = ("activation", "dtype", "trainable")
_PROPERTIES = ("class_name", "call_site", "output_shape", "units", "parameters")
_SHOWN_BY = {"filters": "units"}
"""Members of a configuration that change a property of another name."""
_TIMED = 'update_freq="auto" depends on the clock after the first minute; use a number to compare runs'
PRESENT, ABSENT = "present", "absent"


def structure(pairing: Pairing) -> Iterator[Difference]:
    """What differs in the descriptions, in call order; layers first, then weights, the loss and the optimizer."""
    yield from _layers(pairing)
    yield from _properties(pairing)
    yield from _weights(pairing)
    for name in ("loss", "from_logits"):
        values = getattr(pairing.expected, name), getattr(pairing.actual, name)
        if values[0] != values[1]:
            yield Difference(name, *values, cause=Cause.HYPERPARAMETER)
    yield from _optimizer(pairing.expected.optimizer, pairing.actual.optimizer)


def observed_steps(axis: Axis, expected: Run, actual: Run) -> Iterator[Difference]:
    """The first step that only one run has."""
    is_timed = any(run.spec.cadence.get("update_freq") == "auto" for run in (expected, actual))
    yield from one_sided(axis, f"observed {axis.match}", _TIMED if is_timed else "")


def one_sided(axis: Axis, what: str, hint: str = "") -> Iterator[Difference]:
    """The first step or epoch that only one run has; at most one difference."""
    keys = np.union1d(axis.missing, axis.added)
    if not keys.size:
        return
    key = int(keys[0])
    values = (PRESENT, ABSENT) if key in axis.missing else (ABSENT, PRESENT)
    count, compared = len(keys), len(keys) + len(axis.keys)
    step, epoch = (key, None) if axis.match == "step" else (None, key)
    yield Difference(
        what, *values, step, hint=hint, cause=Cause.HYPERPARAMETER, epoch=epoch, count=count, compared=compared
    )


def _layers(pairing: Pairing) -> Iterator[Difference]:
    for name in pairing.missing:
        yield Difference("layer", PRESENT, ABSENT, layer=name, cause=Cause.LAYER)
    for name in pairing.added:
        yield Difference("layer", ABSENT, PRESENT, layer=name, cause=Cause.LAYER)
    order = [other for _, other in pairing.layers]
    for place, (row, other) in enumerate(pairing.layers):
        wanted = sorted(order)[place]
        if other != wanted:
            name = pairing.expected.layers[row].name
            there = pairing.actual.layers[wanted].name
            yield Difference(f"layer at place {place}", name, pairing.names[there], layer=name, cause=Cause.LAYER)
            return


def _properties(pairing: Pairing) -> Iterator[Difference]:
    for row, other in pairing.layers:
        layer, partner = pairing.expected.layers[row], pairing.actual.layers[other]
        for name in (*_PROPERTIES, *_HYPERPARAMETERS):
            values = getattr(layer, name), getattr(partner, name)
            if values[0] != values[1]:
                cause = Cause.HYPERPARAMETER if name in _HYPERPARAMETERS else Cause.LAYER
                yield Difference(name, *values, layer=layer.name, cause=cause)
        if layer.class_name == partner.class_name:
            known = {name for name in _PROPERTIES + _HYPERPARAMETERS if getattr(layer, name) != getattr(partner, name)}
            for name, changed in _changed(layer.config, partner.config):
                if _SHOWN_BY.get(name, name) not in known:
                    yield Difference(name, *changed, layer=layer.name, cause=Cause.HYPERPARAMETER)


def _optimizer(expected: Config, actual: Config) -> Iterator[Difference]:
    kinds = expected.get("class_name"), actual.get("class_name")
    if None not in kinds and kinds[0] != kinds[1]:
        # Another optimizer has other arguments.
        yield Difference("optimizer", *kinds, cause=Cause.HYPERPARAMETER)
        return
    for name, values in _changed(expected, actual):
        yield Difference(f"optimizer {name}", *values, cause=Cause.HYPERPARAMETER)


def _changed(expected: Config, actual: Config) -> Iterator[tuple[str, tuple[object, object]]]:
    """Members with other values; None for one that is not set. Nothing if a run has no configuration."""
    if not expected or not actual:
        return
    is_whole = CUT not in expected and CUT not in actual
    for name in dict.fromkeys([*expected, *actual]):
        values = expected.get(name), actual.get(name)
        if name != CUT and values[0] != values[1] and (is_whole or None not in values):
            yield name, values


def _weights(pairing: Pairing) -> Iterator[Difference]:
    """Weights of one run only in layers of both runs, and other shapes."""
    keys = {weight_key(weight, {}) for weight in pairing.expected.weights}
    others = {weight_key(weight, pairing.names) for weight in pairing.actual.weights}
    gone = {*pairing.missing, *pairing.added}
    for key in (*sorted(keys - others), *sorted(others - keys)):
        if key[0] in gone:
            continue
        values = (PRESENT, ABSENT) if key in keys else (ABSENT, PRESENT)
        yield Difference("trainable weight", *values, layer=key[0] or None, cause=Cause.LAYER, weight=key[1])
    for row, other in pairing.weights:
        weight, partner = pairing.expected.weights[row], pairing.actual.weights[other]
        if weight.shape != partner.shape:
            layer, own = weight_key(weight, {})
            yield Difference("shape", weight.shape, partner.shape, layer=layer or None, cause=Cause.LAYER, weight=own)
