"""A comparison as text, short enough to be read in the output of a test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tb_activations.comparison.difference import Cause, Difference, shown

if TYPE_CHECKING:
    # At run time the arrow points the other way.
    from tb_activations.comparison.comparison import Comparison, FolderComparison

LINES = 40
"""Lines of a text at most."""
LARGEST = 5
_TITLES = {
    Cause.HYPERPARAMETER: ("hyperparameter", "hyperparameters"),
    Cause.LAYER: ("property of layers", "properties of layers"),
    Cause.STATISTIC: ("statistic", "statistics"),
    Cause.FINDING: ("outcome or finding", "outcomes and findings"),
    Cause.PICTURE: ("picture", "pictures"),
}
_SHORTEST = 3
"""Lines of a group at least."""


def comparison_text(comparison: Comparison, lines: int = LINES) -> str:
    """What differs, in at most `lines` lines (at least 20): the first step and layer with both values and the
    tolerance, a summary, the groups by cause, then the largest differences. Statistics have one line for each layer.
    """
    if comparison.is_equal:
        return f"equal at {_plural(comparison.steps, comparison.match)} within {comparison.tolerances.default}"
    groups = {cause: _group(cause, found) for cause, found in comparison.grouped.items()}
    head = [
        *_first(comparison),
        f"Different: {summary(comparison)}; compared {_plural(comparison.steps, comparison.match)}",
    ]
    if comparison.renamed:
        head.append(f"Renamed layers, paired by position: {_renamed(comparison)}")
    tail = list(_largest(comparison))
    room = lines - len(head) - len(tail) - len(groups)
    body = []
    for (cause, found), size in zip(groups.items(), _shares([len(one) for one in groups.values()], room), strict=True):
        body += [_title(cause, comparison.grouped[cause]), *_shortened(found, size)]
    return "\n".join([*head, *body, *tail])


def folder_text(comparison: FolderComparison, lines: int = LINES) -> str:
    """The same for folders of runs; each run that differs gets an equal share of the lines."""
    alone = len(comparison.comparisons) == 1 and not comparison.missing and not comparison.added
    if alone:
        return comparison_text(comparison.comparisons[0], lines)
    parts = [f"run {name!r} is only in the expected folder" for name in comparison.missing]
    parts += [f"run {name!r} is only in the actual folder" for name in comparison.added]
    different = [one for one in comparison.comparisons if not one.is_equal]
    for one in different:
        first = one.first_in_a_layer or one.first
        parts.append(f"run {one.name!r}, {first}; different: {summary(one)}")
    if not parts:
        return f"equal: {_plural(len(comparison.comparisons), 'run')}"
    return "\n".join(_shortened(parts, lines))


def summary(comparison: Comparison) -> str:
    """How many things differ, by cause."""
    parts = []
    for cause, found in comparison.grouped.items():
        layers = {one.layer for one in found if one.layer is not None}
        where = f" of {_plural(len(layers), 'layer')}" if cause is Cause.STATISTIC and layers else ""
        parts.append(f"{len(found):,} {_TITLES[cause][len(found) != 1]}{where}")
    return ", ".join(parts)


def _first(comparison: Comparison) -> Iterator[str]:
    first, layer = comparison.first, comparison.first_in_a_layer
    yield str(first)
    if layer is not None and layer is not first:
        yield f"First layer: {layer}"


def _group(cause: Cause, found: Sequence[Difference]) -> list[str]:
    if cause is not Cause.STATISTIC:
        return [f"  {_with_count(one)}" for one in found]
    by_layer: dict[str | None, list[Difference]] = {}
    for one in found:
        by_layer.setdefault(one.layer, []).append(one)
    return [f"  {own[0]}{_others(own)}" for own in by_layer.values()]


def _others(found: Sequence[Difference]) -> str:
    return f", and {_plural(len(found) - 1, 'other statistic')}" if len(found) > 1 else ""


def _with_count(difference: Difference) -> str:
    if difference.compared == 1:
        return str(difference)
    return f"{difference}, at {difference.count:,} of {difference.compared:,}"


def _title(cause: Cause, found: Sequence[Difference]) -> str:
    title = _TITLES[cause][1]
    return f"{title[0].upper()}{title[1:]} ({len(found):,}):"


def _largest(comparison: Comparison) -> Iterator[str]:
    measured = [one for one in comparison.largest(LARGEST) if one.largest is not None]
    if len(measured) < 2:
        return
    yield "Largest:"
    for one in measured:
        assert one.largest is not None
        place = ", ".join(
            part
            for part in (
                f"step {one.largest.step}",
                f"layer {one.layer!r}" if one.layer else "",
                f"weight {one.weight!r}" if one.weight else "",
            )
            if part
        )
        values = f"expected {shown(one.largest.expected)}, got {shown(one.largest.actual)}"
        yield f"  {place}: {one.what} {values} ({one.tolerance})"


def _renamed(comparison: Comparison) -> str:
    pairs = [f"{one} -> {other}" for one, other in comparison.renamed.items()]
    more = f" and {len(pairs) - 4} more" if len(pairs) > 4 else ""
    return ", ".join(pairs[:4]) + more


def _shares(sizes: Sequence[int], room: int) -> list[int]:
    """How many lines each group gets: short groups all, long ones an equal share of the remainder."""
    shares = [0] * len(sizes)
    order = sorted(range(len(sizes)), key=lambda place: sizes[place])
    for rank, place in enumerate(order):
        shares[place] = max(_SHORTEST, min(sizes[place], room // (len(order) - rank)))
        room -= shares[place]
    return shares


def _shortened(lines: Sequence[str], size: int) -> list[str]:
    if len(lines) <= size:
        return list(lines)
    return [*lines[: size - 1], f"  and {len(lines) - size + 1:,} more"]


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
