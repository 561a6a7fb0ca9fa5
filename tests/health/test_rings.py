"""For arbitrary findings: every group has one root, roots follow from nothing, and the work stays small."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tb_activations.health.causes import direct_causes
from tb_activations.health.graph import LayerGraph, layer_graph
from tb_activations.health.roots import first_of_groups, name_roots, worst_first
from tb_activations.health.rules import RULES
from tb_activations.health.rules.stagnant_weights import RESTLESS, STILL
from tb_activations.records.finding import Finding, Severity
from tb_activations.records.specs import LayerSpec, RunSpec
from tests.health.trainings import chain, judge, record

SIGNS = ("outputs", "gradients", "weights", RESTLESS.id, STILL.id, "unknown")
VALUES = st.sampled_from([0.0, 1e-9, 1e-6, 0.5, 1.0, 30.0, float("nan"), float("inf")])


@st.composite
def specs(draw: st.DrawFn) -> RunSpec:
    """Up to eight layers, connected at random or not at all."""
    names = [f"layer_{number}" for number in range(draw(st.integers(1, 8)))]
    is_wired = draw(st.booleans())
    layers = []
    for place, name in enumerate(names):
        inputs = draw(st.lists(st.sampled_from(names), max_size=3, unique=True)) if is_wired and place else []
        layers.append(LayerSpec(name, "Dense", units=4, parameters=10, trainable=True, inputs=tuple(inputs)))
    return RunSpec("random", tuple(layers))


@st.composite
def sicknesses(draw: st.DrawFn) -> tuple[RunSpec, list[Finding]]:
    """Open and closed findings of any rules; at most one is open per rule and layer."""
    spec = draw(specs())
    pairs = st.tuples(st.sampled_from(list(RULES)), st.sampled_from([layer.name for layer in spec.layers]))
    findings = []
    for rule, layer in draw(st.lists(pairs, max_size=40, unique=True)):
        since = draw(st.integers(0, 3))
        findings.append(
            Finding(
                rule=rule,
                layer=layer,
                severity=draw(st.sampled_from(list(Severity))),
                sign=draw(st.sampled_from(SIGNS)),
                unit="",
                value=draw(VALUES),
                threshold=0.1,
                samples=1,
                checks=1,
                since_step=since,
                opened_step=since + draw(st.integers(0, 2)),
                last_step=9,
                message="",
                might_be_wrong="",
                advice="",
                source="",
                closed_step=draw(st.sampled_from([None, None, None, 9])),
            )
        )
    return spec, findings


def named(spec: RunSpec, findings: list[Finding]) -> dict[str, str | None]:
    return {finding.id: finding.root for finding in name_roots(findings, spec, layer_graph(spec.layers))}


@settings(max_examples=100, deadline=None)
@given(sicknesses())
def test_every_root_is_an_open_finding_that_follows_from_nothing(sick: tuple[RunSpec, list[Finding]]) -> None:
    spec, findings = sick
    roots = named(spec, findings)
    still_open = {finding.id for finding in findings if finding.closed_step is None}
    for finding, root in roots.items():
        if root is not None:
            assert finding in still_open
            assert root in still_open
            assert roots[root] is None
    assert not still_open or any(roots[finding] is None for finding in still_open)


@settings(max_examples=70, deadline=None)
@given(sicknesses(), st.randoms(use_true_random=False))
def test_the_order_of_the_findings_changes_nothing(sick: tuple[RunSpec, list[Finding]], random: object) -> None:
    spec, findings = sick
    shuffled = list(findings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert named(spec, shuffled) == named(spec, findings)


@settings(max_examples=70, deadline=None)
@given(sicknesses())
def test_a_group_of_findings_that_lead_to_each_other_has_exactly_one_root(sick: tuple[RunSpec, list[Finding]]) -> None:
    spec, findings = sick
    some = [finding for finding in findings if finding.closed_step is None]
    rows = [spec.layer_index(finding.layer) for finding in some]
    follows = direct_causes(some, rows, layer_graph(spec.layers))
    assert_one_root_a_group(follows)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30).flatmap(lambda size: st.lists(st.integers(0, size - 1), min_size=size, max_size=size)))
def test_any_direct_causes_give_one_root_per_group(follows: list[int]) -> None:
    assert_one_root_a_group(np.array(follows))


def assert_one_root_a_group(follows: np.ndarray) -> None:
    """The groups, found by joining findings that are connected in either direction."""
    group = np.arange(len(follows))
    for place, cause in enumerate(follows):
        group[group == group[place]] = group[cause]
    roots = first_of_groups(follows)
    for number in set(group.tolist()):
        members = np.flatnonzero(group == number)
        assert len(set(roots[members].tolist())) == 1
        assert roots[members[0]] in members
        assert roots[roots[members[0]]] == roots[members[0]]


def test_the_root_of_a_ring_is_its_first_member() -> None:
    # 0 and 4 lead into the cycle 1, 3, 2; 5 is alone.
    assert first_of_groups(np.array([3, 3, 1, 2, 0, 5])).tolist() == [1, 1, 1, 1, 1, 5]
    assert first_of_groups(np.zeros(0, np.int64)).tolist() == []


def test_vanishing_and_collapsed_layers_that_cause_each_other_have_one_root() -> None:
    """As in ten sigmoid layers: a fading signal leaves equal outputs, and equal outputs let no gradient through."""
    spec = chain("a", "b", "c", "d", "out", activation="sigmoid")
    starved = {"weight_gradient_norm": 1e-6, "mean": 0.5}
    values = {
        "a": starved,
        "b": {**starved, "sample_std": 1e-4},
        "c": {**starved, "sample_std": 1e-9},
        "d": {**starved, "sample_std": 1e-9},
    }
    judgement = judge(spec, [record(spec, step, values=values) for step in range(60)])[-1]
    findings = [finding for finding in judgement.findings if finding.closed_step is None]
    assert {finding.rule for finding in findings} == {"vanishing_gradient", "collapsed_layer", "no_learning"}
    assert [finding.rule for finding in findings if finding.root is None] == ["vanishing_gradient"]


def test_a_mask_of_infinities_explains_nothing() -> None:
    spec = chain("a", "b", "c", "out")
    records = [record(spec, step, silent={"c": range(10)}, values={"b": {"nonfinite": 5.0}}) for step in range(20)]
    findings = {finding.rule: finding for finding in judge(spec, records)[-1].findings}
    assert findings["nonfinite"].severity is Severity.NOTE
    assert findings["dead_units"].root is None


def test_worst_first_does_not_depend_on_the_order() -> None:
    spec = chain("a", "b", "out")
    records = [record(spec, step, silent={"a": range(5), "b": range(10)}) for step in range(20)]
    findings = judge(spec, records)[-1].findings
    assert worst_first(reversed(findings), spec) == findings


def test_a_thousand_layers_take_no_quadratic_work_in_python() -> None:
    """Counted, not timed: accesses to findings do not grow with the square of the layers."""
    assert looks(200) < 2.5 * looks(100)


def looks(layers: int) -> int:
    seen = 0

    class Counting(Finding):
        def __getattribute__(self, name: str) -> object:
            nonlocal seen
            seen += 1
            return super().__getattribute__(name)

    spec = chain(*(f"layer_{number}" for number in range(layers)))
    graph: LayerGraph = layer_graph(spec.layers)
    records = [record(spec, step, silent={layer.name: range(10) for layer in spec.layers[:-1]}) for step in range(8)]
    (dead, *_) = judge(spec, records, ["dead_units"])[-1].findings
    fields = {field.name: getattr(dead, field.name) for field in dataclasses.fields(Finding)}
    findings = [
        Counting(**{**fields, "layer": layer.name, "rule": rule})
        for layer in spec.layers
        for rule in ("dead_units", "vanishing_gradient", "collapsed_layer", "saturated_units")
    ]
    seen = 0
    name_roots(findings, spec, graph)
    return seen
