"""How figures, states and findings are put in words, the same in every format."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from tb_activations.health.rules import RULE_TITLES, title_of
from tb_activations.health.verdict import RuleState
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import RunSpec

UNITS_NAMED = 12
LAYERS_NAMED = 4
NO_STEP = "no step was observed: the training ended, or was stopped, before its first observed step"
TO_BE_OBSERVED = (
    "if train_step or call carries @tf.function, remove it, since Keras compiles the step itself; "
    "in a loop of your own, observe with Recorder"
)

GLYPHS = {
    Outcome.OK: "✓",
    Outcome.NOTE: "○",
    Outcome.WARNING: "◆",
    Outcome.PROBLEM: "▲",
    Outcome.NOT_APPLICABLE: "–",
    Outcome.INSUFFICIENT_DATA: "…",
    Outcome.ERROR: "!",
}
WORDS = {
    Outcome.OK: "no finding",
    Outcome.NOTE: "note",
    Outcome.WARNING: "warning",
    Outcome.PROBLEM: "problem",
    Outcome.NOT_APPLICABLE: "not applicable",
    Outcome.INSUFFICIENT_DATA: "not enough data yet",
    Outcome.ERROR: "not evaluated",
}
OUTCOME_OF = {
    Severity.NOTE: Outcome.NOTE,
    Severity.WARNING: Outcome.WARNING,
    Severity.PROBLEM: Outcome.PROBLEM,
}
STATE_WORDS: dict[RuleState, str] = {
    "checked": "checked",
    "waiting": "waiting for more steps",
    "not_applicable": "not applicable",
    "failed": "failed",
}


@dataclasses.dataclass(frozen=True)
class Family:
    """A finding that is open and what follows from it."""

    root: Finding
    followers: tuple[Finding, ...]

    @property
    def members(self) -> tuple[Finding, ...]:
        """The root, then what follows from it."""
        return self.root, *self.followers


def families(findings: Iterable[Finding]) -> list[Family]:
    """Open findings in their order, each either a root or below its root; one whose root is gone is a root."""
    still_open = [finding for finding in findings if finding.closed_step is None]
    names = {finding.id for finding in still_open if finding.root is None}
    return [
        Family(finding, tuple(other for other in still_open if other.root == finding.id and other is not finding))
        for finding in still_open
        if finding.root not in names
    ]


def glyph(severity: Severity | None) -> str:
    """The sign of a severity; of None that of health."""
    return GLYPHS[OUTCOME_OF[severity]] if severity else GLYPHS[Outcome.OK]


def title(rule: str) -> str:
    """What people call a rule; the id of one this version does not know."""
    return RULE_TITLES.get(rule, rule)


def evidence(finding: Finding) -> str:
    """What was measured against which threshold, on how much, and when."""
    parts = [
        f"{title_of(finding)} {number(finding.value)}, threshold {number(finding.threshold)}",
        f"{finding.checks:,} observed {plural(finding.checks, 'step')} in a row",
        f"{finding.samples:,} {plural(finding.samples, 'sample')}" if finding.samples else "",
        f"sure at step {finding.opened_step}, last seen at step {finding.last_step}",
        f"over at step {finding.closed_step}" if finding.closed_step is not None else "",
        units(finding),
    ]
    return "; ".join(filter(None, parts))


def units(finding: Finding) -> str:
    """The first of the units concerned and how many there are, "" for none."""
    if not finding.unit_count:
        return ""
    named = ", ".join(str(unit) for unit in finding.units[:UNITS_NAMED])
    if finding.unit_count > len(finding.units[:UNITS_NAMED]):
        named += f", … ({finding.unit_count:,} in all)"
    return f"{plural(finding.unit_count, 'unit')} {named}"


def explanations(findings: Sequence[Finding]) -> list[list[tuple[str, str]]]:
    """For each finding what might be wrong with it, what to try, and where its rule comes from.

    What an earlier one of `findings` said, but for the name of its layer, is not said again.
    """
    said: set[str] = set()
    told = []
    for finding in findings:
        own = []
        parts = (("May be wrong", finding.might_be_wrong), ("Try", finding.advice), ("Source", finding.source))
        for heading, text in parts:
            anonymous = text.replace(finding.layer, "\0") if finding.layer else text
            if text and anonymous not in said:
                said.add(anonymous)
                own.append((heading, text))
        told.append(own)
    return told


def rules_in_words(states: Mapping[str, RuleState]) -> str:
    """`3 rules checked (Dead units, ...), 1 not applicable (...)`."""
    told = []
    for state, words in STATE_WORDS.items():
        names = [title(rule) for rule, own in states.items() if own == state]
        if names:
            told.append(f"{len(names)} {words} ({', '.join(names)})")
    return "; ".join(told) if told else "no rule was run"


def unobserved(spec: RunSpec) -> list[str]:
    """For each reason why layers were not observed: how many they are, the first of them, and the reason."""
    names: dict[str, list[str]] = {}
    for layer in spec.layers:
        if layer.not_observed:
            names.setdefault(layer.not_observed, []).append(layer.name)
    return [f"{len(own)} of {_layers(spec)} ({_some(own)}): {reason}" for reason, own in names.items()]


def why_no_layer(spec: RunSpec) -> str:
    """Why a run has no figures of any layer, and what to do; "" if it has some."""
    if not spec.layers:
        return f"the model has no layer that could be observed; {TO_BE_OBSERVED}"
    if not all(layer.not_observed for layer in spec.layers if not layer.call_site):
        return ""
    return f"not observed: {'; '.join(unobserved(spec))}; {TO_BE_OBSERVED}"


def _layers(spec: RunSpec) -> str:
    return f"{len(spec.layers)} {plural(len(spec.layers), 'layer')}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:LAYERS_NAMED]) + (", …" if len(names) > LAYERS_NAMED else "")


def layer_in_words(rules: Sequence[str], outcomes: Iterable[int]) -> str:
    """What all rules said of one layer: those with a finding by name, the others counted."""
    said = list(zip(rules, map(Outcome, outcomes), strict=True))
    told = []
    for outcome in (Outcome.PROBLEM, Outcome.WARNING, Outcome.NOTE, Outcome.ERROR):
        names = [title(rule) for rule, own in said if own is outcome]
        told += [f"{GLYPHS[outcome]} {WORDS[outcome]}: {', '.join(names)}"] if names else []
    for outcome in (Outcome.OK, Outcome.INSUFFICIENT_DATA, Outcome.NOT_APPLICABLE):
        count = sum(own is outcome for _, own in said)
        told += [f"{GLYPHS[outcome]} {count} {WORDS[outcome]}"] if count else []
    return "; ".join(told)


def number(value: float) -> str:
    """Three significant digits; NaN and infinity in words."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    return f"{value:.3g}"


def plural(count: int, noun: str) -> str:
    """The noun that fits the count."""
    return noun if count == 1 else noun + "s"


def printable(text: str) -> str:
    """Without what steers a terminal or turns the direction of writing; such characters stand as escapes."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
