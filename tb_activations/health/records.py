"""What passes between the parts: the description of a run, one observed step, one finding.

Everything here is plain data on numpy; nothing knows of TensorFlow or of event files.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LAYER_COLUMNS = (
    "elements",
    "mean",
    "std",
    "min",
    "max",
    "zero_fraction",
    "nonfinite",
    "silent_fraction",
    "gradient_norm",
    "gradient_mean_abs",
    "gradient_nonfinite",
    "weight_gradient_norm",
    "weight_gradient_mean_abs",
    "weight_gradient_nonfinite",
    "weight_norm",
    "weight_nonfinite",
    "update_ratio",
    "mode_difference",
    "sample_std",
    "unit_std",
    "saturated_fraction",
    "input_rms",
)
"""Columns of the layer table. Activations: `elements` (how many values the layer put out in this step), their
mean, standard deviation, extremes, share of exact zeros, count of NaN and infinities, share of units that were
zero on every sample. `gradient_*`: gradient of the loss with respect to the activation, loss scaling undone.
`weight_*`: all trainable weights of the layer taken together; `update_ratio` is ‖w_after - w_before‖ / ‖w_before‖.
`mode_difference`, only at steps after which the model was probed, is ‖training - inference‖ / ‖inference‖ of the
layer's outputs for the same inputs. `sample_std`: how far outputs spread around the mean of their unit, from sample to
sample; `unit_std`: how far the means of the units spread around each other; `saturated_fraction`: share of outputs of a
bounded activation in the outer 5 % of its range, NaN for other activations; `input_rms`: root mean square of the first
floating-point tensor that the layer was given, NaN where there was none. New columns are appended, never inserted.

Where an activation function is applied outside of its layer, the layer's outputs are those behind the function."""

WEIGHT_COLUMNS = (
    "gradient_norm",
    "gradient_mean_abs",
    "gradient_nonfinite",
    "weight_norm",
    "weight_nonfinite",
    "update_ratio",
)
STEP_COLUMNS = ("loss", "learning_rate", "epoch", "samples", "loss_scale", "reconstruction_error", "input_rms")
"""`samples` is the number of rows in the step's batch (all replicas); `epoch` counts from 0; `reconstruction_error`, of
autoencoders and only at steps after which the model was probed, is the mean squared error on the probe data;
`input_rms` is the root mean square of the model's first floating-point input."""

HISTOGRAM_KINDS = ("activation", "gradient")
HISTOGRAM_BUCKETS = 30


class Severity(enum.StrEnum):
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


class Outcome(enum.IntEnum):
    """What one rule said of one layer at one step; the number is what the event file holds."""

    OK = 0
    NOTE = 1
    WARNING = 2
    PROBLEM = 3
    NOT_APPLICABLE = 4
    INSUFFICIENT_DATA = 5
    ERROR = 6


@dataclasses.dataclass(frozen=True)
class LayerSpec:
    """One row of the layer table.

    Attributes:
        name: unique in the run: the names from the model down to the layer joined by "/"; a single call of a
            layer that is called several times in a step has "@1", "@2", ... behind it.
        class_name: the layer's Python class.
        call_site: 0 for the layer as a whole, k for its k-th call in a step.
        output_shape: as traced, None where it varies; empty when the layer could not be observed.
        dtype: of the output.
        units: length of the feature axis, 0 where units are not tracked.
        activation: name of the activation function the layer ends in, None where it has none or it is unknown.
        parameters: number of weights, trainable or not.
        trainable: whether any weight of the layer is trained.
        inputs: names of the layers whose outputs this one was computed from, directly or through plain operations;
            empty where that is unknown (eager steps) or the data come from outside.
        is_gate: whether the output is multiplied with that of another layer, as in squeeze-and-excite blocks.
        not_observed: why the layer has no figures ("" if it has).
    """

    name: str
    class_name: str
    call_site: int = 0
    output_shape: tuple[int | None, ...] = ()
    dtype: str = "float32"
    units: int = 0
    activation: str | None = None
    parameters: int = 0
    trainable: bool = False
    inputs: tuple[str, ...] = ()
    is_gate: bool = False
    not_observed: str = ""


