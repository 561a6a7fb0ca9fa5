"""The arguments that `LayerHealth` and `Recorder` share, checked once."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from tb_activations.health.rules import Rule, RuleChoice, configure
from tb_activations.recording.announce import OnProblem, check_on_problem
from tb_activations.recording.folder.path import check_log_dir, resolved_log_dir
from tb_activations.recording.sample_ids import SampleId, check_sample_id
from tb_activations.records.arguments import invalid
from tb_activations.taps.layers import LayerChoice, check_choice
from tb_activations.taps.schedule.cadence import UpdateFreq, check_cadence

EpochFreq = int | Literal["auto", "epoch"]


@dataclasses.dataclass(frozen=True)
class Clocks:
    """What tells the time: seconds for costs, seconds since the epoch for records.

    With clocks of the caller everything happens on the training's thread, in an order that repeats.
    """

    clock: Callable[[], float] = time.perf_counter
    wall_clock: Callable[[], float] = time.time

    @property
    def is_real(self) -> bool:
        """Whether costs are measured in real time."""
        return self.clock is time.perf_counter


@dataclasses.dataclass(frozen=True)
class Settings:
    """Checked arguments; the fields mean what they mean in `LayerHealth`.

    Attributes:
        log_dir: as `resolved_log_dir` gives it.
        histogram_freq, image_freq: "auto", or a number of epochs, 0 for never.
    """

    log_dir: str
    update_freq: UpdateFreq
    overhead: float
    layers: LayerChoice
    histogram_freq: int | Literal["auto"]
    image_freq: int | Literal["auto"]
    rules: tuple[Rule, ...]
    on_problem: OnProblem
    stock_summaries: bool
    sample_id: SampleId = None

    @property
    def cadence(self) -> Mapping[str, Any]:
        """The arguments that decide which steps are observed, as a run's description has them."""
        return {"update_freq": self.update_freq, "overhead": self.overhead}

    @property
    def snapshot_overhead(self) -> float | None:
        """Share of the training time that limits snapshots; None where the user chose their frequency."""
        return self.overhead if self.image_freq == "auto" else None


def checked_settings(
    *,
    log_dir: str | os.PathLike[str],
    update_freq: UpdateFreq,
    overhead: float,
    layers: LayerChoice,
    histogram_freq: EpochFreq,
    image_freq: EpochFreq,
    rules: RuleChoice,
    on_problem: OnProblem,
    stock_summaries: bool,
    sample_id: SampleId = None,
) -> Settings:
    """The settings in these arguments.

    Raises:
        TypeError, ValueError: an argument is not allowed; the message names it.
    """
    resolved = resolved_log_dir(log_dir)
    check_log_dir(resolved)
    check_cadence(update_freq, overhead)
    check_choice(layers)
    check_on_problem(on_problem)
    check_sample_id(sample_id)
    return Settings(
        log_dir=resolved,
        update_freq=update_freq,
        overhead=float(overhead),
        layers=layers,
        histogram_freq=_epochs("histogram_freq", histogram_freq),
        image_freq=_epochs("image_freq", image_freq),
        rules=configure(rules),
        on_problem=on_problem,
        stock_summaries=stock_summaries,
        sample_id=sample_id,
    )


def _epochs(name: str, value: EpochFreq) -> int | Literal["auto"]:
    if value == "epoch":
        return 1
    if value == "auto":
        return "auto"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise invalid(name, repr(value), '"auto", "epoch", 0 for never, or a number of epochs')


def check_count(name: str, value: object, least: int) -> None:
    """Raises ValueError, naming the argument, for anything but None or a whole number from `least`."""
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
        raise invalid(name, repr(value), f"a whole number from {least}")
