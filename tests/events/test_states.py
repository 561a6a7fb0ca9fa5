"""States of trainings as text, and what a hostile text gives."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.states import SAMPLE_SIZE, StoredState, digest, sample, state_from_json, state_to_json


@given(
    counts=st.tuples(*[st.integers(0, 2**60)] * 3),
    values=st.lists(st.floats(width=32), max_size=30),
)
def test_a_state_comes_back_as_it_was(counts: tuple[int, int, int], values: list[float]) -> None:
    weights = np.array(values, np.float32)
    state = StoredState(counts[0], counts[1], digest(weights), counts[2], digest(weights[:1]), weights)
    again = state_from_json(state_to_json(state).encode())
    assert (again.iterations, again.step, again.start_iterations) == counts
    assert (again.digest, again.start_digest) == (state.digest, state.start_digest)
    np.testing.assert_array_equal(again.sample, weights)


@pytest.mark.parametrize("is_end", [False, True])
def test_the_end_of_a_training_is_marked(is_end: bool) -> None:
    state = StoredState(1, 2, "a", 0, "b", np.zeros(0, np.float32), is_end)
    assert state_from_json(state_to_json(state).encode()).is_end is is_end
    # Versions before 0.9.7 mark no end.
    assert ("is_end" in json.loads(state_to_json(state))) is is_end


def test_members_that_are_not_known_are_ignored() -> None:
    state = StoredState(1, 2, "a", 0, "b", np.zeros(0, np.float32))
    text = json.dumps({**json.loads(state_to_json(state)), "later": [1]})
    assert state_from_json(text.encode()).step == 2


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b"\xff",
        b'{"iterations": -1, "step": 0, "digest": "", "start_iterations": 0, "start_digest": ""}',
        b'{"iterations": true, "step": 0, "digest": "", "start_iterations": 0, "start_digest": ""}',
        b'{"iterations": 1e3, "step": 0, "digest": "", "start_iterations": 0, "start_digest": ""}',
        b'{"iterations": 0, "step": 0, "digest": 3, "start_iterations": 0, "start_digest": ""}',
        b'{"iterations": 0, "step": 0, "digest": "", "start_iterations": 0, "start_digest": "", "sample": "?"}',
        b'{"iterations": 0, "step": 0, "digest": "", "start_iterations": 0, "start_digest": "", "sample": "QUI="}',
        b'{"iterations": 0, "step": 0, "digest": "", "start_iterations": 0, "start_digest": "", "sample": 5}',
        b'{"a": ' * 5000,
        b" " * 70_000,
    ],
)
def test_what_is_no_state_is_refused(text: bytes) -> None:
    with pytest.raises(UnreadableRunError, match="a state of the training"):
        state_from_json(text)


def test_a_digest_tells_bits_apart() -> None:
    zeros = np.zeros(4, np.float32)
    assert digest(zeros) == digest(zeros.copy())
    assert digest(zeros) != digest(-zeros)
    assert digest(np.full(4, np.nan, np.float32)) == digest(np.full(4, np.nan, np.float32))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 1024, 1500])
def test_a_sample_is_spread_and_small(size: int) -> None:
    taken = sample(np.arange(size, dtype=np.float32))
    assert len(taken) <= SAMPLE_SIZE
    assert size == 0 or (taken[0] == 0 and taken[-1] >= size - 1 - size / 100)