@dataclasses.dataclass(frozen=True)
class WeightSpec:
    """One row of the weight table: a trainable weight that the optimizer was handed.

    Attributes:
        name: the layer's name, "/", the weight's own name.
        layer: name of the row of the layer table it belongs to, "" for a weight of no observed layer.
        has_gradient: False when the step computed no gradient for it (`None`).
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    has_gradient: bool = True


@dataclasses.dataclass(frozen=True)
class RunSpec:
    """What stays the same over a run: the rows of its tables and how it was judged and written.

    Attributes:
        layers: rows in call order; single calls stand behind the layer they belong to.
        thresholds: rule id to parameter name to value, as the rules were run.
        cadence: the callback's arguments that decide which steps are observed.
        versions: name of a package to its version.
    """

    model: str
    layers: tuple[LayerSpec, ...]
    weights: tuple[WeightSpec, ...] = ()
    thresholds: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    cadence: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def layer_index(self, name: str) -> int:
        """Row of the layer called `name`. Raises KeyError naming the layers there are."""
        for index, layer in enumerate(self.layers):
            if layer.name == name:
                return index
        raise KeyError(f"no layer {name!r}; the layers are {', '.join(layer.name for layer in self.layers)}")

    def unit_slice(self, index: int) -> slice:
        """Where the units of layer row `index` stand in the unit vectors of a record."""
        start = sum(layer.units for layer in self.layers[:index])
        return slice(start, start + self.layers[index].units)

    @property
    def unit_count(self) -> int:
        return sum(layer.units for layer in self.layers)


@dataclasses.dataclass(frozen=True)
class StepRecord:
    """What one observed step left. Missing figures are NaN, never 0.

    Attributes:
        step: optimizer iterations completed before the step; the first step of a training is 0.
        layers: `[layers, LAYER_COLUMNS]` float32.
        weights: `[weights, WEIGHT_COLUMNS]` float32.
        totals: `[STEP_COLUMNS]` float32.
        unit_activity: `[units]` float32 in [0, 1], the share of samples (and positions) on which the unit's
            output was not zero, rounded as the event file stores it.
        unit_peak: `[units]` float32 >= 0, the unit's largest absolute output, rounded as the event file stores it.
    """

    step: int
    layers: NDArray[np.float32]
    weights: NDArray[np.float32]
    totals: NDArray[np.float32]
    unit_activity: NDArray[np.float32]
    unit_peak: NDArray[np.float32]

    def layer(self, column: str) -> NDArray[np.float32]:
        """`[layers]` float32 of one of `LAYER_COLUMNS`."""
        return self.layers[:, LAYER_COLUMNS.index(column)]

    def weight(self, column: str) -> NDArray[np.float32]:
        """`[weights]` float32 of one of `WEIGHT_COLUMNS`."""
        return self.weights[:, WEIGHT_COLUMNS.index(column)]

    def total(self, column: str) -> float:
        """One of `STEP_COLUMNS`, NaN if not measured."""
        return float(self.totals[STEP_COLUMNS.index(column)])


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one layer.

    Attributes:
        quantity: what `value` and `threshold` measure, in words.
        value: the measured figure when the finding was last judged, that of `nonfinite` when it was first seen; may be
            NaN or infinite.
        threshold: the figure it was compared with, eased where the finding lasts below the plain threshold.
        samples: how many samples (for convolutions: positions) the judgement rests on.
        checks: how many observed steps in a row showed it.
        since_step: since when it is so, as far as observed.
        opened_step: at which observed step the rule was sure.
        last_step: the last observed step that confirmed it.
        closed_step: the observed step at which it was gone, None while it lasts.
        units: indices of the units concerned, at most 1,000; `unit_count` is how many there are.
        message: one sentence that names layer, value, threshold and since when.
        might_be_wrong: what could make this a false alarm here.
        advice: what to try, for this layer.
        source: where the rule comes from.
        root: `id` of the finding this one follows from, None for a root.
    """

    rule: str
    layer: str
    severity: Severity
    quantity: str
    value: float
    threshold: float
    samples: int
    checks: int
    since_step: int
    opened_step: int
    last_step: int
    message: str
    might_be_wrong: str
    advice: str
    source: str
    units: tuple[int, ...] = ()
    unit_count: int = 0
    closed_step: int | None = None
    root: str | None = None

    @property
    def id(self) -> str:
        return f"{self.rule}:{self.layer}:{self.opened_step}"
