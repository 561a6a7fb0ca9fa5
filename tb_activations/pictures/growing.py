"""A table that grows over time in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_TIMES = 256


class Growing:
    """Rows of `width` numbers; beyond `MOST_TIMES` rows every second row is dropped and every second row skipped."""

    def __init__(self, width: int) -> None:
        self._rows: list[NDArray[np.float32]] = []
        self._every, self._seen, self._width = 1, 0, width

    def append(self, row: NDArray[np.float32]) -> None:
        if self._seen % self._every == 0:
            self._rows.append(row)
        self._seen += 1
        if len(self._rows) > MOST_TIMES:
            self._rows, self._every = self._rows[::2], self._every * 2

    def table(self) -> NDArray[np.float32]:
        """`[times, width]`."""
        return np.array(self._rows, np.float32).reshape(-1, self._width)
