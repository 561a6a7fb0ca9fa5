"""The time budget of observations, on a simulated clock."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest

from tb_activations.taps.schedule.cadence import FREE_SECONDS, LONGEST_GAP, Cadence, StepClock, Thinning, check_cadence


def simulate(
    cadence: Cadence,
    steps: int,
    *,
    plain: float,
    extra: float,
    trace: float = 0.0,
    trace_plain: float = 0.0,
    epoch: int | None = None,
) -> tuple[list[int], float]:
    """Runs `steps` steps that take `plain` seconds, observed ones `extra` more; returns the observed steps and time.

    The first one takes `trace` seconds more, the first one that is not observed `trace_plain`.
    """
    now = 0.0
    observed: list[int] = []
    for step in range(steps):
        is_end = epoch is not None and step % epoch == epoch - 1
        if cadence.is_due(StepClock(step, is_end, is_last=step == steps - 1), now):
            seconds = plain + extra + (trace if not observed else 0.0)
            observed.append(step)
            cadence.observed_step(step, seconds)
        else:
            seconds = plain + (trace_plain if len(observed) == step else 0.0)
            cadence.plain_step(seconds)
        now += seconds
    return observed, now


@pytest.mark.parametrize("extra", [0.02, 0.1, 1.0])
@pytest.mark.parametrize("plain", [0.002, 0.05, 0.5])
def test_auto_keeps_its_budget_on_runs_longer_than_a_few_minutes(plain: float, extra: float) -> None:
    cadence = Cadence("auto", 0.02)
    steps = int(max(600, 3600 * plain) / plain)
    observed, now = simulate(cadence, steps, plain=plain, extra=extra, trace=5.0)
    spent = now - steps * plain - 5.0
    # The first minute and the very last step are observed regardless of the budget, and so that no gap is too long.
    free = sum(step * plain <= FREE_SECONDS for step in observed) * extra
    gap = max(LONGEST_GAP, extra / 0.02)
    assert spent <= max(0.02 * now, free + extra * now / gap) + extra + 1e-6
    assert observed[-1] == steps - 1
    assert cadence.share(now) == pytest.approx(spent / now, abs=1e-3)
    assert cadence.account.one_time == pytest.approx(5.0)


@pytest.mark.parametrize(("plain", "extra", "records"), [(0.3, 0.108, 956), (0.49, 0.09, 1472), (1.52, 0.06, 4107)])
def test_how_many_records_a_long_training_of_slow_steps_has(plain: float, extra: float, records: int) -> None:
    observed, now = simulate(
        Cadence("auto", 0.02), 50_000, plain=plain, extra=extra, trace=15, trace_plain=5, epoch=113
    )
    assert len(observed) == records
    # The number of steps bounds the records, and the longest gap adds to them where steps are slow.
    assert len(observed) <= 150 * (1 + math.log(50_000 / 150)) + now / LONGEST_GAP


@pytest.mark.parametrize(
    ("plain", "extra", "noise"), [(0.05, 0.02, 0.3), (0.5, 2.0, 0.1), (3.0, 0.1, 0.1), (7.0, 0.3, 0.0)]
)
def test_a_live_training_is_never_unobserved_for_long(plain: float, extra: float, noise: float) -> None:
    cadence, now, starts, rng = Cadence("auto", 0.02), 0.0, [], random.Random(3)
    for step in range(int(1800 / plain)):
        seconds = plain * (1 + noise * rng.random())
        if cadence.is_due(StepClock(step, is_epoch_end=False), now):
            starts.append(now)
            seconds += extra + (60.0 if len(starts) == 1 else 0.0)
            cadence.observed_step(step, seconds)
        else:
            cadence.plain_step(seconds)
        now += seconds
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts[1:])]
    # The budget is kept to the step, so that a gap may be one step longer where observing is expensive.
    slowest = plain * (1 + noise)
    is_expensive = extra / 0.02 > LONGEST_GAP
    assert max(gaps) <= ((extra + plain * noise) / 0.02 + slowest if is_expensive else LONGEST_GAP)


@pytest.mark.parametrize("plain", [0.001, 0.1, 10.0])
def test_sparse_observes_the_same_few_steps_whatever_the_clock(plain: float) -> None:
    observed, _ = simulate(Cadence("sparse", 0.02), 20_001, plain=plain, extra=1.0, epoch=40)
    assert observed[:26] == [*range(21), 25, 31, 38, 47, 58]
    assert all(later <= 1.25 * earlier for earlier, later in itertools.pairwise(observed[21:]))
    assert observed[-1] == 20_000
    assert len(observed) <= 22 + 4.5 * math.log(20_000 / 20)


def test_sparse_observes_the_ends_of_epochs_if_looks_are_asked_for() -> None:
    observed, _ = simulate(Cadence("sparse", 0.02, has_asked_looks=True), 400, plain=0.1, extra=0.1, epoch=50)
    assert set(range(49, 400, 50)) <= set(observed)


def test_a_short_run_gets_enough_observations_and_the_ends_of_epochs() -> None:
    observed, _ = simulate(Cadence("auto", 0.02), 120, plain=0.01, extra=0.05, epoch=40)
    assert observed[:10] == list(range(10))
    assert {39, 79, 119} <= set(observed)
    assert len(observed) >= 30


def test_a_run_shorter_than_a_minute_is_observed_to_its_end() -> None:
    observed, now = simulate(Cadence("auto", 0.02), 1140, plain=0.004, extra=0.01, trace=3.0, epoch=57)
    assert now < FREE_SECONDS
    assert observed[-1] == 1139
    assert max(later - earlier for earlier, later in itertools.pairwise(observed)) <= 0.15 * 1140
    assert len(observed) < 100


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_a_machine_that_becomes_slower_or_faster_does_not_change_the_account(factor: float) -> None:
    cadence, now, free, spent = Cadence("auto", 0.02), 0.0, 0.0, 0.0
    for step in range(4000):
        speed = 1.0 if now < 300 else factor
        seconds = 0.2 * speed
        if cadence.is_due(StepClock(step, is_epoch_end=False), now):
            cost = 0.1 * speed
            cadence.observed_step(step, seconds + cost)
            free, spent = free + (cost if now <= FREE_SECONDS else 0.0), spent + cost
            seconds += cost
        else:
            cadence.plain_step(seconds)
        now += seconds
    # Both medians lag behind for some steps.
    assert cadence.account.spent == pytest.approx(spent, abs=1.0)
    assert spent <= max(0.02 * now, free + 0.1 * max(1.0, factor) * now / LONGEST_GAP) + 1.0


def test_tracing_for_minutes_leaves_the_first_observations_as_they_are() -> None:
    quick, _ = simulate(Cadence("auto", 0.02), 300, plain=0.5, extra=0.1)
    slow, _ = simulate(Cadence("auto", 0.02), 300, plain=0.5, extra=0.1, trace=300.0, trace_plain=100.0)
    # As many as half of the first minute.
    assert [step for step in slow if step < 100] == [step for step in quick if step < 100]
    assert slow[:10] == list(range(10))


def test_one_step_that_is_traced_again_does_not_delay_the_next_observations() -> None:
    cadence, now, observed = Cadence("auto", 0.02, free_seconds=0.0), 0.0, []
    for step in range(600):
        seconds = 0.5
        if cadence.is_due(StepClock(step, is_epoch_end=False), now):
            observed.append(now)
            seconds += {0: 30.0, 1: 10.0}.get(len(observed) - 1, 0.1)
            cadence.observed_step(step, seconds)
        else:
            cadence.plain_step(seconds)
        now += seconds
    gaps = [later - earlier for earlier, later in itertools.pairwise(observed)]
    assert len(observed) > 15
    assert max(gaps[1:]) <= LONGEST_GAP + 10 + 1


def test_ends_of_epochs_are_charged_without_the_first_look() -> None:
    cadence = Cadence("auto", 0.02)
    for look, end in ((9.0, 10.0), (0.0, 1.0), (2.0, 2.5)):
        if look:
            cadence.account.look(look)
        cadence.account.end_of_epoch(end)
    assert (cadence.account.spent, cadence.account.one_time) == (4.5, 9.0)


def test_the_first_observations_do_not_depend_on_the_clock() -> None:
    slow, _ = simulate(Cadence("auto", 0.02), 150, plain=0.1, extra=0.2)
    quick, _ = simulate(Cadence("auto", 0.02), 150, plain=0.001, extra=0.002)
    assert slow[:30] == quick[:30]


def test_the_number_of_records_is_bounded_even_without_overhead() -> None:
    steps = 200_000
    observed, _ = simulate(Cadence("auto", 0.02), steps, plain=0.01, extra=0.0)
    # Without overhead, an observation every 20 seconds is what is left to bound.
    assert len(observed) <= 150 * (1 + math.log(steps / 150)) + steps * 0.01 / LONGEST_GAP + 100


def test_a_number_is_the_interval_in_steps() -> None:
    observed, _ = simulate(Cadence(16, 0.02), 100, plain=0.01, extra=9.0)
    assert observed == [0, 16, 32, 48, 64, 80, 96]


def test_batch_is_every_step_and_epoch_the_last_step_of_each_epoch() -> None:
    assert simulate(Cadence("batch", 0.02), 5, plain=0.01, extra=0.1)[0] == [0, 1, 2, 3, 4]
    assert simulate(Cadence("epoch", 0.02), 10, plain=0.01, extra=0.1, epoch=5)[0] == [4, 9]


@pytest.mark.parametrize("value", ["often", 0, -3, 2.5, True, None])
def test_an_invalid_update_freq_is_named(value: Any) -> None:
    with pytest.raises(ValueError, match=r'`update_freq`.*"auto", "sparse", "batch", "epoch"'):
        check_cadence(value, 0.02)


@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), (0, ValueError), (1.5, ValueError), ("2%", TypeError)])
def test_an_invalid_overhead_is_named(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"`overhead`.*{value}"):
        check_cadence("auto", value)


def test_trainings_of_a_run_share_its_free_time() -> None:
    first, second = Cadence("auto", 0.02), Cadence("auto", 0.02, free_seconds=0.0)
    dense, _ = simulate(first, 200, plain=0.1, extra=0.2)
    assert first.seconds == pytest.approx(199 * 0.1 + 0.2 * (len(dense) - 1))
    sparse, _ = simulate(second, 200, plain=0.1, extra=0.2)
    assert len(sparse) < 10 < len(dense)
    again = Cadence("auto", 0.02, free_seconds=0.0)
    again.begin_run()
    assert simulate(again, 200, plain=0.1, extra=0.2)[0] == dense


def test_thinning() -> None:
    def due(frequency: int | str, epochs: int) -> list[int]:
        thinning = Thinning(frequency)
        taken = []
        for epoch in range(epochs):
            if thinning.is_due(epoch):
                thinning.done(epoch)
                taken.append(epoch)
        return taken

    assert due(0, 9) == []
    assert due(3, 9) == [2, 5, 8]
    assert due("auto", 8) == list(range(8))
    assert len(due("auto", 1000)) < 40


def test_thinning_of_several_trainings() -> None:
    thinning = Thinning("auto")

    def taken(epochs: range) -> list[int]:
        due = []
        for epoch in epochs:
            if thinning.is_due(epoch):
                thinning.done(epoch)
                due.append(epoch)
        return due

    first = taken(range(20))
    thinning.begin_training()
    second = taken(range(20))
    thinning.begin_training()
    # Counted from 0 again, or from where the training before ended: the run continues.
    third = taken(range(40, 60))
    assert 0 < len(third) < len(second) < len(first)
    thinning.begin_run()
    assert taken(range(20)) == first


def test_requested_looks_have_a_record_at_the_end_of_every_epoch() -> None:
    cadence = Cadence("auto", 0.02, has_asked_looks=True)
    observed, now = simulate(cadence, 4000, plain=0.5, extra=5.0, epoch=100)
    assert set(range(99, 4000, 100)) <= set(observed)
    before = cadence.share(now)
    cadence.account.look(40.0)
    assert cadence.share(now) == before
    assert cadence.account.one_time >= 40.0
    cadence.account.look(100.0)
    assert cadence.share(now) == pytest.approx(before + 100 / now)


def test_looks_count_toward_the_budget_unless_requested() -> None:
    def observations(has_asked_looks: bool, seconds: float) -> int:
        cadence = Cadence("auto", 0.02, has_asked_looks=has_asked_looks)
        cadence.account.look(1.0)
        cadence.account.look(seconds)
        return len(simulate(cadence, 20_000, plain=0.05, extra=0.05)[0])

    assert observations(False, 15.0) < observations(False, 0.0)
    assert observations(True, 15.0) == observations(True, 0.0)
