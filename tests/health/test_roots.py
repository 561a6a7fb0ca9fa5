from __future__ import annotations

import math

from tests.health.trainings import chain, judge, record, still_open

SPEC = chain("a", "b", "c", "out")


def test_a_dead_layer_harms_earlier_and_later_layers() -> None:
    silent = {"b": range(10), "c": range(10)}
    starved = {name: {"weight_gradient_norm": 0.0} for name in ("a", "b", "c")}
    records = [record(SPEC, step, silent=silent, values=starved) for step in range(20)]
    findings = still_open(judge(SPEC, records, ["dead_units", "vanishing_gradient"])[-1])
    first, *others = findings
    assert (first.rule, first.layer, first.root) == ("dead_units", "b", None)
    assert {(finding.rule, finding.layer) for finding in others} == {
        ("dead_units", "c"),
        ("vanishing_gradient", "a"),
        ("vanishing_gradient", "b"),
        ("vanishing_gradient", "c"),
    }
    assert {finding.root for finding in others} == {first.id}


def test_a_dead_layer_leaves_the_next_one_without_a_gradient() -> None:
    zero = {"weight_gradient_norm": 0.0}
    records = [
        record(SPEC, step, silent={"b": range(10)}, values={"c": zero} if step > 3 else None) for step in range(30)
    ]
    findings = still_open(judge(SPEC, records, ["dead_units", "no_gradient"])[-1])
    assert [(finding.rule, finding.layer) for finding in findings] == [("dead_units", "b"), ("no_gradient", "c")]
    assert findings[1].root == findings[0].id


def test_a_layer_that_is_dead_because_it_is_given_the_same_for_every_sample_is_no_root() -> None:
    same = {"sample_std": 0.0}
    values = {name: same for name in ("a", "b", "c", "out")}
    records = [record(SPEC, step, silent={"b": range(10)}, values=values) for step in range(20)]
    roots = {
        (one.rule, one.layer): one.root
        for one in still_open(judge(SPEC, records, ["dead_units", "collapsed_layer"])[-1])
    }
    first = roots.pop(("collapsed_layer", "a"))
    assert first is None
    assert set(roots.values()) == {"collapsed_layer:a:9"}
    alone = {name: same for name in ("b", "c", "out")}
    records = [record(SPEC, step, silent={"b": range(10)}, values=alone) for step in range(20)]
    findings = still_open(judge(SPEC, records, ["dead_units", "collapsed_layer"])[-1])
    assert [(one.rule, one.layer) for one in findings if one.root is None] == [("dead_units", "b")]


def test_a_layer_that_died_before_an_earlier_one_is_its_own_root() -> None:
    records = [record(SPEC, step, silent={"c": range(10), "a": range(10) if step > 5 else []}) for step in range(20)]
    findings = still_open(judge(SPEC, records, ["dead_units"])[-1])
    assert {finding.layer: finding.root for finding in findings} == {"a": None, "c": None}


def test_partly_dead_layers_do_not_cause_each_other() -> None:
    records = [record(SPEC, step, silent={"a": range(8), "c": range(8)}) for step in range(20)]
    assert [finding.root for finding in still_open(judge(SPEC, records)[-1])] == [None, None]


def test_only_findings_after_nan_are_its_consequences() -> None:
    poisoned = {name: {"nonfinite": 1.0, "weight_nonfinite": 1.0} for name in ("b", "c", "out")}
    records = [
        record(
            SPEC,
            step,
            silent={"a": range(8), "c": range(10) if step >= 10 else []},
            values=poisoned if step >= 10 else None,
            loss=math.nan if step >= 10 else 1.0,
        )
        for step in range(40)
    ]
    findings = still_open(judge(SPEC, records, ["dead_units", "nonfinite"])[-1])
    roots = {(finding.rule, finding.layer): finding.root for finding in findings}
    assert roots == {
        ("dead_units", "a"): None,
        ("nonfinite", "b"): None,
        ("nonfinite", "c"): "nonfinite:b:10",
        ("nonfinite", "out"): "nonfinite:b:10",
    }


def test_roots_come_first_then_severity_then_call_order() -> None:
    spec = chain("a", "b", "c", "out", units=20)
    records = [record(spec, step, silent={"a": range(10), "b": range(16), "c": range(16)}) for step in range(20)]
    findings = still_open(judge(spec, records)[-1])
    assert [(finding.layer, finding.severity.value) for finding in findings] == [
        ("b", "problem"),
        ("c", "problem"),
        ("a", "warning"),
    ]
