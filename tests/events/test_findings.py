"""Findings as points of which each holds what changed."""

from __future__ import annotations

import dataclasses
import zlib
from typing import Any

import numpy as np
import pytest

from tb_activations.events import findings as module
from tb_activations.events.findings import ChangedFindings, pack_findings, stored_findings
from tb_activations.events.json_codec import finding_to_json
from tb_activations.records.finding import Finding, Severity


def finding(layer: str, **members: Any) -> Finding:
    given: dict[str, Any] = dict(
        rule="dead_units", layer=layer, severity=Severity.WARNING, sign="dead_share", unit="share", value=0.5,
        threshold=0.1, samples=10, checks=3, since_step=0, opened_step=2, last_step=4, message=f"{layer} dies.",
        might_be_wrong="", advice="", source="",
    )  # fmt: skip
    return Finding(**(given | members))


def point(packed: bytes) -> Any:
    return np.frombuffer(packed, np.uint8)


ONE, TWO, THREE = (finding(name) for name in ("one", "two", "three"))


def test_a_point_has_what_changed_and_reading_has_all() -> None:
    changed = ChangedFindings()
    closed = dataclasses.replace(ONE, closed_step=9)
    steps = [[ONE, TWO], [TWO, ONE, THREE], [TWO, THREE, closed]]
    points = [point(changed.point(one, are_whole=False)) for one in steps]
    for count, expected in enumerate(steps, 1):
        assert stored_findings(points[:count]) == (tuple(expected), 0)
    lines = [zlib.decompress(one.tobytes()).count(b"\n") for one in points]
    assert lines == [2, 1, 1]


@pytest.mark.parametrize(
    "members",
    [{"severity": Severity.PROBLEM}, {"root": "x"}, {"reopened_step": 5}, {"follow_up": " More."}, {"origin": "data"}],
)
def test_a_finding_in_another_state_is_written_again(members: Any) -> None:
    changed = ChangedFindings()
    first = changed.point([ONE, TWO], are_whole=False)
    later = dataclasses.replace(TWO, **members)
    points = [point(first), point(changed.point([ONE, later], are_whole=False))]
    assert stored_findings(points) == ((ONE, later), 0)


def test_a_finding_that_only_lasts_is_written_when_all_are() -> None:
    changed = ChangedFindings()
    lasting = dataclasses.replace(ONE, last_step=40, value=0.6)
    points = [point(changed.point([ONE], are_whole=False)), point(changed.point([lasting], are_whole=False))]
    assert stored_findings(points)[0] == (ONE,)
    points.append(point(changed.point([lasting], are_whole=True)))
    assert stored_findings(points)[0] == (lasting,)
    assert stored_findings(points[-1:])[0] == (lasting,)


def test_what_is_no_longer_listed_is_gone() -> None:
    points = [point(pack_findings([one.id for one in found], found)) for found in ([ONE, TWO], [TWO])]
    assert stored_findings(points) == ((TWO,), 0)


def test_a_run_that_an_earlier_version_began() -> None:
    earlier = np.array([finding_to_json(ONE).encode(), finding_to_json(TWO).encode()], object)
    later = point(pack_findings([THREE.id, ONE.id], [THREE]))
    assert stored_findings([earlier, later]) == ((THREE, ONE), 0)
    assert stored_findings([earlier]) == ((ONE, TWO), 0)


@pytest.mark.parametrize("damaged", [b"", b"no zlib", zlib.compress(b"{}"), zlib.compress(b"[1]"), zlib.compress(b"[")])
def test_a_damaged_point_costs_only_its_own_changes(damaged: bytes) -> None:
    points = [point(pack_findings([ONE.id], [ONE])), point(damaged)]
    assert stored_findings(points) == ((ONE,), 1)
    assert stored_findings([points[1]]) == ((), 1)


def test_a_damaged_finding_costs_only_itself() -> None:
    text = zlib.decompress(pack_findings([ONE.id, TWO.id], [ONE, TWO])).replace(b'"dead_units"', b"3", 1)
    assert stored_findings([point(zlib.compress(text))]) == ((TWO,), 1)


def test_a_point_that_claims_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TEXT", 1000)
    small = point(pack_findings([ONE.id], [ONE]))
    assert stored_findings([small]) == ((ONE,), 0)
    large = point(pack_findings([ONE.id], [ONE] * 1000))
    # Neither are earlier points, so that many cannot add up.
    assert stored_findings([small, large]) == ((), 1)
