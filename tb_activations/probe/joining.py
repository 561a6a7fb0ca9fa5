"""Values of several batches joined along their samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def joined(name: str, pieces: Sequence[NDArray[Any]], sizes: Sequence[int]) -> NDArray[Any]:
    """The pieces of one output, one per batch, joined along the first axis.

    Args:
        name: of the output, for the message.
        pieces: the output's values for each batch.
        sizes: samples in each batch.

    Raises:
        ValueError: the first axis does not count samples, so the pieces of several batches do not fit together.
    """
    if len(sizes) == 1:
        return pieces[0]
    # A layer may fold another axis, such as time, into that of the samples: then each sample has several rows.
    rows_per_sample = {piece.shape[0] / size if piece.ndim else 0 for piece, size in zip(pieces, sizes, strict=False)}
    if len(pieces) != len(sizes) or len(rows_per_sample) != 1 or not rows_per_sample.pop():
        raise ValueError(
            f"The outputs of layer {name!r} for several batches cannot be joined: their shapes are "
            f"{[piece.shape for piece in pieces][:3]} for batches of {list(sizes)[:3]} samples. Leave it out with "
            "`layers`, or give a `batch_size` that holds all samples."
        )
    return np.concatenate(pieces)
