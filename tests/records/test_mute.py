"""Which findings a mute covers."""

from __future__ import annotations

import dataclasses

from tb_activations.records.finding import Severity
from tb_activations.records.mute import Mute, counting, mute_of, mutes_of
from tests.http.test_bounds import FINDING

WARNING = dataclasses.replace(FINDING, severity=Severity.WARNING)
MUTE = Mute(FINDING.rule, FINDING.layer, Severity.WARNING, "", 0.0)
MUTES = mutes_of([MUTE])


def test_a_mute_covers_its_finding_until_it_becomes_worse() -> None:
    worse = dataclasses.replace(FINDING, severity=Severity.PROBLEM)
    assert [MUTE.covers(each) for each in (FINDING, WARNING, worse)] == [True, True, False]


def test_a_mute_covers_the_finding_judged_again() -> None:
    assert MUTE.covers(dataclasses.replace(WARNING, opened_step=900))


def test_a_mute_covers_no_other_finding_and_no_resolved_one() -> None:
    others = [
        dataclasses.replace(WARNING, rule="nonfinite"),
        dataclasses.replace(WARNING, layer="b"),
        dataclasses.replace(WARNING, closed_step=5),
    ]
    assert counting([WARNING, *others], MUTES) == tuple(others)
    assert mute_of(WARNING, MUTES) is MUTE
    assert mute_of(others[1], MUTES) is None


def test_the_last_mute_of_a_finding_counts() -> None:
    later = dataclasses.replace(MUTE, note="later")
    assert list(mutes_of([MUTE, later]).values()) == [later]
