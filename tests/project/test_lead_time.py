from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.cases.lead import lead, loss_alarm

FALLING = [1 / (1 + step / 20) for step in range(200)]


@pytest.mark.parametrize(
    ("losses", "alarm"),
    [
        (FALLING, None),
        ([*FALLING[:50], math.nan, *FALLING[50:]], 50),
        ([*FALLING[:60], 40.0, *FALLING[60:]], 60),
        ([*FALLING[:100], *[FALLING[100]] * 100], pytest.approx(125, abs=10)),
    ],
    ids=["falling", "NaN", "spike", "plateau"],
)
def test_an_alarm_that_watches_the_loss(losses: list[float], alarm: object) -> None:
    assert loss_alarm(losses) == alarm


def test_noise_around_a_falling_loss_is_no_alarm() -> None:
    random = np.random.default_rng(0)
    noisy = [loss + 0.002 * random.normal() for loss in FALLING]
    assert loss_alarm(noisy) is None


@pytest.mark.parametrize(("found", "alarm", "expected"), [(10, 30, 4), (30, 10, -4), (10, None, 18), (10, 10, 0)])
def test_the_lead_counts_observed_steps(found: int, alarm: int | None, expected: int) -> None:
    assert lead(found, alarm, range(0, 100, 5)) == expected
