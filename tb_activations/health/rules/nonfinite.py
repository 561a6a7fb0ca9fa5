"""NaN and infinity: whose weights, then whose outputs, then whose gradients stopped being finite first."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import Evidence, Judged, Rule
from tb_activations.health.rules.nan_origin import Origin, Seen, origin_at
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import LayerSpec

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


LOST = " Its weights have been lost since."
BY_DATA = "given input data that are not finite"
AGAIN = " Seen again at step "


@dataclasses.dataclass(frozen=True)
class _Sighting:
    """How many values of which kind were first seen not to be finite, and at which step."""

    kind: str
    value: float
    step: int


@dataclasses.dataclass(frozen=True, eq=False)
class _Scene:
    """The latest step, as all layers need it.

    Attributes:
        counts: by kind `[layers]`, NaN where not measured.
        reaches_the_loss: whether more is touched than outputs on the way.
        began: the finding from before this step that tells where NaN began, None without one.
    """

    history: History
    counts: Mapping[str, NDArray[np.float64]]
    reaches_the_loss: bool
    began: Finding | None
    _known: dict[int, Seen | None] = dataclasses.field(default_factory=dict)

    def origin(self, step: int, *, is_skipped: bool) -> Seen | None:
        """What an observed step shows of where NaN began, None where it is no longer kept.

        Of a step that loss scaling skipped only the data are to be blamed.
        """
        if step not in self._known:
            places = np.flatnonzero(self.history.steps == step)
            self._known[step] = origin_at(self.history, int(places[-1])) if places.size else None
        seen = self._known[step]
        return None if is_skipped and seen is not None and seen.origin is not Origin.DATA else seen


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
        scene = _Scene(history, counts, self._reaches_the_loss(history, counts), _first_seen(earlier))
        return [self._judge_layer(scene, row, earlier[row]) for row in range(len(history.spec.layers))]

    def again(self, evidence: Evidence, first: Finding, latest: Finding | None) -> Evidence:
        """What comes back is still told by where it was first seen."""
        if latest is not None and (latest.severity is not Severity.NOTE or evidence.severity is Severity.NOTE):
            origin, again = latest.message.removesuffix(LOST).partition(AGAIN)[0], evidence.since_step
            return dataclasses.replace(_first(evidence, latest), message=f"{origin}{AGAIN}{again}.")
        told = f" It is not the first time: {first.quantity} at step {first.since_step}."
        return dataclasses.replace(evidence, message=evidence.message + told)

    @staticmethod
    def _reaches_the_loss(history: History, counts: Mapping[str, NDArray[np.float64]]) -> bool:
        """Whether anything but outputs on the way is touched: the loss, the last output, a gradient, a weight."""
        outputs = counts[OUTPUTS][~np.isnan(counts[OUTPUTS])]
        last_output = bool(outputs.size) and outputs[-1] > 0
        spread = any(np.any(counts[kind] > 0) for kind in (GRADIENTS, WEIGHTS))
        return bool(spread or last_output or not np.isfinite(history.losses[-1]))

    def _judge_layer(self, scene: _Scene, row: int, earlier: Finding | None) -> Judged:
        history, counts = scene.history, scene.counts
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
        is_harmless = not scene.reaches_the_loss and found == [OUTPUTS]
        is_skipped = found == [GRADIENTS] and history.loss_scale > 1 and checks < self.skipped_steps
        severity = Severity.NOTE if is_skipped or is_harmless else Severity.PROBLEM
        doubt = _doubt(is_skipped=is_skipped, is_harmless=is_harmless)
        if earlier and not _was_harmless(earlier, severity):
            return self._lasting(scene, layer, earlier, severity, doubt, has_lost=WEIGHTS in found)
        # A mask of -inf that was there all along is not where NaN began.
        kind = next((kind for kind in found if not (earlier and kind == OUTPUTS)), found[0])
        seen = _Sighting(kind, own[kind], history.step)
        origin = scene.origin(history.step, is_skipped=is_skipped)
        return Evidence(
            severity=severity,
            quantity=kind,
            value=seen.value,
            threshold=0,
            samples=int(np.nan_to_num(history.latest("elements")[row])),
            checks=checks,
            since_step=history.step,
            message=_message(scene, layer, seen, found, origin),
            might_be_wrong=doubt,
            advice=_advice(scene, layer, kind, origin),
        )

    @staticmethod
    def _lasting(
        scene: _Scene, layer: LayerSpec, earlier: Finding, severity: Severity, doubt: str, *, has_lost: bool
    ) -> Evidence:
        """What was seen first stays named: it is where to look, whatever has followed since."""
        evidence = dataclasses.replace(
            _unchanged(earlier), severity=severity, might_be_wrong=doubt, checks=earlier.checks + 1
        )
        message, advice = earlier.message.removesuffix(LOST), earlier.advice
        # Only a later step shows that a figure is measured at all, and so was NaN itself at the first one.
        origin = scene.origin(earlier.since_step, is_skipped=severity is Severity.NOTE)
        if origin is not None and origin.origin is Origin.DATA and BY_DATA not in message:
            seen = _Sighting(earlier.quantity, earlier.value, earlier.since_step)
            again = message.partition(AGAIN)[1:]
            message = "".join((_message(scene, layer, seen, [seen.kind], origin), *again))
            advice = _advice(scene, layer, seen.kind, origin)
        is_lost_since = has_lost and earlier.quantity != WEIGHTS
        return dataclasses.replace(evidence, message=message + LOST if is_lost_since else message, advice=advice)

    @staticmethod
    def headline(finding: Finding) -> str:
        return finding.quantity


def _counts(history: History, columns: Sequence[str]) -> NDArray[np.float64]:
    """`[layers]` sum over columns, NaN where none was measured."""
    table = np.stack([history.latest(column) for column in columns]).astype(np.float64)
    return np.where(np.all(np.isnan(table), axis=0), np.nan, np.nansum(table, axis=0))


def _unchanged(earlier: Finding) -> Evidence:
    """The evidence of the step before once more."""
    return Evidence(**{field.name: getattr(earlier, field.name) for field in dataclasses.fields(Evidence)})


def _first(evidence: Evidence, first: Finding) -> Evidence:
    """The evidence with what an earlier finding says of where and when it was first seen."""
    return dataclasses.replace(
        evidence,
        quantity=first.quantity,
        value=first.value,
        samples=first.samples,
        since_step=first.since_step,
        advice=first.advice,
    )


def _was_harmless(earlier: Finding, severity: Severity) -> bool:
    """Whether outputs that harmed nothing are now among what does, which is then another matter."""
    return earlier.severity is Severity.NOTE and earlier.quantity == OUTPUTS and severity is not Severity.NOTE


def _first_seen(earlier: Sequence[Finding | None]) -> Finding | None:
    """The finding of the step before that tells where NaN began, None where there was nothing but notes."""
    known = [finding for finding in earlier if finding is not None and finding.severity is not Severity.NOTE]
    return min(known, key=lambda finding: finding.since_step, default=None)


def _message(scene: _Scene, layer: LayerSpec, seen: _Sighting, found: Sequence[str], origin: Seen | None) -> str:
    said = (
        f"{seen.value:.0f} of the values of {layer.name} are NaN or infinite ({', '.join(found)}; none is allowed), "
        f"first seen at step {seen.step}"
    )
    if origin is not None and origin.origin is Origin.DATA:
        whom = f"{origin.given} was" if origin.given else "the model was"
        return f"{said}: {whom} {BY_DATA} in that step."
    if scene.began is not None:
        return f"{said}, after {scene.began.layer} ({scene.began.quantity}, step {scene.began.since_step})."
    if origin is not None and origin.origin is Origin.LOSS:
        return f"{said}: all outputs were finite in that step, so it began in the loss."
    if seen.kind != WEIGHTS:
        return f"{said}."
    lost = int(np.count_nonzero(scene.counts[WEIGHTS] > 0))
    layers = f", in {lost} layers at once" if lost > 1 else ""
    before = scene.history.steps[:-1]
    if not len(before):
        return f"{said}{layers}: it was so before the first observed step, and where it began is not known."
    return (
        f"{said}{layers}: it happened after step {before[-1]}, between two observed steps, so where it began is not "
        "known."
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


def _advice(scene: _Scene, layer: LayerSpec, kind: str, origin: Seen | None) -> str:
    if origin is not None and origin.origin is Origin.DATA:
        return (
            "Look at the input data: find the rows that hold NaN or infinity (numpy.isfinite), and leave them out or "
            "fill them. One such row spoils every weight that its batch updates."
        )
    if scene.began is not None:
        return f"Begin with {scene.began.layer}, where it was seen at step {scene.began.since_step}."
    if origin is not None and origin.origin is Origin.LOSS:
        return (
            "Look at the targets and sample weights for NaN or infinity (numpy.isfinite), then at the loss: log(0), "
            "division by zero, sqrt(0), norms of zero vectors, 0 * inf."
        )
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
        f"The weights of {layer.name} were lost before this step, and nothing observed shows by what: look for NaN in "
        "inputs and targets first; with update_freq=1 the step that broke them is seen itself. Restart from an earlier "
        "checkpoint; if a large step was the cause, with a smaller learning rate or clipnorm=1.0."
    )
