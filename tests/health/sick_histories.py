"""Synthetic trainings for every rule, in which it must find a sick layer since a known step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tb_activations.records.columns import STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.finding import WHOLE
from tb_activations.records.specs import AllPairs, LayerSpec, RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import BATCH, chain, record

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
        layer: the sick one, `WHOLE` for a fault of the training as a whole.
    """

    spec: RunSpec
    records: Sequence[StepRecord]
    sign: str
    since: int = ONSET
    slack: int = 0
    layer: str = SICK


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


def gate(name: str, sign: str, **values: float) -> SickHistory:
    """A gate of the sick layer has these values from the start."""
    is_switch = name != "candidate"
    activation, kind = ("sigmoid", "Gate") if is_switch else ("tanh", "Candidate")
    part = LayerSpec(f"{SICK}/{name}", kind, units=10, activation=activation, is_gate=is_switch, part_of=SICK)
    spec = chain(*LAYERS)
    spec = dataclasses.replace(spec, layers=(*spec.layers, part))
    sick = {"saturated_fraction": 0.0, **values}
    records = [record(spec, step, values={part.name: sick}) for step in STEPS]
    return SickHistory(spec, records, sign, since=0, layer=part.name)


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


def whole(sign: str, records: Sequence[StepRecord], since: int = ONSET, spec: RunSpec | None = None) -> SickHistory:
    """A training with a fault that concerns no single layer."""
    return SickHistory(spec or chain(*LAYERS), records, sign, since, layer=WHOLE)


def totals(values: Mapping[str, float] | None = None, *, since: int = ONSET, loss: float = 1.0) -> list[StepRecord]:
    """Records of healthy layers, with this loss and these totals from step `since` on."""
    spec = chain(*LAYERS)
    return [
        record(spec, step, loss=loss if step >= since else 1.0, totals=values if step >= since else None)
        for step in STEPS
    ]


def misfit(sign: str, activation: str, loss: str, **values: float) -> SickHistory:
    """The last layer of a network whose targets or outputs have these ranges does not fit the loss."""
    head = LayerSpec(SICK, "Dense", 0, (None, 3 if values else 1), "float32", 3, activation, 100, trainable=True)
    spec = RunSpec("made_up", (*chain("encoder", "decoder", "none").layers[:2], head), loss=loss)
    # A class that the head does not have gives no finite loss.
    lost = math.nan if sign == "classes" else 1.0
    return SickHistory(spec, [record(spec, step, totals=values, loss=lost) for step in STEPS], sign, 0)


def over_samples() -> SickHistory:
    """The softmax of the last layer compares the samples of a batch: the mean of its outputs is one in a hundred."""
    history = misfit("batch_axis", "softmax", "categorical_crossentropy", target_min=0.0, target_max=1.0)
    values = {SICK: {"mean": 1 / BATCH, "min": 0.0, "max": 0.7}}
    records = [record(history.spec, step, values=values) for step in STEPS]
    return dataclasses.replace(history, records=records, since=4 * EVERY)


def moving(sign: str, ratio: float, rate: Callable[[int], float], since: int = 0, cosine: float = 0.5) -> SickHistory:
    """Every kernel moves by `ratio` of its norm in every step, and the loss stays at that of a constant."""
    history = kernels(sign)
    records = []
    for entry in history.records:
        table, values = entry.weights.copy(), entry.totals.copy()
        table[:, WEIGHT_COLUMNS.index("update_ratio")] = ratio
        table[:, WEIGHT_COLUMNS.index("momentum_cosine")] = cosine
        values[STEP_COLUMNS.index("learning_rate")] = rate(entry.step)
        values[STEP_COLUMNS.index("constant_loss")] = 1.0
        records.append(dataclasses.replace(entry, weights=table, totals=values))
    return whole(sign, records, since, history.spec)


def leaping() -> SickHistory:
    """The fifth step of Adam moves every kernel by 2.9 times its norm."""
    history = moving("leap", 0.013, lambda step: 3.0)
    spec, records = dataclasses.replace(history.spec, optimizer={"class_name": "Adam"}), list(history.records)
    table = records[4].weights.copy()
    table[:, WEIGHT_COLUMNS.index("update_ratio")] = 2.9
    records[4] = dataclasses.replace(records[4], weights=table)
    return dataclasses.replace(history, spec=spec, records=records)


def heads(
    sign: str, values: Callable[[int], Mapping[str, float]], *, since: int = ONSET, slack: int = 0
) -> SickHistory:
    """The heads of the sick layer have these values by step."""
    part = LayerSpec(f"{SICK}/heads", "AttentionHeads", units=4, part_of=SICK)
    spec = chain(*LAYERS)
    spec = dataclasses.replace(spec, layers=(*spec.layers, part))
    records = [record(spec, step, values={part.name: values(step)}) for step in STEPS]
    return SickHistory(spec, records, sign, since=since, slack=slack, layer=part.name)


