"""Some of the known cases, trained and judged as `make accuracy` does with all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cases import CASES
from benchmarks.cases.scoring import score
from benchmarks.cases.training import train

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

HEALTHY = ("relu_plain", "residual_zero_branches", "branches_and_loops")
SICK = ("dead_layer_by_bias", "no_gradient_stopped")


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_cases_are_quiet(name: str, tmp_path: Path) -> None:
    train(CASES[name], tmp_path)
    result = score(CASES[name], tmp_path)
    assert [finding.message for finding in result.found] == []
    assert result.unconfirmed == ()


# Keras' own warning about a layer without a gradient, which is the point of `no_gradient_stopped`.
@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables:UserWarning")
@pytest.mark.parametrize("name", SICK)
def test_sick_cases_are_found_in_the_right_layer(name: str, tmp_path: Path) -> None:
    train(CASES[name], tmp_path)
    result = score(CASES[name], tmp_path)
    assert result.unconfirmed == ()
    assert [finding.message for finding in result.false_alarms] == []
    assert (result.is_found, result.is_right_layer) == (True, True)
