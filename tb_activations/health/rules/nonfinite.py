"""NaN and infinity: whose weights, then whose outputs, then whose gradients stopped being finite first."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.records import Finding, LayerSpec, Outcome, Severity
from tb_activations.health.rules.base import Evidence, Judged, Rule

OUTPUTS = "outputs not finite"
GRADIENTS = "gradients not finite"
WEIGHTS = "weights not finite"
KINDS = (WEIGHTS, OUTPUTS, GRADIENTS)
"""In the order of cause within one record: it holds the weights as they were before its step."""

_COLUMNS = {
    OUTPUTS: ("nonfinite",),
    GRADIENTS: ("gradient_nonfinite", "weight_gradient_nonfinite"),
    WEIGHTS: ("weight_nonfinite",),
}


@dataclasses.dataclass(frozen=True)
class NonFinite(Rule):
    """Attributes:
    skipped_steps: overflowing gradients under loss scaling in so many observed steps in a row are a problem; fewer are
        the scaler's work, which skips such steps, and a note.
    """

    skipped_steps: float = 10

    id: ClassVar[str] = "nonfinite"
    title: ClassVar[str] = "NaN or infinity"
    source: ClassVar[str] = (
        "IEEE 754: NaN spreads through every later operation; overflow under loss scaling: Micikevicius et al. 2018"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"skipped_steps": (1, 1e6)}

    def judge(self, history: History, earlier: Sequence[Finding | None]) -> list[Judged]:
        counts = {kind: _counts(history, columns) for kind, columns in _COLUMNS.items()}
        is_harmless = not self._reaches_the_loss(history, counts)
        return [
            self._judge_layer(history, row, counts, earlier[row], is_harmless=is_harmless)
            for row in range(len(history.spec.layers))
        ]

    @staticmethod
    def _reaches_the_loss(history: History, counts: Mapping[str, NDArray[np.float64]]) -> bool:
        """Whether anything but outputs on the way is touched: the loss, the last output, a gradient, a weight."""
        outputs = counts[OUTPUTS][~np.isnan(counts[OUTPUTS])]
        last_output = bool(outputs.size) and outputs[-1] > 0
        spread = any(np.any(counts[kind] > 0) for kind in (GRADIENTS, WEIGHTS))
        return bool(spread or last_output or not np.isfinite(history.losses[-1]))

    def _judge_layer(
        self,
        history: History,
        row: int,
        counts: Mapping[str, NDArray[np.float64]],
        earlier: Finding | None,
        *,
        is_harmless: bool,
    ) -> Judged:
        layer = history.spec.layers[row]
        if layer.call_site:
            return Outcome.NOT_APPLICABLE
        own = {kind: float(counts[kind][row]) for kind in KINDS}
        found = [kind for kind in KINDS if own[kind] > 0]
        if not found:
            if earlier and np.any(counts[WEIGHTS] > 0):
                return _unchanged(earlier)
            if all(np.isnan(value) for value in own.values()):
                is_floating = "float" in layer.dtype
                return Outcome.INSUFFICIENT_DATA if is_floating else Outcome.NOT_APPLICABLE
            return Outcome.OK
        checks = earlier.checks + 1 if earlier else 1
        is_skipped = found == [GRADIENTS] and history.loss_scale > 1 and checks < self.skipped_steps
        severity = Severity.NOTE if is_skipped or (is_harmless and found == [OUTPUTS]) else Severity.PROBLEM
        # What was seen first stays named: it is where to look, whatever has followed since.
        first = earlier.quantity if earlier and earlier.quantity in found else found[0]
        since = earlier.since_step if earlier else history.step
        return Evidence(
            severity=severity,
            quantity=first,
            value=own[first],
            threshold=0,
            samples=int(np.nan_to_num(history.latest("elements")[row])),
            checks=checks,
            since_step=since,
            message=_message(history, layer, own[first], found, since, _lost_at_once(history, counts, earlier, first)),
            might_be_wrong=_doubt(is_skipped=is_skipped, is_harmless=is_harmless),
            advice=_advice(layer, first),
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return finding.quantity


def _counts(history: History, columns: Sequence[str]) -> NDArray[np.float64]:
    """`[layers]` sum over columns, NaN where none was measured."""
    table = np.stack([history.latest(column) for column in columns]).astype(np.float64)
    return np.where(np.all(np.isnan(table), axis=0), np.nan, np.nansum(table, axis=0))


def _unchanged(earlier: Finding) -> Evidence:
    """The layer is finite again, but weights are lost for good: where that began stays named."""
    return Evidence(**{field.name: getattr(earlier, field.name) for field in dataclasses.fields(Evidence)})


def _lost_at_once(
    history: History, counts: Mapping[str, NDArray[np.float64]], earlier: Finding | None, first: str
) -> int:
    """How many layers' weights were lost between two observed steps, so that none can be called the first; else 0."""
    lost = int(np.count_nonzero(counts[WEIGHTS] > 0))
    is_new = earlier is None or earlier.opened_step == history.step
    return lost if first == WEIGHTS and is_new and lost > 1 and len(history.steps) > 1 else 0


def _message(
    history: History, layer: LayerSpec, value: float, found: Sequence[str], since: int, lost_at_once: int
) -> str:
    said = f"{value:.0f} of the values of {layer.name} are NaN or infinite ({', '.join(found)}; none is allowed)"
    if not lost_at_once:
        return f"{said}, first seen at step {since}."
    return (
        f"{said}, first seen at step {since}, in {lost_at_once} layers at once: it happened after step "
        f"{history.steps[-2]}, between two observed steps, so another layer may have been the first."
    )


def _doubt(*, is_skipped: bool, is_harmless: bool) -> str:
    if is_skipped:
        return (
            "Loss scaling finds its range by overflowing now and then and skips such steps: harmless unless it lasts."
        )
    if is_harmless:
        return (
            "Loss, gradients and weights are finite: masks of -inf and logarithms of zero probabilities look like this."
        )
    return "Values that a later layer masks out may be harmless; gradients and weights that are not finite never are."


def _advice(layer: LayerSpec, kind: str) -> str:
    if kind == OUTPUTS:
        return (
            f"{layer.name} is where to look: check its inputs for NaN, look for log(0), division by zero, square roots "
            "of negatives and overflow in float16, and lower the learning rate if weights grew before."
        )
    if kind == GRADIENTS:
        return (
            "The forward pass was finite: look for sqrt(0), norms of zero vectors or 0 * inf in the loss and behind "
            f"{layer.name}; clip gradients (clipnorm=1.0) or lower the learning rate."
        )
    return (
        f"The weights of {layer.name} were lost before this step: restart from an earlier checkpoint with a smaller "
        "learning rate or clipnorm=1.0; with update_freq=1 the step that broke them is seen itself."
    )
