"""Parts of the answers that need no server."""

from __future__ import annotations

import argparse
import json
import math
import struct
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tb_activations.plugin.frames import Frame, to_json
from tb_activations.plugin.loader import SAMPLES, LayerHealthLoader
from tb_activations.records import thinning
from tb_activations.records.finding import Outcome

SEVERITY_ORDER = [
    Outcome.PROBLEM,
    Outcome.WARNING,
    Outcome.NOTE,
    Outcome.ERROR,
    Outcome.OK,
    Outcome.INSUFFICIENT_DATA,
    Outcome.NOT_APPLICABLE,
]


@given(st.integers(0, 3000), st.integers(1, 1200))
def test_shown_steps_are_spread_between_the_first_and_the_last(steps: int, limit: int) -> None:
    indices = thinning.shown(steps, limit)
    assert len(indices) == min(steps, limit)
    assert np.all(np.diff(indices) > 0)
    if steps:
        assert indices[-1] == steps - 1
    if min(steps, limit) > 1:
        assert indices[0] == 0
        assert np.ptp(np.diff(indices)) <= 1


def test_a_wide_answer_holds_fewer_steps() -> None:
    assert len(thinning.shown(10_000, 10_000, width=100_000)) == thinning.LARGEST_ANSWER // 100_000
    assert len(thinning.shown(10, 10, width=2**40)) == 1


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.just(2), st.integers(1, 3)), elements=st.integers(0, 6)),
    st.data(),
)
def test_health_is_the_worst_of_what_a_step_stands_for(outcomes: Any, data: st.DataObject) -> None:
    indices = thinning.shown(len(outcomes), data.draw(st.integers(1, 50)))
    health = thinning.health(outcomes, indices)
    begin = 0
    for column, index in enumerate(indices):
        for layer in range(2):
            seen = set(outcomes[begin : index + 1, layer].ravel().tolist())
            assert health[layer, column] == next(outcome for outcome in SEVERITY_ORDER if outcome in seen)
        begin = index + 1


def test_without_rules_nothing_is_applicable() -> None:
    health = thinning.health(np.empty((3, 2, 0), np.uint8), np.arange(3))
    assert (health == Outcome.NOT_APPLICABLE).all()


@given(st.text(max_size=9), arrays(np.float32, st.tuples(st.integers(0, 3), st.integers(0, 3))))
def test_a_frame_comes_apart_again(name: str, data: Any) -> None:
    body = Frame({"run": name, "low": math.nan}, data).encode()
    (length,) = struct.unpack("<I", body[:4])
    header = json.loads(body[4 : 4 + length])
    assert length % 4 == 0
    assert header == {"run": name, "low": None, "shape": list(data.shape)}
    np.testing.assert_array_equal(np.frombuffer(body[4 + length :], "<f4").reshape(data.shape), data)


def test_json_has_no_bare_nan_and_survives_lone_surrogates() -> None:
    value = {"a": [math.inf, (math.nan, 1.5)], "\ud800": {"b": -math.inf}}
    assert json.loads(to_json(value)) == {"a": [None, [None, 1.5]], "\ud800": {"b": None}}


@pytest.mark.parametrize(
    ("given_flags", "expected"),
    [
        ({"samples_per_plugin": {}}, {"layer_health": SAMPLES}),
        ({"samples_per_plugin": {"layer_health": 7, "images": 3}}, {"layer_health": 7, "images": 3}),
        ({"samples_per_plugin": None}, None),
    ],
)
def test_the_loader_asks_for_samples_unless_the_user_did(given_flags: dict[str, Any], expected: Any) -> None:
    flags = argparse.Namespace(**given_flags)
    LayerHealthLoader().fix_flags(flags)
    assert flags.samples_per_plugin == expected


def test_the_loader_bears_flags_of_another_tensorboard() -> None:
    LayerHealthLoader().fix_flags(argparse.Namespace())


def test_the_server_side_imports_no_tensorflow() -> None:
    program = "import sys, tb_activations.plugin.plugin; print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
