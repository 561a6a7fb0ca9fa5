"""Compares two runs.

A comparison covers what a repeated training reproduces: layers, weights, observed steps and all statistics; on request
units, histograms, findings and pictures. It ignores wall time, host, file and run names, monitoring overhead,
versions, cadence, thresholds and the wording of findings. In an "auto" run the clock decides after which epochs the
probe data are evaluated, so these values are compared only at steps where both runs have them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from tb_activations.comparison.axis import Match, axis
from tb_activations.comparison.comparison import Comparison
from tb_activations.comparison.difference import Placed
from tb_activations.comparison.findings import findings
from tb_activations.comparison.pairing import pair
from tb_activations.comparison.pictures import pictures
from tb_activations.comparison.statistics import Matched, statistics
from tb_activations.comparison.structure import observed_steps, structure
from tb_activations.comparison.tolerance import Tolerances
from tb_activations.comparison.units import histograms, units
from tb_activations.events.run import Run

_ON_REQUEST: dict[str, Callable[[Matched], Iterator[Placed]]] = {
    "units": units,
    "histograms": histograms,
    "findings": findings,
    "pictures": pictures,
}
ASPECTS = tuple(_ON_REQUEST)
"""What is compared on request."""


def compare(
    expected: Run,
    actual: Run,
    tolerances: Tolerances | None = None,
    *,
    match: Match = "step",
    include: Collection[str] = (),
    name: str | None = None,
) -> Comparison:
    """Everything that differs between two runs.

    Args:
        expected: the reference.
        actual: the run to compare with it.
        tolerances: per statistic and layer; None for `Tolerances()`.
        match: "step" compares the same steps; "epoch" the last observed step of each epoch, for runs whose epochs have
            different numbers of steps.
        include: what is compared as well, any of `ASPECTS`.
        name: of the comparison; None for that of the expected run.

    Raises:
        ValueError: `match` or `include` is not allowed, or a run has no epochs to match by.
    """
    for aspect in include:
        if aspect not in ASPECTS:
            raise ValueError(f"include must contain only {', '.join(ASPECTS)}, got {aspect!r}")
    pairing = pair(expected.spec, actual.spec)
    matched = Matched(expected, actual, pairing, axis(expected, actual, match), tolerances or Tolerances())
    found = list(_differences(matched))
    for aspect in ASPECTS:
        if aspect in include:
            found += _ON_REQUEST[aspect](matched)
    # Sorting is stable: without a place of their own, differences keep the order in which they were found.
    found.sort(key=lambda placed: placed.order)
    return Comparison(
        name=expected.name if name is None else name,
        differences=tuple(placed.difference for placed in found),
        steps=len(matched.axis.keys),
        match=match,
        tolerances=matched.tolerances,
        renamed=pairing.renamed,
        aspects=tuple(aspect for aspect in ASPECTS if aspect in include),
    )


def _differences(matched: Matched) -> Iterator[Placed]:
    for difference in structure(matched.pairing):
        yield Placed((-2,), difference)
    for difference in observed_steps(matched.axis, matched.expected, matched.actual):
        yield Placed((-1 if difference.step is None else difference.step, 0), difference)
    yield from statistics(matched)
