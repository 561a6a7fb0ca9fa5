"""Clocks in place of the machine's: users have no argument for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tb_activations import LayerHealth, Recorder
from tb_activations.recording.settings import Clocks

Made = TypeVar("Made", LayerHealth, Recorder)


def clocked(
    made: Made, clock: Callable[[], float] = time.perf_counter, wall_clock: Callable[[], float] = time.time
) -> Made:
    """The callback or recorder, before its first step, with these clocks."""
    made._use_clocks(Clocks(clock, wall_clock))
    return made
