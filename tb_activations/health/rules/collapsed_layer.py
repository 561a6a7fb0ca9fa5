"""Layers that output the same for every sample, so that no information about the inputs passes through."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
    ANYWHERE,
    FORWARD,
    HERE,
    Answers,
    AnyFinding,
    Cause,
    Earlier,
    Evidence,
    Explanation,
    Label,
    LayerRule,
    Leader,
    OpenFinding,
    Sign,
    either,
    limit_in_words,
    outcomes_of,
)
from tb_activations.health.rules.window import has_learned, medians, since
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number
from tb_activations.records.specs import LayerSpec

HYSTERESIS = 2.0
SAMPLE_SPREAD = Sign("sample_spread", "spread of outputs over samples, relative to their size")

AT_ENDS, WAKING = 5, 2.0
"""The signal is waking up if the spread grew by this factor from the first to the last checks of the window."""

MASK = -1e6
"""Outputs below this are impossible choices, not values."""

ALL_THE_SAME = 1e-6
"""Outputs with a smaller relative spread over samples are equal within the precision of float32."""


@dataclasses.dataclass(frozen=True)
class CollapsedLayer(LayerRule):
    """The spread is the standard deviation around each unit's mean, divided by the root mean square of all outputs.

    Attributes:
        spread: a median below this is a finding.
        min_checks: observed steps needed.
        min_rows: minimum for the median number of samples (times positions) per step.
    """

    spread: float = 1e-3
    min_checks: float = 10
    min_rows: float = 8

    id: ClassVar[str] = "collapsed_layer"
    title: ClassVar[str] = "Collapsed layer"
    why: ClassVar[str] = "When every input gives the same output, later layers cannot tell samples apart."
    signs: ClassVar[tuple[Sign, ...]] = (SAMPLE_SPREAD,)
    causes: ClassVar[tuple[Cause, ...]] = (
        Cause("unfit_head", HERE),
        Cause("poor_init", FORWARD),
        Cause("dead_units", FORWARD),
        Cause("saturated_units", FORWARD),
        Cause("stuck_gates", FORWARD),
        Cause("vanishing_gradient", ANYWHERE),
        Cause("no_learning", ANYWHERE),
    )
    leader: ClassVar[Leader | None] = "first"
    source: ClassVar[str] = (
        "Roy & Vetterli 2007 (effective rank; this is rank 0); Papyan et al. 2020 (healthy collapse keeps "
        "classes apart); threshold calibrated"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "spread": (0, 1),
        "min_checks": (1, 32),
        "min_rows": (2, 1e9),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "spread": Label("Samples differ less than"),
        "min_checks": Label("Observed steps needed", "steps"),
        "min_rows": Label("Samples needed per step", "samples"),
    }

    def judge(self, history: History, earlier: Earlier) -> Answers:
        table = _spreads(history)
        values, counts = medians(table)
        has_outputs, rows = np.any(history.stat("elements") > 0, axis=0), _usual_rows(history)
        is_judged, is_known = history.is_whole & has_outputs, either(np.zeros(len(values), bool), earlier)
        is_unsure = (counts < self.min_checks) | (rows < self.min_rows)
        if history.has_lost_weights:
            # What is open stays as it was.
            is_unsure[:] = True
        outcomes = outcomes_of((~is_judged, Outcome.NOT_APPLICABLE), (is_unsure, Outcome.INSUFFICIENT_DATA))
        limits = self.spread * np.where(is_known, HYSTERESIS, 1)
        # Next to a mask of -1e9, the differences of other outputs are too small to be seen.
        is_masked = (np.nan_to_num(history.stat("min")[-1], nan=0.0) < MASK) & (values > 0)
        flat = np.flatnonzero(is_judged & ~is_unsure & ~is_masked & (values < limits))
        # A small head answers nearly the same at first. It has not collapsed while its answers move apart.
        new = flat[~is_known[flat]]
        if new.size:
            waking = new[_is_waking(table[:, new])]
            outcomes[waking] = Outcome.INSUFFICIENT_DATA
            flat = flat[~np.isin(flat, waking)]
        is_passing = values >= self.spread * HYSTERESIS
        passes: list[bool] = np.asarray(history.graph.reaches[flat][:, is_passing].any(axis=1)).tolist()
        learned = has_learned(history)
        found = {
            row: self._evidence(
                history, row, table, float(values[row]), earlier.get(row), passes=passed, learned=learned
            )
            for row, passed in zip(flat.tolist(), passes, strict=True)
        }
        return Answers(outcomes, found)

    def _evidence(
        self,
        history: History,
        row: int,
        table: NDArray[np.float64],
        value: float,
        earlier: OpenFinding | None,
        *,
        passes: bool,
        learned: bool,
    ) -> Evidence:
        layer = history.spec.layers[row]
        closing = self.spread * HYSTERESIS if layer.units else self.spread
        if earlier:
            began, checks = earlier.since_step, earlier.checks + 1
        else:
            flags = table[:, row] < self.spread * HYSTERESIS
            began, checks = since(history, flags), int(np.count_nonzero(flags))
        return Evidence(
            severity=_severity(layer, passes=passes, learned=learned),
            sign=SAMPLE_SPREAD,
            value=value,
            threshold=self.spread,
            samples=int(history.row_sums[row]),
            checks=checks,
            since_step=began,
            explain=functools.partial(
                _explain,
                layer,
                value,
                self.spread,
                closing,
                began,
                passes=passes,
                is_given=bool(history.once("given", _is_given)[row]),
            ),
            closing_threshold=closing,
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"same output for every sample (spread {number(finding.value)})"

    @staticmethod
    def bearing(value: float) -> float:
        return float(value < ALL_THE_SAME)

    @staticmethod
    def can_cause(finding: AnyFinding, effect: str) -> bool:
        del effect
        # Outputs that differ a little still carry a signal; equal ones do not.
        return finding.severity is not Severity.NOTE and finding.value < ALL_THE_SAME

    @staticmethod
    def can_follow(finding: AnyFinding, cause: str) -> bool:
        # A signal that fades leaves outputs that hardly differ, not equal ones.
        return cause != "vanishing_gradient" or finding.value >= ALL_THE_SAME


def _spreads(history: History) -> NDArray[np.float64]:
    """`[checks kept, layers]`; 0 where all outputs are zero, NaN where not measured or not finite."""
    spread, mean, std = (history.stat(name).astype(np.float64) for name in ("sample_std", "mean", "std"))
    size = np.hypot(mean, std)
    result = np.full(size.shape, np.nan)
    np.divide(spread, size, out=result, where=np.isfinite(spread) & (size > 0))
    return np.where((size == 0) & np.isfinite(spread), 0.0, result)


def _usual_rows(history: History) -> NDArray[np.float64]:
    """`[layers]` number of samples (times positions) per step; of layers without units, number of samples."""
    rows: NDArray[np.float64] = np.median(history.rows, axis=0)
    samples = history.total("samples")
    if not np.isfinite(samples).any():
        return rows
    # All elements of a layer without units are one row each, so that one sample would count as many.
    return np.where(history.units_of > 0, rows, np.fmin(rows, np.nanmedian(samples)))


def _is_waking(table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`[layers]`: whether the spread grows over the window and is more than rounding at its end."""
    first, last = medians(table[:AT_ENDS])[0], medians(table[-AT_ENDS:])[0]
    result: NDArray[np.bool_] = (last > ALL_THE_SAME) & (last > WAKING * first)
    return result