def in_pairs() -> SickHistory:
    pairs = AllPairs("subtraction", "my_loss (train.py:41)", "", LAYERS[-1])
    spec = dataclasses.replace(chain(*LAYERS), all_pairs=(pairs,))
    return whole("all_pairs", [record(spec, step) for step in STEPS], since=0, spec=spec)


def histories() -> Mapping[str, Sequence[SickHistory]]:
    """The synthetic trainings by rule id."""
    steep = [record(chain(*LAYERS), step, values={SICK: {"weight_gradient_norm": 9.0}}) for step in STEPS]
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
            kernels("weights", since=ONSET, weight_norm=lambda step: 1730.0 if step >= ONSET else 4.0),
            from_onset(
                "loss", loss=lambda step: 1.0 if step < ONSET else 457.0, weight_gradient_norm=9.0, update_ratio=0.7
            ),
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
        "stuck_gates": [
            gate("input_gate", "closed", saturated_fraction=0.97, mean=0.01),
            gate("update_gate", "open", saturated_fraction=0.98, mean=0.99),
            gate("candidate", "constant", sample_std=3.7e-5),
        ],
        "stagnant_weights": [
            from_onset("still", update_ratio=4.3e-8),
            from_onset("still", update_ratio=0.0),
            from_onset("restless", update_ratio=0.37),
            left_out(kernels("left_out")),
        ],
        "no_gradient": [
            cut_off(kernels("cut")),
            from_onset("zero", weight_gradient_norm=0.0),
            from_start(from_onset("idle", elements=0.0)),
        ],
        "collapsed_layer": [from_onset("sample_spread", sample_std=1.7e-5, mean=2.0)],
        "poor_init": [
            kernels("gain_high", weight_norm=lambda step: 77.0),
            kernels("gain_low", weight_norm=lambda step: 0.13),
            kernels("drive", values={"bottleneck": {"input_rms": 300.0}}),
            kernels("equal", values={SICK: {"unit_std": 0.0}}),
        ],
        "unfit_head": [
            misfit("one_unit", "softmax", ""),
            misfit("reach", "tanh", "mean_squared_error", target_min=-11.0, target_max=37.0),
            misfit("classes", "softmax", "sparse_categorical_crossentropy", target_max=5.0),
            misfit("target_probability", "sigmoid", "binary_crossentropy", target_min=-1.7, target_max=1.0),
            misfit("output_probability", "linear", "binary_crossentropy", output_min=-2.3, output_max=1.0),
            misfit("target_sum", "softmax", "categorical_crossentropy", target_sum_min=1.0, target_sum_max=3.0),
            over_samples(),
        ],
        "attention_logits": [
            heads("logit", lambda step: {"logit_max": 3.0 if step < ONSET else 137.0}, slack=2),
            heads("logit", lambda step: {"logit_max": 3.0 if step < ONSET else 4300.0}, slack=2),
        ],
        "attention_collapse": [
            heads("entropy", lambda step: {"attention_entropy": 0.8 if step < ONSET else 0.017}, slack=4),
            heads(
                "similarity", lambda step: {"head_similarity": 0.9999, "similar_head": 1, "similar_other": 3}, since=0
            ),
        ],
        "outliers": [dataclasses.replace(from_onset("range", max=150.0), slack=6)],
        "nonfinite_data": [
            whole(name, totals({f"{column}_nonfinite": 7.0}, loss=math.nan))
            for name, column in (("inputs", "input"), ("targets", "target"), ("sample_weights", "sample_weight"))
        ],
        "nonfinite_loss": [whole("loss", totals(loss=math.inf))],
        "learning_rate": [
            moving("zero", 0.0, lambda step: 0.0),
            moving("too_low", 4.3e-8, lambda step: 1e-9),
            dataclasses.replace(moving("decayed", 1e-7, lambda step: 0.1 if step < ONSET else 1.7e-5), since=ONSET),
            moving("too_high", 0.37, lambda step: 3.0, since=16 * EVERY),
            leaping(),
            moving("overshoot", 0.01, lambda step: 3.0, since=16 * EVERY, cosine=-0.77),
        ],
        "no_learning": [whole("loss", totals(), since=31 * EVERY), in_pairs()],
        "loss_spike": [
            whole("loss", totals(since=60, loss=7.3), since=60),
            whole("gradient", [*totals()[:20], *steep[20:]], since=60),
        ],
    }
