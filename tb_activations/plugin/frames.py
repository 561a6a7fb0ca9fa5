"""Response bodies: frames of float32 with a JSON header, and JSON without bare NaN."""

from __future__ import annotations

import dataclasses
import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALIGNMENT = 4


@dataclasses.dataclass(frozen=True)
class Frame:
    """A numeric answer: `header` as in `docs/http_api.md`, without `shape`; `data` is float32 of any shape."""

    header: Mapping[str, Any]
    data: NDArray[np.float32]

    def encode(self) -> bytes:
        """Length of the header, header, data; little-endian, the data aligned to 4 bytes."""
        header = to_json({**self.header, "shape": list(self.data.shape)})
        header += b" " * (-len(header) % _ALIGNMENT)
        return struct.pack("<I", len(header)) + header + np.ascontiguousarray(self.data, "<f4").tobytes()


def to_json(value: object) -> bytes:
    """JSON in ASCII; non-finite numbers become null."""
    return json.dumps(finite(value), allow_nan=False).encode("ascii")


def finite(value: object) -> object:
    """`value` with every non-finite number in it replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [finite(member) for member in value]
    return value
