"""Differences between what the rules report of two runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from tb_activations.comparison.axis import epoch_of
from tb_activations.comparison.difference import Cause, Difference, Placed
from tb_activations.comparison.pairing import Pairing, rows_of
from tb_activations.comparison.statistics import FINDINGS, Matched
from tb_activations.comparison.structure import ABSENT, PRESENT
from tb_activations.events.run import Run
from tb_activations.records.finding import Finding, Outcome

_FIELDS = ("severity", "units", "unit_count", "root")
_STEP_FIELDS = ("samples", "checks", "since_step", "last_step", "closed_step")
"""Compared only if runs are matched by step."""

Key = tuple[str, str, int]


def findings(matched: Matched) -> Iterator[Placed]:
    """Outcomes of the rules by layer, then findings; the wording of findings does not count."""
    if set(matched.expected.rules) != set(matched.actual.rules):
        rules = list(matched.expected.rules), list(matched.actual.rules)
        yield Placed((-1,), Difference("rules", *rules, cause=Cause.HYPERPARAMETER))
    else:
        yield from _outcomes(matched)
    yield from _findings(matched)


def _outcomes(matched: Matched) -> Iterator[Placed]:
    axis, rules = matched.axis, matched.expected.rules
    rows, partners = rows_of(matched.pairing.layers)
    one = matched.expected.outcomes[axis.here][:, rows]
    order = [matched.actual.rules.index(rule) for rule in rules]
    other = matched.actual.outcomes[axis.there][:, partners][:, :, order]
    differs = one != other
    for row, rule in np.argwhere(differs.any(axis=0)).tolist():
        places = np.flatnonzero(differs[:, row, rule])
        first = int(places[0])
        words = _word(one[first, row, rule]), _word(other[first, row, rule])
        step = int(axis.steps[first])
        difference = Difference(
            f"outcome of {rules[rule]}",
            *words,
            step,
            matched.layer(rows[row]),
            cause=Cause.FINDING,
            epoch=axis.epoch(first),
            count=len(places),
            compared=len(differs),
        )
        yield Placed((step, FINDINGS, 0, row, rule), difference)


def _word(code: int) -> str:
    return Outcome(code).name.lower()


def _findings(matched: Matched) -> Iterator[Placed]:
    by_step = matched.axis.match == "step"
    expected = _by_key(matched.expected, matched.expected.findings, by_step)
    actual = _by_key(matched.actual, _renamed(matched.actual, matched.pairing), by_step)
    for key in sorted(expected.keys() | actual.keys(), key=lambda key: key[2]):
        finding = expected.get(key) or actual[key]
        place = {"step": finding.opened_step, "layer": finding.layer or None, "cause": Cause.FINDING}
        if key not in expected or key not in actual:
            values = (PRESENT, ABSENT) if key in expected else (ABSENT, PRESENT)
            found = [Difference(f"finding {finding.rule}", *values, **place)]  # type: ignore[arg-type]
        else:
            fields = (*_FIELDS, *_STEP_FIELDS) if by_step else _FIELDS
            found = list(_fields(matched, expected[key], actual[key], fields))
        yield from (Placed((finding.opened_step, FINDINGS, 1), difference) for difference in found)


def _fields(matched: Matched, expected: Finding, actual: Finding, fields: tuple[str, ...]) -> Iterator[Difference]:
    for name in (*fields, "value", "threshold"):
        values = getattr(expected, name), getattr(actual, name)
        is_number = name in ("value", "threshold")
        tolerance = matched.tolerances.at(expected.sign, expected.layer)
        if values[0] != values[1] and not (is_number and tolerance.allows(*values)):
            yield Difference(
                f"finding {expected.rule}, {name},",
                *values,
                expected.opened_step,
                expected.layer or None,
                str(tolerance) if is_number else "",
                cause=Cause.FINDING,
            )


def _by_key(run: Run, found: tuple[Finding, ...], by_step: bool) -> dict[Key, Finding]:
    """Findings by rule, layer and the step or epoch at which they opened."""
    steps = np.array([finding.opened_step for finding in found], np.int64)
    when = steps if by_step else epoch_of(run, steps)
    return {(finding.rule, finding.layer, int(one)): finding for finding, one in zip(found, when, strict=True)}


def _renamed(run: Run, pairing: Pairing) -> tuple[Finding, ...]:
    """The findings of the actual run with layer names of the expected run."""

    def renamed(finding: Finding) -> Finding:
        return dataclasses.replace(finding, layer=pairing.names.get(finding.layer, finding.layer))

    names = {finding.id: renamed(finding).id for finding in run.findings}
    return tuple(
        dataclasses.replace(renamed(finding), root=finding.root and names.get(finding.root, finding.root))
        for finding in run.findings
    )
