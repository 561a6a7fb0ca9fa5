"""Which judged steps are written."""

from __future__ import annotations

import itertools

from tb_activations.recording.spacing import CLOSE_RECORDS, Spacing


def written(spacing: Spacing, steps: range) -> list[int]:
    due = []
    for step in steps:
        if spacing.is_due(step):
            spacing.wrote(step, with_units=False, with_scalars=False)
            due.append(step)
    return due


def test_every_step_that_the_user_chose_is_written() -> None:
    assert written(Spacing(is_auto=False), range(0, 3000, 3)) == list(range(0, 3000, 3))


def test_steps_apart_from_each_other_cost_no_allowance() -> None:
    spacing = Spacing(is_auto=True)
    far = range(0, 400 * CLOSE_RECORDS, 2000)
    assert written(spacing, far) == list(far)
    assert len(written(spacing, range(10**7, 10**7 + CLOSE_RECORDS + 50))) == CLOSE_RECORDS + 1


def test_the_allowance_for_close_records_lasts_over_all_runs() -> None:
    spacing, total = Spacing(is_auto=True), 0
    for start in (10**6, 2 * 10**6, 3 * 10**6):
        spacing.begin_run(start)
        total += len(written(spacing, range(start + 1, start + 800)))
    assert total == CLOSE_RECORDS


def test_histograms_become_rarer() -> None:
    spacing, steps = Spacing(is_auto=True), []
    for step in range(1000):
        if spacing.wants_histograms(step):
            steps.append(step)
            spacing.note_histograms(step)
    assert steps[:4] == [0, 1, 3, 5]
    assert len(steps) < 120
    gaps = [later - earlier for earlier, later in itertools.pairwise(steps)]
    assert gaps == sorted(gaps)


def test_a_continued_run_keeps_its_distance() -> None:
    spacing = Spacing(is_auto=True)
    spacing.begin_run(written_step=5000, histogram_step=5000)
    assert not spacing.wants_histograms(5100)
    assert spacing.wants_histograms(6001)
