"""Constants of Python that the tab needs, too: `python -m tests.project.shared_constants` writes them for it."""

from __future__ import annotations

import json
from typing import Any

from tb_activations.health.rules import deaths, poor_init, rates, suspects, vanishing_gradient
from tb_activations.taps.schedule import cadence
from tests.live_server import ROOT

PATH = ROOT / "frontend" / "src" / "core" / "constants.json"


def constants() -> dict[str, Any]:
    """By the name that the tab uses."""
    return {
        "freeSeconds": cadence.FREE_SECONDS,
        "longestGap": cadence.LONGEST_GAP,
        "scheduleGrowth": cadence.GROWTH,
        "finestShare": cadence.FINEST_SHARE,
        "risen": rates.RISEN,
        "ratePhrases": list(rates.RATE_PHRASES),
        "endedPhrase": suspects.ENDED_PHRASE,
        "insteadPhrase": deaths.INSTEAD,
        "startPhrase": deaths.HARDLY_FIRED,
        "tooSmallPhrase": rates.TOO_SMALL,
        "clipPhrase": rates.CLIPPING,
        "forHe": sorted(poor_init.FOR_HE),
        "bounded": sorted(vanishing_gradient.BOUNDED),
    }


def text() -> str:
    """Of the file."""
    return json.dumps(constants(), indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), "utf-8")
