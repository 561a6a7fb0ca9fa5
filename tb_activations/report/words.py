"""Wording of states and findings, the same in every format."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from tb_activations.health.rules import RULE_TITLES, title_of
from tb_activations.health.verdict import RuleState
from tb_activations.records.finding import WHOLE, Finding, Outcome, Severity
from tb_activations.records.formatting import measured
from tb_activations.records.mute import Mute
from tb_activations.records.specs import RunSpec

UNITS_NAMED = 12
CONSEQUENCES_SHOWN = 4
"""Consequences of a cause beyond this number are folded in a page with several runs."""
LAYERS_NAMED = 4
NO_STEP = "no step was observed: training ended before the first observed step"
TO_BE_OBSERVED = (
    "remove @tf.function from train_step or call, because Keras compiles the step itself; "
    "in a custom training loop, use Recorder"
)
FALSE_ALARM = "False alarm if"
"""Heading of what would make a finding wrong."""

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
    Outcome.OK: "OK",
    Outcome.NOTE: "note",
    Outcome.WARNING: "warning",
    Outcome.PROBLEM: "problem",
    Outcome.NOT_APPLICABLE: "not applicable",
    Outcome.INSUFFICIENT_DATA: "not enough data yet",
    Outcome.ERROR: "not evaluated",
}
STATE_WORDS: dict[RuleState, str] = {
    "checked": "checked",
    "waiting": "waiting for more steps",
    "not_applicable": "not applicable",
    "failed": "failed",
}


@dataclasses.dataclass(frozen=True)
class Family:
    """An open finding and the findings that follow from it."""

    root: Finding
    followers: tuple[Finding, ...]

    @property
    def members(self) -> tuple[Finding, ...]:
        """The root, then its followers."""
        return self.root, *self.followers


def families(findings: Iterable[Finding]) -> list[Family]:
    """Open findings in their order, each as a root or below its root; a finding without an open root is a root."""
    still_open = [finding for finding in findings if finding.closed_step is None]
    names = {finding.id for finding in still_open if finding.root is None}
    return [
        Family(finding, tuple(other for other in still_open if other.root == finding.id and other is not finding))
        for finding in still_open
        if finding.root not in names
    ]


def glyph(severity: Severity | None) -> str:
    """The symbol of a severity; for None the symbol of a healthy run."""
    return GLYPHS[severity.outcome if severity else Outcome.OK]


def title(rule: str) -> str:
    """The title of a rule; its id if this version does not know the rule."""
    return RULE_TITLES.get(rule, rule)


def place(finding: Finding) -> str:
    """The layer of a finding, or the training as a whole."""
    return finding.layer if finding.layer != WHOLE else "the training"


def evidence(finding: Finding) -> str:
    """The measured value, its threshold, the amount of data, and when."""
    parts = [
        f"{title_of(finding)} = {measured(finding.value, finding.unit)} ({_limit(finding)})",
        f"{finding.checks:,} observed {plural(finding.checks, 'step')}",
        f"{finding.samples:,} {plural(finding.samples, 'sample')}" if finding.samples else "",
        f"confirmed at step {finding.opened_step}, {_last_seen(finding)}",
        units(finding),
    ]
    return "; ".join(filter(None, parts))


def muted(finding: Finding, mute: Mute) -> str:
    """A muted finding in one line, with its note."""
    note = f" Note: {mute.note}" if mute.note else ""
    return f"{finding.message}{note}"


def _limit(finding: Finding) -> str:
    threshold = f"threshold {measured(finding.threshold, finding.unit)}"
    if math.isnan(finding.closing_threshold):
        return threshold
    return f"{threshold}, closes at {measured(finding.closing_threshold, finding.unit)}"


def _last_seen(finding: Finding) -> str:
    if finding.closed_step is not None:
        return f"resolved at step {finding.closed_step}"
    return f"still present at step {finding.last_step}"


def units(finding: Finding) -> str:
    """The first affected units and their number, "" for none."""
    if not finding.unit_count:
        return ""
    named = ", ".join(str(unit) for unit in finding.units[:UNITS_NAMED])
    if finding.unit_count > len(finding.units[:UNITS_NAMED]):
        named += f", … ({finding.unit_count:,} in total)"
    return f"{plural(finding.unit_count, 'unit')} {named}"


def explanations(findings: Sequence[Finding]) -> list[list[tuple[str, str]]]:
    """For each finding its headed texts: when it would be a false alarm, what to try, and the source of its rule.

    A text that differs from an earlier one only in the name of the layer is left out.
    """
    used: set[str] = set()
    explained = []
    for finding in findings:
        own = []
        parts = ((FALSE_ALARM, finding.might_be_wrong), ("Try", finding.advice), ("Source", finding.source))
        for heading, text in parts:
            anonymous = text.replace(finding.layer, "\0") if finding.layer else text
            if text and anonymous not in used:
                used.add(anonymous)
                own.append((heading, text))
        explained.append(own)
    return explained


def rules_in_words(states: Mapping[str, RuleState]) -> str:
    """`3 rules checked (Dead units, ...), 1 not applicable (...)`."""
    parts = []
    for state, words in STATE_WORDS.items():
        names = [title(rule) for rule, own in states.items() if own == state]
        if names:
            parts.append(f"{len(names)} {words} ({', '.join(names)})")
    return "; ".join(parts) if parts else "no rule was run"


def unobserved(spec: RunSpec) -> list[str]:
    """For each reason why layers were not observed: their number, the first of them, and the reason."""
    names: dict[str, list[str]] = {}
    for layer in spec.layers:
        if layer.not_observed:
            names.setdefault(layer.not_observed, []).append(layer.name)
    return [f"{len(own)} of {_layers(spec)} ({_some(own)}): {reason}" for reason, own in names.items()]


def why_no_layer(spec: RunSpec) -> str:
    """Why a run has no statistics of any layer, and what to do; "" if it has some."""
    if not spec.layers:
        return f"the model has no observable layer; {TO_BE_OBSERVED}"
    if not all(layer.not_observed for layer in spec.layers if not layer.call_site):
        return ""
    return f"not observed: {'; '.join(unobserved(spec))}; {TO_BE_OBSERVED}"


def listed(names: Sequence[str]) -> str:
    """`a, b, c and 5 more layers`; all of a few names."""
    if len(names) <= LAYERS_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: LAYERS_NAMED - 1])} and {len(names) - LAYERS_NAMED + 1} more layers"


def _layers(spec: RunSpec) -> str:
    return f"{len(spec.layers)} {plural(len(spec.layers), 'layer')}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:LAYERS_NAMED]) + (", …" if len(names) > LAYERS_NAMED else "")


def layer_in_words(rules: Sequence[str], outcomes: Iterable[int]) -> str:
    """The outcomes of all rules for one layer, worst first: rules with a finding by name, the others counted."""
    judged = list(zip(rules, map(Outcome, outcomes), strict=True))
    parts = []
    for outcome in sorted(Outcome, key=lambda outcome: outcome.rank, reverse=True):
        names = [title(rule) for rule, own in judged if own is outcome]
        if names:
            described = f"{len(names)} {WORDS[outcome]}" if outcome in _COUNTED else _listed(outcome, names)
            parts.append(f"{GLYPHS[outcome]} {described}")
    return "; ".join(parts)


_COUNTED = (Outcome.OK, Outcome.INSUFFICIENT_DATA, Outcome.NOT_APPLICABLE)


def _listed(outcome: Outcome, names: Sequence[str]) -> str:
    return f"{WORDS[outcome]}: {', '.join(names)}"


def plural(count: int, noun: str) -> str:
    """The noun in singular or plural."""
    return noun if count == 1 else noun + "s"


def printable(text: str) -> str:
    """The text with control characters and changes of the writing direction escaped."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
