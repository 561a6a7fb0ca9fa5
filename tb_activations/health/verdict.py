"""Summarizes the state of a run in one sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.roots import worst_first
from tb_activations.health.rules import RULES, title_of
from tb_activations.records.finding import WHOLE, Finding, Outcome, Severity
from tb_activations.records.formatting import measured
from tb_activations.records.specs import RunSpec

RuleState = Literal["checked", "waiting", "not_applicable", "failed"]
"""The state of a rule in a run: it judged a layer, has too little data yet, applies to no layer, or raised an error."""

NOTHING_TRAINED = "Nothing is trained: the optimizer received no weights, so only the forward pass was judged."

_JUDGED = frozenset({Outcome.OK, Outcome.NOTE, Outcome.WARNING, Outcome.PROBLEM})


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The state of a run.

    Attributes:
        severity: of the worst open finding, None without one.
        sentence: for people; begins with `NOTHING_TRAINED` if the run trains no weights.
        layer: the layer to look at first, "" without one.
        layers_affected: number of layers with an open warning or problem.
        layers_total: number of layers that were judged.
        rules_checked: number of rules that judged at least one layer.
        rules_not_applicable: number of rules that apply to no layer of this model.
        muted: number of open findings that do not count, because a person muted them.
    """

    severity: Severity | None
    sentence: str
    layer: str
    layers_affected: int
    layers_total: int
    rules_checked: int
    rules_not_applicable: int
    muted: int = 0


@dataclasses.dataclass(frozen=True)
class _Counts:
    checked: int
    not_applicable: int
    waiting: int
    failed: int

    def in_words(self) -> str:
        parts = [_plural(self.checked, "rule") + " checked"]
        parts += [f"{self.waiting} waiting for more steps"] if self.waiting else []
        parts += [f"{self.not_applicable} not applicable"] if self.not_applicable else []
        parts += [f"{self.failed} failed"] if self.failed else []
        return ", ".join(parts)


def verdict(
    spec: RunSpec,
    findings: Sequence[Finding],
    outcomes: NDArray[np.uint8],
    rules: Sequence[str],
    training: Mapping[str, int],
    muted: int = 0,
) -> Verdict:
    """The state of a run after its latest judged step.

    Layers that could not be observed and single calls of a shared layer are not counted unless a finding names them.

    Args:
        findings: closed ones do not count; without muted ones.
        outcomes: `[layers, rules]` of `Outcome`.
        rules: ids of the columns.
        training: `Outcome` of the rules for the training as a whole by id.
        muted: number of open findings that are not among `findings` because they are muted.

    Raises:
        ValueError: `outcomes` does not fit `spec` and `rules`.
    """
    if outcomes.shape != (len(spec.layers), len(rules)):
        raise ValueError(f"outcomes must be [{len(spec.layers)} layers, {len(rules)} rules], got {outcomes.shape}")
    still_open = worst_first([finding for finding in findings if finding.closed_step is None], spec)
    pressing = [finding for finding in still_open if _is_pressing(finding)]
    affected = {finding.layer for finding in pressing} - {WHOLE}
    counted = _counted(spec, affected)
    counts = _count([*_states(outcomes[counted]), *_training_states(training).values()])
    if pressing:
        sentence = _sick(pressing, len(affected), len(counted))
    else:
        sentence = _healthy(still_open, counts, len(counted)) if counted else _unobserved(spec)
    if counted and not is_trained(spec):
        sentence = f"{NOTHING_TRAINED} {sentence}"
    if muted:
        sentence += f" {_plural(muted, 'finding')} muted."
    return Verdict(
        severity=_worst(still_open),
        sentence=sentence,
        layer=(pressing or still_open)[0].layer if still_open else "",
        layers_affected=len(affected),
        layers_total=len(counted),
        rules_checked=counts.checked,
        rules_not_applicable=counts.not_applicable,
        muted=muted,
    )


def start_with(findings: Sequence[Finding], spec: RunSpec) -> Finding | None:
    """The open finding to look at first, which the verdict names; None without open findings."""
    still_open = worst_first([finding for finding in findings if finding.closed_step is None], spec)
    return next(filter(_is_pressing, still_open), still_open[0] if still_open else None)


def is_trained(spec: RunSpec) -> bool:
    """Whether the optimizer received any weights; a model whose layers are all frozen is not trained."""
    # Weights outside the observed layers were received too, although no trainable layer lists them.
    return any(layer.trainable for layer in spec.layers) or any(not weight.layer for weight in spec.weights)


