"""The description of a run: what stays the same from one recorded step to the next."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Mapping
from typing import Any, TypeAlias

ConfigValue: TypeAlias = bool | int | float | str | tuple[bool | int | float | str, ...]
Config: TypeAlias = Mapping[str, ConfigValue]
"""What a layer or an optimizer was made with, by the names of its `get_config`."""
CUT = "..."
"""A member that is true if others were left out for lack of room."""


@dataclasses.dataclass(frozen=True)
class LayerSpec:
    """One row of the layer table.

    Attributes:
        name: unique in the run: the names from the model down to the layer joined by "/"; a single call of a
            layer that is called several times in a step has "@1", "@2", ... after it.
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
        is_output: whether a functional or sequential model returns the output, also if other layers take it; false for
            other models, and in runs of version 0.9.9 and earlier.
        part_of: name of the layer that this is a part of (a cell of a recurrent layer, a gate of a cell); "" for
            a layer.
        not_observed: why the layer has no statistics ("" if it has).
        config: what the layer was made with, such as its initializers and rates; empty for single calls of a layer,
            for models, where it is unknown, and in runs of version 0.8 and earlier.
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
    is_output: bool = False
    part_of: str = ""
    not_observed: str = ""
    config: Config = dataclasses.field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether the row is a layer: neither a single call nor a part of one."""
        return not self.call_site and not self.part_of


@dataclasses.dataclass(frozen=True)
class WeightSpec:
    """One row of the weight table: a trainable weight that the optimizer updates.

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
class FragileOperation:
    """An operation of the user's code, or of a loss, that is not finite or has no finite slope for every number.

    Attributes:
        kind: what it is in words, such as "logarithm".
        place: the function and line that contain it, such as "my_loss (train.py:41)" or "keras.losses.poisson".
        takes: name of the layer whose outputs it takes, in part or with a constant added; "" if it takes anything else.
        before: name of the layer whose outputs are computed from it, directly or within that layer; "" for the loss.
    """

    kind: str
    place: str
    takes: str = ""
    before: str = ""


@dataclasses.dataclass(frozen=True)
class GradientCut:
    """Why no gradient reaches a layer.

    Attributes:
        layer: its name.
        kind: the first operation behind it that has no gradient, in words, such as "argmax"; "" if nothing in the loss
            is computed from its outputs.
        place: as of `FragileOperation`; "" if unknown.
    """

    layer: str
    kind: str = ""
    place: str = ""


@dataclasses.dataclass(frozen=True)
class AllPairs:
    """An operation of the loss on a vector of shape (batch,) and a column of shape (batch, 1): its result is a matrix.

    Attributes:
        kind: what it is in words, such as "subtraction".
        place: as of `FragileOperation`.
        vector, column: name of the last layer that each is computed from, "" if it holds data.
        weighs: whether one only weighs what the other already has of outputs and data.
    """

    kind: str
    place: str
    vector: str = ""
    column: str = ""
    weighs: bool = False


SEVERAL = " + "
"""Between the names of several models that a run records; their names precede those of their layers."""


@dataclasses.dataclass(frozen=True)
class RunSpec:
    """What stays the same over a run: the rows of its tables and how it was judged and written.

    Attributes:
        model: its name; with `SEVERAL`, of several.
        layers: rows in call order; single calls follow the layer they belong to.
        thresholds: rule id to parameter name to value, as the rules were run.
        cadence: the callback's arguments that decide which steps are observed.
        versions: name of a package to its version.
        loss: name of the compiled loss in `keras.losses`, "" if it is unknown or not the only one.
        from_logits: whether that loss takes logits.
        optimizer: `class_name` and configuration of the optimizer, without a constant learning rate; of several, the
            last one of a step. Empty where it is unknown.
        fragile_operations: those of the loss first; empty in eager steps, and in runs of version 0.9.9 and earlier.
        all_pairs: operations of the loss that combine each sample with every other one by accident; empty in eager
            steps, and in runs of version 0.9.10 and earlier.
        gradient_cuts: of layers with weights that have no gradient, in call order; empty in the same cases.
    """

    model: str
    layers: tuple[LayerSpec, ...]
    weights: tuple[WeightSpec, ...] = ()
    thresholds: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    cadence: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    loss: str = ""
    from_logits: bool = False
    optimizer: Config = dataclasses.field(default_factory=dict)
    fragile_operations: tuple[FragileOperation, ...] = ()
    all_pairs: tuple[AllPairs, ...] = ()
    gradient_cuts: tuple[GradientCut, ...] = ()

    def layer_index(self, name: str) -> int:
        """Row of the layer called `name`. Raises KeyError naming the layers there are."""
        for index, layer in enumerate(self.layers):
            if layer.name == name:
                return index
        raise KeyError(f"no layer {name!r}; the layers are {', '.join(layer.name for layer in self.layers)}")

    def unit_slice(self, index: int) -> slice:
        """The place of the units of layer row `index` in the unit vectors of a record."""
        return self._unit_slices[index]

    @property
    def unit_count(self) -> int:
        return self._unit_slices[-1].stop if self.layers else 0

    @functools.cached_property
    def _unit_slices(self) -> tuple[slice, ...]:
        ends = itertools.accumulate((layer.units for layer in self.layers), initial=0)
        return tuple(slice(start, end) for start, end in itertools.pairwise(ends))
