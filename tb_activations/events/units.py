"""The units of a run at its observed steps: stored in few bytes each, unpacked when they are asked for.

A full table of many units is large and says little more than the one before it. So most records keep exactly what the
rules judge (which units are silent, and the peaks of some layers), and only some keep the share of samples as well.
Between those, an active unit repeats its latest share.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.packing import pack, shape_of, unpack
from tb_activations.events.unit_coding import FIRST_LEVEL, NOT_MEASURED, TOP, quantize_activity, quantize_peak
from tb_activations.records.descriptions import moved
from tb_activations.records.step_record import StepRecord

Codes = NDArray[np.uint8]

PLANES = 3
"""Of a stored record: activity, peak, and whether the activity is a share; if not, it is 0 (silent) or 255 (active)."""


class UnitPacker:
    """Packs the units of the records of one event file, in their order."""

    def __init__(self) -> None:
        self._silent = np.zeros(0, bool)

    def pack(
        self,
        record: StepRecord,
        keeps_peaks: NDArray[np.bool_] | None,
        keeps_shares: NDArray[np.bool_] | None = None,
    ) -> bytes:
        """The units of a record.

        Args:
            record: at a later step than the one before.
            keeps_peaks: `[units]`, whose peaks are kept; None for a full table.
            keeps_shares: `[units]`, whose activity is kept as well; None for none.
        """
        activity, peak = quantize_activity(record.unit_activity), quantize_peak(record.unit_peak)
        before, self._silent = self._silent, activity == 0
        if keeps_peaks is None or len(before) != len(activity):
            return pack(np.stack([activity, peak, np.ones_like(peak)]))
        # The share of a unit that was silent cannot be repeated.
        known = self._silent | before | (activity == NOT_MEASURED)
        if keeps_shares is not None:
            known |= keeps_shares
        return pack(
            np.stack(
                [np.where(known, activity, TOP), np.where(keeps_peaks, peak, NOT_MEASURED), known.astype(np.uint8)]
            )
        )


@dataclasses.dataclass(frozen=True, eq=False)
class StoredUnits:
    """The units of one record.

    Attributes:
        content: packed bytes, or `[2, units]` as early versions stored them.
        places: of each unit of the newest description in this record, -1 for one it does not have; None if all are
            where they were.
    """

    content: bytes | Codes
    places: NDArray[np.int64] | None = None

    @property
    def nbytes(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.nbytes

    @property
    def count(self) -> int:
        """Number of units that were stored, -1 if the content is something else."""
        is_packed = isinstance(self.content, bytes)
        shape = shape_of(self.content) if isinstance(self.content, bytes) else self.content.shape
        return shape[1] if len(shape) == 2 and shape[0] == (PLANES if is_packed else 2) else -1

    def planes(self, units: int) -> Codes | None:
        """`[PLANES, units]`, None if the bytes do not hold it."""
        stored = unpack(self.content, np.uint8) if isinstance(self.content, bytes) else _with_known(self.content)
        if stored.ndim != 2 or stored.dtype != np.uint8 or len(stored) != PLANES:
            return None
        if self.places is not None:
            stored = moved(stored, self.places, NOT_MEASURED, 1)
        return stored if stored.shape[1] == units else None


def _with_known(codes: Codes) -> Codes:
    return np.concatenate([codes, np.ones_like(codes[:1])])


class UnitTable:
    """Activity and peak codes of `count` units at each observed step of a run; both are `NOT_MEASURED` without record.

    Args:
        count: of the units; 0 if none were recorded.
        stored: one entry per observed step, None for a step without units.
    """

    def __init__(self, count: int, stored: Sequence[StoredUnits | None]) -> None:
        self.count = count
        self._stored = tuple(stored)
        # Whoever looks at a layer asks for it several times in a row.
        self._latest: tuple[slice, Codes] | None = None

    @classmethod
    def of(cls, codes: Codes) -> UnitTable:
        """The table of `[steps, 2, units]`."""
        return cls(codes.shape[2], [StoredUnits(step) for step in codes])

    def __len__(self) -> int:
        """Number of observed steps."""
        return len(self._stored)

    @property
    def nbytes(self) -> int:
        """Memory in bytes, packed."""
        return sum(stored.nbytes for stored in self._stored if stored is not None)

    def steps(self) -> Iterator[Codes]:
        """`[2, units]` of each step in turn."""
        yield from self._steps(slice(0, self.count))

    def of_units(self, units: slice) -> Codes:
        """`[steps, 2, units]` of these units; read-only."""
        latest = self._latest
        if latest is not None and latest[0] == units:
            return latest[1]
        parts = list(self._steps(units))
        codes = np.stack(parts) if parts else np.zeros((0, 2, len(range(*units.indices(self.count)))), np.uint8)
        codes.flags.writeable = False
        self._latest = (units, codes)
        return codes

    def at(self, steps: Sequence[int] | NDArray[np.integer]) -> UnitTable:
        """The table of these steps, by their index; the first of them repeats no earlier share."""
        return UnitTable(self.count, [self._stored[int(step)] for step in steps])

    def _steps(self, units: slice) -> Iterator[Codes]:
        last = np.full(len(range(*units.indices(self.count))), FIRST_LEVEL, np.uint8)
        for stored in self._stored:
            planes = None if stored is None else stored.planes(self.count)
            if planes is None:
                yield np.full((2, len(last)), NOT_MEASURED, np.uint8)
                continue
            activity, peak, known = planes[:, units]
            activity = np.where(known != 0, activity, np.where(activity == 0, 0, last)).astype(np.uint8)
            is_share = (known != 0) & (activity != 0) & (activity != NOT_MEASURED)
            last = np.where(is_share, activity, last).astype(np.uint8)
            yield np.stack([activity, peak])
