import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.json_codec import finding_from_json, finding_to_json, run_from_json, run_to_json
from tb_activations.records.finding import UNITS, Finding, Severity
from tb_activations.records.specs import AllPairs, FragileOperation, GradientCut, LayerSpec, RunSpec, WeightSpec

STEPS = st.integers(0, 2**62)
NUMBERS = st.floats(allow_nan=False)

CONFIG_VALUES = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
CONFIGS = st.dictionaries(st.text(), CONFIG_VALUES | st.lists(CONFIG_VALUES, max_size=3).map(tuple), max_size=3)
LAYERS = st.builds(
    LayerSpec,
    name=st.text(),
    class_name=st.text(),
    call_site=st.integers(0, 9),
    output_shape=st.lists(st.none() | st.integers(0, 2**40), max_size=4).map(tuple),
    dtype=st.text(),
    units=st.integers(0, 2**40),
    activation=st.none() | st.text(),
    parameters=st.integers(0, 2**62),
    trainable=st.booleans(),
    not_observed=st.text(),
    config=CONFIGS,
)
WEIGHTS = st.builds(
    WeightSpec,
    name=st.text(),
    layer=st.text(),
    shape=st.lists(st.integers(0, 9)).map(tuple),
    has_gradient=st.booleans(),
)
FRAGILE = st.builds(FragileOperation, st.text(), st.text(), st.text(), st.text())
PAIRS = st.builds(AllPairs, st.text(), st.text(), st.text(), st.text(), st.booleans())
CUTS = st.builds(GradientCut, st.text(), st.text(), st.text())
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
RUNS = st.builds(
    RunSpec,
    model=st.text(),
    layers=st.lists(LAYERS, max_size=3).map(tuple),
    weights=st.lists(WEIGHTS, max_size=3).map(tuple),
    thresholds=st.dictionaries(st.text(), st.dictionaries(st.text(), NUMBERS)),
    cadence=st.dictionaries(st.text(), JSON, max_size=3),
    versions=st.dictionaries(st.text(), st.text(), max_size=3),
    optimizer=CONFIGS,
    fragile_operations=st.lists(FRAGILE, max_size=3).map(tuple),
    all_pairs=st.lists(PAIRS, max_size=3).map(tuple),
    gradient_cuts=st.lists(CUTS, max_size=3).map(tuple),
)
FINDINGS = st.builds(
    Finding,
    rule=st.text(),
    layer=st.text(),
    severity=st.sampled_from(Severity),
    sign=st.text(),
    unit=st.sampled_from(UNITS),
    value=NUMBERS,
    threshold=NUMBERS,
    samples=STEPS,
    checks=STEPS,
    since_step=STEPS,
    opened_step=STEPS,
    last_step=STEPS,
    message=st.text(),
    might_be_wrong=st.text(),
    advice=st.text(),
    source=st.text(),
    units=st.lists(st.integers(0, 2**31), max_size=5).map(tuple),
    unit_count=STEPS,
    closed_step=st.none() | STEPS,
    root=st.none() | st.text(),
    origin=st.text(),
    reopened_step=st.none() | STEPS,
    follow_up=st.text(),
)
FINDING = Finding("r", "a", Severity.NOTE, "q", "", 1.0, 2.0, 1, 1, 0, 0, 0, "m", "w", "t", "s")


@given(RUNS)
def test_a_run_comes_back(spec: RunSpec) -> None:
    assert run_from_json(run_to_json(spec)) == spec


@given(FINDINGS)
def test_a_finding_comes_back(finding: Finding) -> None:
    assert finding_from_json(finding_to_json(finding)) == finding


def test_not_a_number_comes_back() -> None:
    restored = finding_from_json(finding_to_json(dataclasses.replace(FINDING, value=math.nan)))
    assert math.isnan(restored.value)


def test_the_text_is_strict_json() -> None:
    def reject(name: str) -> None:
        raise AssertionError(name)

    text = finding_to_json(dataclasses.replace(FINDING, value=math.nan, threshold=math.inf))
    assert json.loads(text, parse_constant=reject)["threshold"] == "Infinity"


def test_members_of_later_versions_are_ignored() -> None:
    members = json.loads(finding_to_json(FINDING)) | {"color": "red"}
    assert finding_from_json(json.dumps(members)) == FINDING


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("severity", "fatal", "severity must be one of note, warning, problem"),
        ("value", None, "value must be a number"),
        ("value", True, "value must be a number"),
        ("value", 10**400, "value must fit in 64 bits"),
        ("samples", 1.5, "samples must be a 64-bit integer"),
        ("last_step", 2**64, "last_step must be a 64-bit integer"),
        ("units", "all", "units must be a list"),
        ("layer", 3, "layer must be text"),
    ],
)
def test_a_damaged_finding_is_refused_by_name(member: str, value: object, message: str) -> None:
    members = json.loads(finding_to_json(FINDING)) | {member: value}
    with pytest.raises(UnreadableRunError, match=message):
        finding_from_json(json.dumps(members))


@pytest.mark.parametrize("member", ["rule", "severity", "value", "opened_step", "unit_count"])
def test_a_finding_without_a_member_is_refused(member: str) -> None:
    members = json.loads(finding_to_json(FINDING))
    del members[member]
    with pytest.raises(UnreadableRunError, match=member):
        finding_from_json(json.dumps(members))


@pytest.mark.parametrize("text", ["", "nope", "[" * 100_000, "[]", "3", b"\xff\xfe"])
def test_what_is_no_description_is_refused(text: str | bytes) -> None:
    with pytest.raises(UnreadableRunError, match="run's description"):
        run_from_json(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": -1}, "units must not be negative"),
        ({"output_shape": [None, "8"]}, "output_shape must be a 64-bit integer"),
        ({"trainable": 1}, "trainable must be true or false"),
        ({"config": [1]}, "config must be a JSON object"),
    ],
)
def test_a_damaged_layer_is_refused_by_name(change: dict[str, object], message: str) -> None:
    members = json.loads(run_to_json(RunSpec("m", (LayerSpec("a", "Dense"),))))
    members["layers"][0] |= change
    with pytest.raises(UnreadableRunError, match=message):
        run_from_json(json.dumps(members))


def test_values_of_a_configuration_that_a_later_version_writes_are_left_out() -> None:
    members = json.loads(run_to_json(RunSpec("m", (LayerSpec("a", "Dense"),))))
    members["layers"][0]["config"] = {"rate": 0.5, "nested": {"a": 1}, "lists": [[1], 2], "none": None}
    members["optimizer"] = {"class_name": "Adam", "large": 1e400}
    spec = run_from_json(json.dumps(members).replace("Infinity", "1e999"))
    assert spec.layers[0].config == {"rate": 0.5}
    assert spec.optimizer == {"class_name": "Adam"}


def test_cadence_must_be_json() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        run_to_json(RunSpec("m", (), cadence={"overhead": math.nan}))


def test_cadence_must_not_be_nested_deeply() -> None:
    members = json.loads(run_to_json(RunSpec("m", ())))
    text = json.dumps(members).replace('"cadence": {}', '"cadence": {"a": ' + "[" * 500 + "]" * 500 + "}")
    with pytest.raises(UnreadableRunError, match="cadence must not be nested more than 20 levels deep"):
        run_from_json(text)
