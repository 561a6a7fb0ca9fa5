"""Summarizes the results: for each property of a description the number of trials, and how many of them differ."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping

from benchmarks.odd_models.description import Description
from benchmarks.odd_models.processes import Result

COUNTED = ("structure", "inputs", "state", "noise", "step", "loss", "optimizer", "extra", "way", "policy")


def table(results: Mapping[Description, Result]) -> str:
    """Lines of text, differing trials last."""
    tried: Counter[tuple[str, str]] = Counter()
    off: Counter[tuple[str, str]] = Counter()
    for described, result in results.items():
        for pair in _properties(described):
            tried[pair] += 1
            off[pair] += bool(result["complaints"])
    lines = ["", f"{'property':12} {'value':28} {'models':>6} {'off':>4}"]
    lines += [f"{name:12} {value:28} {count:6} {off[name, value]:4}" for (name, value), count in sorted(tried.items())]
    failed = [result for result in results.values() if result["complaints"]]
    told = [result for result in results.values() if result["notices"]]
    rounded = sum(bool(result["rounded"]) for result in results.values())
    records = [result["records"] for result in results.values()]
    lines += ["", *(f"OFF {result['description']}\n    {'; '.join(result['complaints'])}" for result in failed)]
    lines.append(
        f"{len(results)} models, {len(failed)} off, {rounded} the same but for operations that TensorFlow's graph "
        f"optimizer merges, {len(told)} with a notice in the log, "
        f"{min(records)} to {max(records)} records each"
    )
    return "\n".join(lines)


def _properties(described: Description) -> Iterator[tuple[str, str]]:
    values = dataclasses.asdict(described)
    yield from ((name, values[name]) for name in COUNTED)
    for part in {part.kind for part in (*described.first, *described.later)}:
        yield "part", part
    for style in {part.style for part in (*described.first, *described.later) if part.activation != "none"}:
        yield "style", style