def _severity(layer: LayerSpec, *, passes: bool, learned: bool) -> Severity:
    if _normalizes_one_value(layer):
        # On purpose nobody does that, whatever path the rest of the signal takes.
        return Severity.WARNING if passes or learned else Severity.PROBLEM
    if passes:
        return Severity.NOTE
    return Severity.WARNING if learned else Severity.PROBLEM


def _normalizes_one_value(layer: LayerSpec) -> bool:
    """Whether a normalization covers a single value, so that the output is the layer's offset, or 1 of a softmax."""
    if _is_softmax_of_one(layer):
        return True
    if layer.class_name == "LayerNormalization":
        axis, last = layer.config.get("axis", -1), len(layer.output_shape) - 1
        is_last = axis in (-1, last, (-1,), (last,))
        return layer.units == 1 and is_last and not layer.config.get("rms_scaling", False)
    positions = layer.output_shape[1:-1]
    groups = layer.config.get("groups", 0)
    is_group = layer.class_name == "GroupNormalization" and groups in (-1, layer.units)
    return is_group and layer.units > 0 and all(length == 1 for length in positions)


def _is_softmax_of_one(layer: LayerSpec) -> bool:
    axis, last = layer.config.get("axis", -1), len(layer.output_shape) - 1
    return layer.activation == "softmax" and layer.units == 1 and axis in (-1, last)


def _explain(
    layer: LayerSpec, value: float, threshold: float, closing: float, began: int, *, passes: bool, is_given: bool
) -> Explanation:
    limit = limit_in_words(threshold, closing, is_eased=value >= threshold)
    return Explanation(
        message=(
            f"{layer.name} outputs the same for every sample: outputs differ by {number(value)} of their size "
            f"({limit}), since step {began}."
        ),
        might_be_wrong=(
            "Later layers do tell samples apart, so the signal takes another path: an intended constant (a learned "
            "token, a positional code) looks like this."
            if passes
            else "Batches of identical samples, or inputs without signal, look the same."
        ),
        advice=_advice(layer, is_given=is_given),
    )


def _is_given(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether neither the layer nor one before it has weights, so that only data and formulas form it."""
    has_weights = np.array([layer.parameters > 0 for layer in history.spec.layers], bool)
    result: NDArray[np.bool_] = ~has_weights & ~history.graph.reaches[has_weights].any(axis=0)
    return result


def _advice(layer: LayerSpec, *, is_given: bool) -> str:
    if _is_softmax_of_one(layer):
        return (
            f"{layer.name} is a softmax over one value, which is always 1. Apply it along the axis of what is chosen "
            "from, such as keras.layers.Softmax(axis=1) over time steps, or use sigmoid for a single share."
        )
    if _normalizes_one_value(layer):
        return (
            f"{layer.name} normalizes over one value, which leaves nothing of it. Normalize over more of them: join "
            "the features before, or standardize each one over the samples (keras.layers.Normalization, "
            "BatchNormalization)."
        )
    if is_given:
        return (
            f"No layer with weights comes before {layer.name}, so the model is given the same for every sample. Look "
            "at the inputs as they reach the model: numbers that were divided as integers, one row or text for all, a "
            "column that was filled with a constant, or a mask or product with zeros before this layer."
        )
    return (
        f"Initialize {layer.name} and the layers before it so that they keep the size of the signal (he_normal for "
        "relu, glorot_uniform for tanh), and standardize inputs that vary less than their mean. Otherwise look for a "
        "kernel of zeros, a product with zeros, dead or saturated units before it, or a penalty (weight decay, "
        "activity regularization) so strong that a constant output is best."
    )
