"""Stores the state of a training, so that a later training can be recognized as its continuation."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.errors import UnreadableRunError

SAMPLE_SIZE = 256
"""Weights kept for comparison with another training: with this many, independent weights correlate by about 0.06."""
_LARGEST_TEXT = 65_536
_LARGEST_COUNT = 2**62


@dataclasses.dataclass(frozen=True, eq=False)
class StoredState:
    """The state of a training between two steps.

    Attributes:
        iterations: the optimizer's step count.
        step: number of the next step in the run.
        digest: of the fingerprint of the weights; equal weights have equal digests.
        start_iterations, start_digest: of the state in which the run began; "" if the model had no weights yet.
        sample: float32 `[at most SAMPLE_SIZE]`, some of the weights; empty if they were not kept.
        is_end: whether the training ended here.
    """

    iterations: int
    step: int
    digest: str
    start_iterations: int
    start_digest: str
    sample: NDArray[np.float32]
    is_end: bool = False

    @property
    def is_start(self) -> bool:
        """Whether this is the state in which the run began."""
        return (self.iterations, self.digest) == (self.start_iterations, self.start_digest)


def digest(weights: NDArray[np.float32]) -> str:
    """16 hexadecimal digits that identify the fingerprint bitwise: NaN equals NaN, -0 differs from 0."""
    return hashlib.blake2b(np.ascontiguousarray(weights, "<f4").tobytes(), digest_size=8).hexdigest()


def sample(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Evenly strided elements of a fingerprint, at most `SAMPLE_SIZE`."""
    return weights[:: max(1, -(-len(weights) // SAMPLE_SIZE))]


def state_to_json(state: StoredState) -> str:
    fields: dict[str, Any] = {
        "iterations": state.iterations,
        "step": state.step,
        "digest": state.digest,
        "start_iterations": state.start_iterations,
        "start_digest": state.start_digest,
    }
    if len(state.sample):
        fields["sample"] = base64.b64encode(np.ascontiguousarray(state.sample, "<f4").tobytes()).decode()
    if state.is_end:
        fields["is_end"] = True
    return json.dumps(fields)


def state_from_json(text: bytes) -> StoredState:
    """The state from `state_to_json`; unknown members are ignored.

    Raises:
        UnreadableRunError: the text is not what this package writes.
    """
    if len(text) > _LARGEST_TEXT:
        raise UnreadableRunError("a state of the training is too long")
    try:
        fields = json.loads(text)
        counts = [fields["iterations"], fields["step"], fields["start_iterations"]]
        digests = [fields["digest"], fields["start_digest"]]
        stored = np.frombuffer(base64.b64decode(fields.get("sample", ""), validate=True), "<f4").astype(np.float32)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise UnreadableRunError(f"a state of the training cannot be read: {error!r}") from error
    if not all(type(count) is int and 0 <= count <= _LARGEST_COUNT for count in counts):
        raise UnreadableRunError("a state of the training has invalid counts")
    if not all(isinstance(one, str) for one in digests):
        raise UnreadableRunError("a state of the training has invalid digests")
    return StoredState(counts[0], counts[1], digests[0], counts[2], digests[1], stored, fields.get("is_end") is True)
