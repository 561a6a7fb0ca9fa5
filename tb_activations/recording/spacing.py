"""Which judged steps are written, and which of them get histograms."""

from __future__ import annotations

FINEST_SHARE = 1 / 400
CLOSE_RECORDS = 1000
"""With "auto" a record may be closer to the one before than this share of all steps, but only this many times: calling
`fit` again and again would otherwise fill the disk with the dense beginning of each."""

HISTOGRAM_GROWTH = 1.05
"""Histograms are written when the run has this many times the steps that it had at the last ones."""


class Spacing:
    """Keeps the records of a run apart.

    Args:
        is_auto: whether the cadence is "auto"; otherwise the user chose the steps, and every one is written.
    """

    def __init__(self, *, is_auto: bool) -> None:
        self._is_auto = is_auto
        self._close_records = 0
        self.begin_run()

    def begin_run(self, written_step: int = -1, histogram_step: int = -1) -> None:
        """Begins a run, or continues one in which these steps were written last."""
        self._written_step, self._histogram_step = written_step, histogram_step

    def is_due(self, step: int) -> bool:
        """Whether a step without news is written; counts those that are close to the one before."""
        if not self._is_auto or step - self._written_step >= step * FINEST_SHARE:
            return True
        # Across runs: it is the disk that fills.
        self._close_records += 1
        return self._close_records <= CLOSE_RECORDS

    def wants_histograms(self, step: int) -> bool:
        return step >= self._histogram_step * HISTOGRAM_GROWTH + 1

    def wrote(self, step: int, *, has_histograms: bool) -> None:
        """Takes note that the record of this step was written."""
        self._written_step = step
        if has_histograms:
            self._histogram_step = step
