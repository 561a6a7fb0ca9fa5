"""Three replicas of a real training record what one device does, and the data that leave a step do not grow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.replicas import BAD_ROW, BAD_STEP, BATCH, DEVICES, STEPS, TOTALS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    command = [sys.executable, "-m", "tests.training.replicas", str(tmp_path_factory.mktemp("logs"))]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_layers_have_the_statistics_of_the_whole_batch(seen: Any) -> None:
    layers = seen["one"]["layers"]
    assert len(layers) == len(seen["three"]["layers"])
    # Gates and attention are measured on a sample of the batch, on each replica: together, that is more.
    is_whole = np.array([not name.endswith(("gate", "candidate", "heads")) for name in layers])
    for name, table in seen["one"]["tables"].items():
        one, three = np.array(table), np.array(seen["three"]["tables"][name])
        assert one.shape == (STEPS, len(layers))
        np.testing.assert_allclose(three[:, is_whole], one[:, is_whole], rtol=2e-4, atol=1e-6, err_msg=name)


def test_the_step_has_the_totals_of_the_whole_batch(seen: Any) -> None:
    for name in set(TOTALS) - {"nonfinite_replica"}:
        np.testing.assert_allclose(seen["three"]["totals"][name], seen["one"]["totals"][name], rtol=1e-4, err_msg=name)


def test_the_replica_with_the_bad_row_is_named(seen: Any) -> None:
    replica = BAD_ROW // (BATCH // DEVICES)
    assert seen["three"]["totals"]["nonfinite_replica"] == [-1] * BAD_STEP + [replica] + [-1] * (STEPS - BAD_STEP - 1)
    (message,) = seen["three"]["messages"]
    assert f"Row {BAD_ROW} of that batch" in message
    assert f"only replica {replica} (counted from 0)" in message
    assert "replica" not in seen["one"]["messages"][0]


def test_gradients_that_keras_has_summed_are_not_summed_again(seen: Any) -> None:
    assert seen["reductions"]["observed"] == seen["reductions"]["plain"]


def test_gradients_before_clipping_are_summed_on_their_own(seen: Any) -> None:
    assert seen["reductions"]["clipping"] == sorted([*seen["reductions"]["plain"]] * 2)
    tables = seen["one"]["tables"], seen["clipping"]["tables"]
    first = [np.array(table["weight_gradient_norm"])[0] for table in tables]
    np.testing.assert_allclose(first[1], first[0], rtol=1e-4)
