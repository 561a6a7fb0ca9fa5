"""NaN and infinity in weights, outputs and gradients."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
    Answers,
    Earlier,
    Evidence,
    Explanation,
    Label,
    LayerRule,
    OpenFinding,
    Sign,
    Told,
    outcomes_of,
)
from tb_activations.health.rules.batch_row import bad_replica, bad_row, bad_row_in_words
from tb_activations.health.rules.nan_origin import Origin, Seen, lost_behind, origin_at
from tb_activations.health.rules.suspects import every_suspect, lone_suspect, suspects, to_positive
from tb_activations.health.rules.usual_causes import to_standardize
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import LayerSpec

OUTPUTS = Sign("outputs", "non-finite outputs", "count")
GRADIENTS = Sign("gradients", "non-finite gradients", "count")
WEIGHTS = Sign("weights", "non-finite weights", "count")
KINDS = (WEIGHTS, OUTPUTS, GRADIENTS)
"""In causal order within one record, which holds the weights from before the step."""
_BY_ID = {kind.id: kind for kind in KINDS}

_COLUMNS = {
    OUTPUTS: ("nonfinite",),
    GRADIENTS: ("gradient_nonfinite", "weight_gradient_nonfinite"),
    WEIGHTS: ("weight_nonfinite",),
}


@dataclasses.dataclass(frozen=True)
class _Sighting:
    """The kind and number of non-finite values when they were first seen, and the step."""

    kind: Sign
    value: float
    step: int


@dataclasses.dataclass(frozen=True, eq=False)
class _Scene:
    """Facts about the latest step that concern all layers.

    Attributes:
        counts: by kind, `[layers]` number of non-finite values, NaN if not measured.
        reaches_the_loss: whether more than the outputs of hidden layers is affected.
        began: the earlier finding that names where NaN began, None without one.
    """

    history: History
    counts: Mapping[Sign, NDArray[np.float64]]
    reaches_the_loss: bool
    began: OpenFinding | None
    _known: dict[int, Seen | None] = dataclasses.field(default_factory=dict)

    def origin(self, step: int, *, is_skipped: bool) -> Seen | None:
        """Where NaN began according to an observed step; None if the step is no longer kept.

        In a step that loss scaling skipped, only the data can be the origin.
        """
        if step not in self._known:
            places = np.flatnonzero(self.history.steps == step)
            self._known[step] = origin_at(self.history, int(places[-1])) if places.size else None
        seen = self._known[step]
        return None if is_skipped and seen is not None and seen.origin is not Origin.DATA else seen


@dataclasses.dataclass(frozen=True)
class NonFinite(LayerRule):
    """Attributes:
    skipped_steps: number of observed steps in a row whose gradients must overflow under loss scaling to be a problem.
        Fewer are a note: a loss scaler normally skips some steps.
    """

    skipped_steps: float = 10

    id: ClassVar[str] = "nonfinite"
    title: ClassVar[str] = "NaN or infinity"
    why: ClassVar[str] = (
        "NaN spreads: from the next update on every weight it touches is lost, and further training is wasted."
    )
    signs: ClassVar[tuple[Sign, ...]] = KINDS
    source: ClassVar[str] = (
        "IEEE 754: NaN spreads through every later operation; overflow under loss scaling: Micikevicius et al. 2018"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"skipped_steps": (1, 1e6)}
    labels: ClassVar[Mapping[str, Label]] = {
        "skipped_steps": Label("Overflows in a row under loss scaling until a problem", "steps"),
    }

    def judge(self, history: History, earlier: Earlier) -> Answers:
        counts = {kind: _counts(history, columns) for kind, columns in _COLUMNS.items()}
        scene = _Scene(history, counts, self._reaches_the_loss(history, counts), _first_seen(earlier))
        table = np.stack([counts[kind] for kind in KINDS])
        is_floating = history.once("floating", _is_floating)
        is_unknown: NDArray[np.bool_] = np.asarray(np.isnan(table).all(axis=0))
        outcomes = outcomes_of(
            (~history.is_whole | (is_unknown & ~is_floating), Outcome.NOT_APPLICABLE),
            (is_unknown, Outcome.INSUFFICIENT_DATA),
        )
        is_found = history.is_whole & (table > 0).any(axis=0)
        found = {}
        for row in np.flatnonzero(is_found).tolist():
            found[row] = self._judge_layer(scene, row, earlier.get(row))
        if np.any(counts[WEIGHTS] > 0):
            found |= {row: known.evidence for row, known in earlier.items() if not is_found[row]}
        return Answers(outcomes, found)

    def again(self, evidence: Evidence, first: Finding, latest: Finding | None) -> Evidence:
        """Keeps naming where NaN was first seen when a finding reopens."""
        if latest is not None and (latest.severity is not Severity.NOTE or evidence.severity is Severity.NOTE):
            reopened = _first(evidence, latest)._replace(reopened_step=evidence.since_step)
            return _with_follow_up(reopened, latest.message, latest.follow_up, has_lost=False)
        before = f" Not the first time: {_sign_of(first).title} at step {first.since_step}."
        words = evidence.explain()
        return evidence._replace(explain=Told(words._replace(message=words.message + before)))

    @staticmethod
    def _reaches_the_loss(history: History, counts: Mapping[Sign, NDArray[np.float64]]) -> bool:
        """Whether more than outputs of hidden layers is affected: the loss, the last output, a gradient, a weight."""
        outputs = counts[OUTPUTS][~np.isnan(counts[OUTPUTS])]
        last_output = bool(outputs.size) and outputs[-1] > 0
        spread = any(np.any(counts[kind] > 0) for kind in (GRADIENTS, WEIGHTS))
        return bool(spread or last_output or not np.isfinite(history.losses[-1]))

    def _judge_layer(self, scene: _Scene, row: int, earlier: OpenFinding | None) -> Evidence:
        history, layer = scene.history, scene.history.spec.layers[row]
        own = {kind: float(scene.counts[kind][row]) for kind in KINDS}
        found = [kind for kind in KINDS if own[kind] > 0]
        checks = earlier.checks + 1 if earlier else 1
        is_harmless = not scene.reaches_the_loss and found == [OUTPUTS]
        is_skipped = found == [GRADIENTS] and history.loss_scale > 1 and checks < self.skipped_steps
        severity = Severity.NOTE if is_skipped or is_harmless else Severity.PROBLEM
        doubt = _doubt(is_skipped=is_skipped, is_harmless=is_harmless)
        if earlier and not _was_harmless(earlier, severity):
            return self._lasting(scene, layer, earlier, severity, doubt, has_lost=WEIGHTS in found)
        # A harmless mask of -inf was there before, so NaN did not begin in the outputs.
        kind = next((kind for kind in found if not (earlier and kind == OUTPUTS)), found[0])
        seen = _Sighting(kind, own[kind], history.step)
        origin = scene.origin(history.step, is_skipped=is_skipped)
        if origin is not None and origin.origin is Origin.UNSEEN and layer.name == lone_suspect(history):
            origin = Seen(Origin.SUSPECTED)
        sample = bad_row(history) if kind != WEIGHTS else None
        where = bad_row_in_words(sample, bad_replica(history, history.step))
        message = _message(scene, layer, seen, found, origin) + where
        words = Explanation(message, doubt, _advice(scene, layer, kind, origin))
        return Evidence(
            severity=severity,
            sign=kind,
            value=seen.value,
            threshold=0,
            samples=int(np.nan_to_num(history.latest("elements")[row])),
            checks=checks,
            since_step=history.step,
            explain=Told(words),
            origin=origin.origin.value if origin is not None else "",
            sample_row=sample,
        )

    @staticmethod
    def _lasting(
        scene: _Scene, layer: LayerSpec, earlier: OpenFinding, severity: Severity, doubt: str, *, has_lost: bool
    ) -> Evidence:
        """Keeps naming what was seen first, because the cause is there and not in what followed."""
        words = earlier.evidence.explain()._replace(might_be_wrong=doubt)
        evidence = earlier.evidence._replace(severity=severity, explain=Told(words), checks=earlier.checks + 1)
        # The first step cannot tell a NaN from a missing measurement. A later finite value shows that it was measured.
        origin = scene.origin(earlier.since_step, is_skipped=severity is Severity.NOTE)
        if origin is not None and origin.origin is Origin.DATA and evidence.origin != Origin.DATA.value:
            seen = _Sighting(evidence.sign, earlier.value, earlier.since_step)
            where = bad_row_in_words(evidence.sample_row, bad_replica(scene.history, earlier.since_step))
            words = words._replace(
                message=_message(scene, layer, seen, [seen.kind], origin) + where,
                follow_up="",
                advice=_advice(scene, layer, seen.kind, origin),
            )
            evidence = evidence._replace(explain=Told(words), origin=origin.origin.value)
        is_lost = has_lost and earlier.sign != WEIGHTS.id
        return _with_follow_up(evidence, words.message, words.follow_up, has_lost=is_lost)

    @staticmethod
    def headline(finding: Finding) -> str:
        # A finding stored by another version may have a sign that this version does not know.
        title = _BY_ID[finding.sign].title if finding.sign in _BY_ID else finding.sign
        is_unknown = finding.sign == WEIGHTS.id and finding.origin == Origin.UNSEEN.value and finding.root is None
        return f"{title} of unknown origin" if is_unknown else title


def _counts(history: History, columns: Sequence[str]) -> NDArray[np.float64]:
    """`[layers]` sum over columns, NaN where none was measured."""
    table = np.stack([history.latest(column) for column in columns]).astype(np.float64)
    return np.where(np.all(np.isnan(table), axis=0), np.nan, np.nansum(table, axis=0))


def _with_follow_up(evidence: Evidence, message: str, follow_up: str, *, has_lost: bool) -> Evidence:
    """The evidence with the message of an earlier finding, followed by what happened later."""
    again = f" Seen again at step {evidence.reopened_step}." if evidence.reopened_step is not None else ""
    lost = " Its weights have been lost since." if has_lost else ""
    words = evidence.explain()._replace(message=message.removesuffix(follow_up) + again + lost, follow_up=again + lost)
    return evidence._replace(explain=Told(words))


def _sign_of(finding: Finding | OpenFinding) -> Sign:
    return _BY_ID[finding.sign]


def _first(evidence: Evidence, first: Finding) -> Evidence:
    """The evidence with the place and time of an earlier finding, where NaN was first seen."""
    return evidence._replace(
        sign=_sign_of(first),
        origin=first.origin,
        value=first.value,
        samples=first.samples,
        sample_row=first.sample_row,
        since_step=first.since_step,
        explain=Told(evidence.explain()._replace(advice=first.advice)),
    )


def _was_harmless(earlier: OpenFinding, severity: Severity) -> bool:
    """Whether non-finite outputs that used to be harmless are harmful now."""
    return earlier.severity is Severity.NOTE and earlier.sign == OUTPUTS.id and severity is not Severity.NOTE


def _first_seen(earlier: Earlier) -> OpenFinding | None:
    """The finding of the previous step that names where NaN began, None if there were only notes."""
    known = [earlier[row] for row in sorted(earlier) if earlier[row].severity is not Severity.NOTE]
    return min(known, key=lambda finding: finding.since_step, default=None)


def _is_floating(history: History) -> NDArray[np.bool_]:
    return np.array(["float" in layer.dtype for layer in history.spec.layers], bool)


def _message(scene: _Scene, layer: LayerSpec, seen: _Sighting, found: Sequence[Sign], origin: Seen | None) -> str:
    what = ", ".join(kind.title for kind in found)
    fact = (
        f"{seen.value:.0f} values of {layer.name} are NaN or infinite ({what}; none allowed), first seen at step "
        f"{seen.step}"
    )
    if origin is not None and origin.origin is Origin.DATA:
        return f"{fact}: the input data of {origin.given or 'the model'} were not finite in that step."
    if scene.began is not None:
        began = scene.began
        return f"{fact}, after {began.layer} ({_sign_of(began).title}, step {began.since_step})."
    if origin is not None and origin.origin is Origin.LOSS:
        return f"{fact}: all outputs were finite in that step, so it began in the loss."
    if seen.kind != WEIGHTS:
        return f"{fact}."
    lost = int(np.count_nonzero(scene.counts[WEIGHTS] > 0))
    layers = f", in {lost} layers at once" if lost > 1 else ""
    before = scene.history.steps[:-1]
    when = f"after step {before[-1]}, between two observed steps" if len(before) else "before the first observed step"
    if origin is not None and origin.origin is Origin.SUSPECTED:
        return f"{fact}{layers}: it began {when}, probably in {suspects(scene.history, layer.name)}."
    return f"{fact}{layers}: it began {when}, so its origin is unknown."


def _doubt(*, is_skipped: bool, is_harmless: bool) -> str:
    if is_skipped:
        return (
            "Loss scaling finds its range by overflowing now and then, and skips such steps. Harmless unless it lasts."
        )
    if is_harmless:
        return (
            "Loss, gradients and weights are finite: masks of -inf and logarithms of zero probabilities look like this."
        )
    return "Values that a later layer masks out may be harmless; non-finite gradients and weights never are."


def _precision(history: History, layer: LayerSpec) -> str:
    """Advice for weights kept in float16, which loss scaling would otherwise point out."""
    if layer.dtype != "float16" or history.loss_scale > 1:
        return ""
    return (
        f"Keep the weights of {layer.name} in float32 (dtype policy mixed_float16): float16 ends at 65,504, and rounds "
        "what is below 0.00000006, such as the epsilon of Adam, to 0. "
    )


def _advice(scene: _Scene, layer: LayerSpec, kind: Sign, origin: Seen | None) -> str:
    if origin is not None and origin.origin is Origin.DATA:
        return (
            "Check the input data: find the rows with NaN or infinity (numpy.isfinite) and drop or fill them. One such "
            "row spoils every weight that its batch updates."
        )
    if scene.began is not None:
        return f"Start with {scene.began.layer}, where it was seen at step {scene.began.since_step}."
    if origin is not None and origin.origin is Origin.LOSS:
        named = suspects(scene.history, "") or "log(0), division by zero, sqrt(0), norms of zero vectors, 0 * inf"
        return (
            to_standardize(scene.history)
            + to_positive(scene.history, "")
            + f"Check targets and sample weights for NaN or infinity (numpy.isfinite), then the loss: {named}."
        )
    remedy = to_standardize(scene.history) + _precision(scene.history, layer)
    if kind == OUTPUTS:
        named = suspects(scene.history, layer.name)
        what = f"{named}, and" if named else "log(0), division by zero, square roots of negatives,"
        return (
            f"{remedy}{to_positive(scene.history, layer.name)}Check {layer.name}: {what} NaN in its inputs, overflow "
            "in float16. Lower the learning rate if weights grew before."
        )
    if kind == GRADIENTS:
        spoiled = np.flatnonzero(scene.counts[OUTPUTS] > 0)
        if spoiled.size:
            return remedy + (
                f"Outputs of {scene.history.spec.layers[spoiled[0]].name} were not finite in that step either: begin "
                "there, with log(0), division by zero, square roots of negatives or overflow in float16. If they are "
                "masked on purpose, replace them before the loss with values that have a finite gradient."
            )
        behind = lost_behind(scene.history, scene.history.row_of[layer.name])
        if behind:
            return remedy + (
                f"The forward pass was finite, and so was the gradient at the outputs of {' and '.join(behind)}: look "
                f"there, and between {layer.name} and that, for sqrt(0), norms of zero vectors or 0 * inf. Their slope "
                "is not finite; keep the argument above zero (keras.ops.maximum(value, 1e-7))."
            )
        # On some processors, ReLU turns NaN into 0: the outputs may be finite although the inputs were not.
        remedy += to_positive(scene.history, layer.name, "")
        named = suspects(scene.history, layer.name, "")
        return remedy + (
            f"The forward pass was finite: check {f'{named}, and' if named else 'for'} sqrt(0), norms of zero vectors "
            f"or 0 * inf in the loss and after {layer.name}. Clip gradients (clipnorm=1.0) or lower the learning rate."
        )
    named = every_suspect(scene.history)
    if origin is not None and origin.origin is Origin.SUSPECTED:
        return (
            f"{remedy}{to_positive(scene.history, layer.name)}Check {named}: keep the argument above zero "
            "(keras.ops.maximum(value, 1e-7)), since its slope is not finite there either. update_freq=1 observes the "
            "step that breaks the weights. Restart from an earlier checkpoint."
        )
    remedy += f"Look at {named} first. " if named else ""
    return remedy + (
        f"The weights of {layer.name} were lost before this step, and no observed step shows why. Check inputs and "
        "targets for NaN first; update_freq=1 observes the step that breaks them. Restart from an earlier checkpoint; "
        "if a large step was the cause, with a smaller learning rate or clipnorm=1.0."
    )