def rule_states(
    spec: RunSpec,
    findings: Sequence[Finding],
    outcomes: NDArray[np.uint8],
    rules: Sequence[str],
    training: Mapping[str, int],
) -> dict[str, RuleState]:
    """The state of each rule by id, on the layers that `verdict` counts; takes the same arguments."""
    affected = {finding.layer for finding in findings if _is_pressing(finding)}
    states = dict(zip(rules, _states(outcomes[_counted(spec, affected)]), strict=True))
    return states | _training_states(training)


def _training_states(training: Mapping[str, int]) -> dict[str, RuleState]:
    return {rule: _state(np.array([outcome], np.uint8)) for rule, outcome in training.items()}


def _is_pressing(finding: Finding) -> bool:
    return finding.closed_step is None and finding.severity is not Severity.NOTE


def _counted(spec: RunSpec, affected: set[str]) -> list[int]:
    return [
        row
        for row, layer in enumerate(spec.layers)
        if layer.name in affected or (layer.is_whole and not layer.not_observed)
    ]


def _states(outcomes: NDArray[np.uint8]) -> list[RuleState]:
    """The state of each rule, from `[layers, rules]` outcomes."""
    return [_state(column) for column in outcomes.T]


def _state(outcomes: NDArray[np.uint8]) -> RuleState:
    seen = set(outcomes.tolist())
    if seen & _JUDGED:
        return "checked"
    if Outcome.ERROR in seen:
        return "failed"
    return "not_applicable" if seen == {Outcome.NOT_APPLICABLE} else "waiting"


def _count(states: Sequence[RuleState]) -> _Counts:
    return _Counts(*(states.count(state) for state in ("checked", "not_applicable", "waiting", "failed")))


def _worst(findings: Sequence[Finding]) -> Severity | None:
    return max((finding.severity for finding in findings), key=lambda severity: severity.rank, default=None)


def _sick(pressing: Sequence[Finding], affected: int, total: int) -> str:
    """The first sentence names the first root: its layer, what is wrong, and since when."""
    first = pressing[0]
    follows = sum(finding.root == first.id for finding in pressing)
    sentences = [f"{located_headline(first)} since step {first.since_step}."]
    if follows:
        sentences.append(f"{_plural(follows, 'finding')} {'follows' if follows == 1 else 'follow'} from it.")
    if affected:
        sentences.append(f"{affected} of {_plural(total, 'layer')} {'needs' if affected == 1 else 'need'} attention.")
    return " ".join(sentences)


def located_headline(finding: Finding) -> str:
    """A finding in a few words with its layer, without step; capitalized if it concerns the training as a whole."""
    words = headline(finding)
    return words[:1].upper() + words[1:] if finding.layer == WHOLE else f"{finding.layer}: {words}"


def headline(finding: Finding) -> str:
    """A finding in a few words, without layer and step; also for rules this version does not know."""
    rule = RULES.get(finding.rule)
    return (
        rule.headline(finding)
        if rule
        else f"{finding.rule}: {title_of(finding)} {measured(finding.value, finding.unit)}"
    )


def _healthy(notes: Sequence[Finding], counts: _Counts, total: int) -> str:
    if not counts.checked:
        if counts.failed:
            return f"{_plural(total, 'layer')} not evaluated: {_plural(counts.failed, 'rule')} failed."
        if counts.waiting:
            return f"Not enough data yet to judge {_plural(total, 'layer')}."
        return f"No rule applies to the {_plural(total, 'layer')} of this model."
    so_far = " so far" if counts.waiting else ""
    found = f"o problems found{so_far} in {_plural(total, 'layer')}; {counts.in_words()}."
    whole = next((note for note in notes if note.layer == WHOLE), None)
    if whole is not None:
        return f"{located_headline(whole)} since step {whole.since_step}. Apart from that, n{found}"
    remarks = f" {_plural(len(notes), 'note')}, first: {located_headline(notes[0])}." if notes else ""
    return f"N{found}{remarks}"


def _unobserved(spec: RunSpec) -> str:
    if not spec.layers:
        return "The model has no layer that could be observed."
    reasons = dict.fromkeys(layer.not_observed for layer in spec.layers if layer.not_observed)
    return f"None of the {_plural(len(spec.layers), 'layer')} was observed: {'; '.join(reasons)}."


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
