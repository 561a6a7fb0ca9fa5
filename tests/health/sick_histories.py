"""Synthetic trainings for every rule, in which it must find a sick layer since a known step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tb_activations.records.columns import WEIGHT_COLUMNS
from tb_activations.records.specs import RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, record

LAYERS = ("encoder", "bottleneck", "decoder", "head")
SICK = "bottleneck"
EVERY = 3
"""Training steps from one observed step to the next."""
ONSET = 36
STEPS = range(0, 240, EVERY)


@dataclasses.dataclass(frozen=True)
class SickHistory:
    """A training in which one layer gets sick.

    Attributes:
        sign: id of the finding's sign.
        since: the step at which the finding must begin.
        slack: observed steps by which `since` may be off, for rules that judge a median.
    """

    spec: RunSpec
    records: Sequence[StepRecord]
    sign: str
    since: int = ONSET
    slack: int = 0


def from_onset(
    sign: str, *, activation: str = "relu", loss: Callable[[int], float] = lambda step: 1.0, **values: float
) -> SickHistory:
    """The sick layer has these values from `ONSET` on."""
    spec = chain(*LAYERS, activation=activation)
    records = [record(spec, step, values={SICK: values} if step >= ONSET else None, loss=loss(step)) for step in STEPS]
    return SickHistory(spec, records, sign)


def from_start(history: SickHistory) -> SickHistory:
    """The same layer is sick at every step."""
    late = history.records[-1]
    records = [dataclasses.replace(late, step=step) for step in STEPS]
    return dataclasses.replace(history, records=records, since=0)


def silent(units: Sequence[int]) -> SickHistory:
    spec = chain(*LAYERS)
    records = [record(spec, step, silent={SICK: units} if step >= ONSET else None) for step in STEPS]
    return SickHistory(spec, records, "dead_share")


def kernels(
    sign: str,
    *,
    since: int = 0,
    values: Mapping[str, Mapping[str, float]] | None = None,
    **columns: Callable[[int], float],
) -> SickHistory:
    """Each layer has a kernel `[10, 10]`; `columns` give the sick layer's by step, `values` hold at all steps."""
    spec = chain(*LAYERS)
    spec = dataclasses.replace(spec, weights=tuple(WeightSpec(f"{name}/kernel", name, (10, 10)) for name in LAYERS))
    healthy = {"gradient_norm": 0.1, "gradient_mean_abs": 0.01, "weight_norm": 4.0, "update_ratio": 1e-3}
    records = []
    for step in STEPS:
        table = np.array([[healthy.get(column, 0.0) for column in WEIGHT_COLUMNS]] * len(LAYERS), np.float32)
        for column, at in columns.items():
            table[LAYERS.index(SICK), WEIGHT_COLUMNS.index(column)] = at(step)
        records.append(dataclasses.replace(record(spec, step, values=values), weights=table))
    return SickHistory(spec, records, sign, since)


def growing(factor: float) -> SickHistory:
    """The gradient of the sick layer grows by this factor every eight observed steps."""
    spec = chain(*LAYERS)
    records = [
        record(spec, step, values={SICK: {"weight_gradient_norm": 1e-3 * factor ** (place // 8)}})
        for place, step in enumerate(STEPS)
    ]
    # Six blocks of eight steps prove the growth; the rule still has the last 32 steps.
    return SickHistory(spec, records, "growth", since=16 * EVERY)


def cut_off(history: SickHistory) -> SickHistory:
    """The training step computes no gradient for the sick layer."""
    weights = tuple(dataclasses.replace(weight, has_gradient=weight.layer != SICK) for weight in history.spec.weights)
    return dataclasses.replace(history, spec=dataclasses.replace(history.spec, weights=weights))


def left_out(history: SickHistory) -> SickHistory:
    """The training step leaves out the sick layer's weights."""
    weights = tuple(weight for weight in history.spec.weights if weight.layer != SICK)
    records = [dataclasses.replace(entry, weights=entry.weights[1:]) for entry in history.records]
    return dataclasses.replace(history, spec=dataclasses.replace(history.spec, weights=weights), records=records)


def faint(units: int, share: float) -> SickHistory:
    """This many units of the sick layer output this share of their earlier values."""
    history = from_onset("dormant_share", activation="gelu")
    start = history.spec.unit_slice(LAYERS.index(SICK)).start
    records = []
    for entry in history.records:
        peaks = np.full_like(entry.unit_peak, 2.0)
        if entry.step >= ONSET:
            peaks[start : start + units] *= share
        records.append(dataclasses.replace(entry, unit_peak=peaks))
    return dataclasses.replace(history, records=records)


def histories() -> Mapping[str, Sequence[SickHistory]]:
    """The synthetic trainings by rule id."""
    return {
        "dead_units": [silent(range(2)), silent(range(6)), silent(range(8)), silent(range(10))],
        "dormant_units": [faint(3, 0.001), faint(6, 0.002), faint(8, 0.003)],
        "vanishing_gradient": [
            from_start(from_onset("elasticity", weight_gradient_norm=3.7e-4)),
            from_start(from_onset("elasticity", weight_gradient_norm=2.3e-6)),
            from_start(from_onset("elasticity", weight_gradient_norm=0.0)),
        ],
        "exploding_gradient": [
            kernels("step", since=ONSET, update_ratio=lambda step: 23.0 if step >= ONSET else 1e-3),
            from_onset("loss", loss=lambda step: 1.0 if step < ONSET else 457.0, weight_gradient_norm=9.0),
            dataclasses.replace(from_onset("elasticity", weight_gradient_norm=77.0), slack=2),
            growing(2.3),
        ],
        "nonfinite": [
            from_onset("outputs", nonfinite=7.0),
            from_onset("gradients", gradient_nonfinite=3.0, weight_gradient_nonfinite=5.0),
            from_onset("weights", weight_nonfinite=11.0),
        ],
        "saturated_units": [
            from_onset("saturated_share", activation="tanh", saturated_fraction=share) for share in (0.38, 0.57, 0.93)
        ],
        "stagnant_weights": [
            from_onset("still", update_ratio=4.3e-8),
            from_onset("still", update_ratio=0.0),
            from_onset("restless", update_ratio=0.37),
        ],
        "no_gradient": [
            cut_off(kernels("cut")),
            left_out(kernels("cut")),
            from_onset("zero", weight_gradient_norm=0.0),
        ],
        "collapsed_layer": [from_onset("sample_spread", sample_std=1.7e-5, mean=2.0)],
        "poor_init": [
            kernels("gain_high", weight_norm=lambda step: 77.0),
            kernels("gain_low", weight_norm=lambda step: 0.13),
            kernels("drive", values={"bottleneck": {"input_rms": 300.0}}),
            kernels("equal", values={SICK: {"unit_std": 0.0}}),
        ],
    }
