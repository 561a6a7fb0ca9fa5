"""What a regression test must notice in a real training, and what it must not."""

from __future__ import annotations

import pytest

from tb_activations.testing import ASPECTS, Tolerances, compare_folders
from tests.golden.changes import CHANGES
from tests.golden.conftest import Recorded
from tests.thorough import mostly


def test_an_unchanged_training_is_exactly_equal(recorded: Recorded) -> None:
    found = compare_folders(recorded(""), recorded("again"), Tolerances.of(0, 0), include=ASPECTS)
    assert found.is_equal, found.text()
    # With the same readings of the clock, even the files are the same.
    first, second = (next(recorded(name).glob("*tfevents*")).read_bytes() for name in ("", "again"))
    assert first == second


@pytest.mark.parametrize("change", mostly(CHANGES, ["frozen layer"]))
def test_a_change_is_reported_with_its_first_step_and_layer(recorded: Recorded, change: str) -> None:
    layer, cause = CHANGES[change]
    (comparison,) = compare_folders(recorded(""), recorded(change), Tolerances.of(1e-3, 1e-6)).comparisons
    first = comparison.first_in_a_layer
    assert first is not None
    assert (first.step, first.layer) == (0, layer)
    lines = comparison.text().splitlines()
    assert any(f"step 0, layer '{layer}'" in line and "rtol=0.001" in line for line in lines[:2])
    causes = {one.what for group, found in comparison.grouped.items() if group != "statistic" for one in found}
    assert (cause in causes) if cause else causes == set()
    assert len(lines) <= 40
