"""Which judged steps are written, and which of them get histograms."""

from __future__ import annotations

FINEST_SHARE = 1 / 150
CLOSE_RECORDS = 500
"""With "auto" a record may be closer to the one before than this share of all steps, but only this many times: calling
`fit` again and again would otherwise fill the disk with the dense beginning of each."""

HISTOGRAM_GROWTH = 1.2
"""Histograms are written when the run has this many times the steps that it had at the last ones."""
UNITS_GROWTH = 1.2
"""The share of samples of every unit is written as often. Which units are silent is in every record."""
SCALARS_GROWTH = 1.05
"""Stock scalars are written as often; TensorBoard shows at most 1,000 points of a scalar."""
FINDINGS_GROWTH = 1.2
FEW_FINDINGS = 16
"""All findings are written as often, and whenever one changes in a run with few; otherwise those that changed."""


class Spacing:
    """Keeps the records of a run apart.

    Args:
        is_auto: whether the cadence is "auto" or "sparse"; otherwise the user chose the steps, and all are written.
    """

    def __init__(self, *, is_auto: bool) -> None:
        self._is_auto = is_auto
        self._close_records = 0
        self.begin_run()

    def begin_run(self, written_step: int = -1, histogram_step: int = -1) -> None:
        """Begins a run, or continues one in which these steps were written last."""
        self._written_step, self._histogram_step = written_step, histogram_step
        self._units_step = self._scalars_step = self._findings_step = -1

    def is_due(self, step: int) -> bool:
        """Whether a step without news is written; counts those that are close to the one before."""
        if not self._is_auto or step - self._written_step >= step * FINEST_SHARE:
            return True
        # Across runs: it is the disk that fills.
        self._close_records += 1
        return self._close_records <= CLOSE_RECORDS

    def wants_histograms(self, step: int) -> bool:
        """Whether this step, which is observed, gets histograms. A record with histograms is always written."""
        return step >= self._histogram_step * HISTOGRAM_GROWTH + 1

    def note_histograms(self, step: int) -> None:
        """Takes note that this step has histograms."""
        self._histogram_step = step

    def wants_units(self, step: int) -> bool:
        """Whether the record of this step, which is written, gets the share of samples of every unit."""
        return step >= self._units_step * UNITS_GROWTH + 1

    def wants_scalars(self, step: int) -> bool:
        """Whether stock scalars are written with the record of this step."""
        return step >= self._scalars_step * SCALARS_GROWTH

    def wants_whole(self, step: int, findings: int) -> bool:
        """Whether all findings are written with the record of this step, which has a change; takes note if so."""
        is_due = findings <= FEW_FINDINGS or step >= self._findings_step * FINDINGS_GROWTH + 1
        if is_due:
            self._findings_step = step
        return is_due

    def wrote(self, step: int, *, with_units: bool, with_scalars: bool) -> None:
        """Takes note that the record of this step was written."""
        self._written_step = step
        if with_units:
            self._units_step = step
        if with_scalars:
            self._scalars_step = step
