"""The order of the values in the vectors that an observed step returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tb_activations.records.columns import TIME_BINS
from tb_activations.records.specs import AllPairs, Config, FragileOperation, GradientCut

DATA_KINDS = ("input", "target", "output", "sample_weight")
"""The data of a step whose range is measured: minimum, maximum and number of values that are not finite."""

HEADER = (
    *("layout", "loss_seen", "loss", "learning_rate", "loss_scale", "samples", "input_rms", "constant_loss"),
    *("first_learning_rate", "nonfinite_replica"),
    *(f"{kind}_{name}" for kind in DATA_KINDS for name in ("min", "max", "nonfinite")),
    *("log_z", "log_z_max", "logit_rms"),
    *("target_sum_min", "target_sum_max"),
)
BATCH_ROWS = (
    *("input_row", "input_rows", "output_row", "output_rows"),
    *("gradient_row", "gradient_norm", "gradient_whole", "gradient_rows"),
)
"""Which rows of the batch stand out; these values follow the header."""
ACTIVATION_STATISTICS = (
    "elements",
    "mean",
    "std",
    "min",
    "max",
    "nonzero",
    "nonfinite",
    "sample_std",
    "unit_std",
    "saturated",
    "kurtosis",
)
HEAD_STATISTICS = (
    "logit_max",
    "attention_entropy",
    "heaviest_key",
    "head_similarity",
    "similar_head",
    "similar_other",
)
"""Of attention, in addition to `ACTIVATION_STATISTICS`."""
GRADIENT_STATISTICS = ("elements", "norm", "abs_sum", "nonfinite")
WEIGHT_STATISTICS = (
    "elements",
    "gradient_norm",
    "gradient_abs_sum",
    "gradient_nonfinite",
    "norm",
    "nonfinite",
    "update_norm",
    "momentum_cosine",
    "surprise",
    "starved",
)

HISTOGRAM_EDGES, HISTOGRAM_BUCKETS = 2, 30
"""A packed histogram holds its lowest and highest edge, then the counts."""

SEQUENCE_VALUES = 1 + 4 * TIME_BINS
"""Of a cell over time: number of time steps; elements and root mean square of each bin, of outputs and gradients."""

MAX_UNITS = 16_384
"""Layers with more units than this (large vocabularies) have statistics of the whole layer only, none per unit."""


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a layer in a step.

    Attributes:
        number: 1 for the layer's first call in the step.
        shape: of the output as traced, None for axes that vary; empty if even the rank is unknown.
        units: length of the unit axis; 0 without statistics per unit.
        inputs: names of the observed layers whose outputs the call was computed from.
        is_gate: whether the output is multiplied by the output of another layer.
        is_output: whether the model is known to return the output.
        part_of: name of the layer that this is a part of, such as the recurrent layer of a cell; "" for a layer.
        is_cell: whether it runs at every time step of a recurrent layer, and so has values over time.
        input_place: what the size of the call's input is known from: the place of the call whose output it is, or, from
            the number of calls on, of an input that was measured on its own; None if it is unknown.
        config: what the layer was made with.
        map_shape: (samples, height, width, channels) of the feature maps that the step returns; empty for none.
        has_heads: whether the units are the heads of attention, so that `HEAD_STATISTICS` follow.
    """

    name: str
    class_name: str
    number: int
    shape: tuple[int | None, ...]
    dtype: str
    units: int
    activation: str | None
    parameters: int
    trainable: bool
    inputs: tuple[str, ...] = ()
    is_gate: bool = False
    is_output: bool = False
    part_of: str = ""
    is_cell: bool = False
    input_place: int | None = None
    map_shape: tuple[int, ...] = ()
    config: Config = dataclasses.field(default_factory=dict)
    has_heads: bool = False


def places_by_name(calls: Sequence[Call]) -> dict[str, list[int]]:
    """The places of the calls of each layer."""
    places: dict[str, list[int]] = {}
    for place, call in enumerate(calls):
        places.setdefault(call.name, []).append(place)
    return places


@dataclasses.dataclass(frozen=True)
class Weight:
    """One weight that the step trains; `layer` is "" for a weight that no observed layer owns."""

    name: str
    layer: str
    shape: tuple[int, ...]
    has_gradient: bool


@dataclasses.dataclass(frozen=True)
class Unobserved:
    """A chosen layer without statistics, and why."""

    name: str
    class_name: str
    parameters: int
    trainable: bool
    reason: str
    config: Config = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Layout:
    """The order of everything in the packed vectors: header, calls, inputs, weights.

    Each call has the statistics of its output, those of heads if it has them, those of the gradient at its output, and
    per unit the active share and the peak. Each input has its number of finite elements and their norm.

    Attributes:
        inputs: number of inputs that were measured on their own.
        loss: name of the compiled loss function, "" if it is unknown or not the only one.
        from_logits: whether that loss takes logits.
        optimizer: what the optimizer was made with.
        fragile_operations: those that may make outputs or the loss non-finite.
        all_pairs: those of the loss that combine each sample with every other one by accident.
        gradient_cuts: where the gradient ends of layers with weights that have none.
        clipnorm, global_clipnorm: norms to which the optimizer clips the gradient of each weight, and of all together.
    """

    calls: tuple[Call, ...]
    weights: tuple[Weight, ...]
    unobserved: tuple[Unobserved, ...]
    inputs: int = 0
    loss: str = ""
    from_logits: bool = False
    optimizer: Config = dataclasses.field(default_factory=dict)
    fragile_operations: tuple[FragileOperation, ...] = ()
    all_pairs: tuple[AllPairs, ...] = ()
    gradient_cuts: tuple[GradientCut, ...] = ()
    clipnorm: float | None = None
    global_clipnorm: float | None = None
