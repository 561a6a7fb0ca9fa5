"""Writes `docs/compatibility.md` from the stored results."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

MODE_NAMES = (
    "XLA off",
    "XLA auto",
    "XLA on",
    "eager",
    "2 steps an execution",
    "mixed_float16",
    "mixed_bfloat16, loss scale",
    "gradient accumulation",
    "clipping",
    "EMA",
    "op determinism",
    "MirroredStrategy, 2 devices",
    "custom loop",
    "custom loop, XLA on",
)
"""The modes of `benchmarks.compatibility.modes`, without importing TensorFlow."""

_INTRODUCTION = """# Compatibility

`make compatibility` writes this page; do not edit it. Every cell is a real training. {versions}.

## Kinds of models, ways to train

Each cell is the same training twice in one process, four steps with and four without the callback, two of the four
observed. "identical" means that all weights are bit-identical afterwards. A number is the largest difference of an
element of a weight, relative to the largest element of that weight. One rounding is 1e-7, in bfloat16 4e-3. There are
three causes of such differences:

- With XLA, the observed step is fused differently.
- Without XLA, TensorFlow's graph optimizer computes some layers together with their successors, for example a dense
  layer and an activation layer, or two dropouts in a row. It cannot do so if the tensor between them is observed.
- In eager mode, TensorFlow adds the gradients that return to one output from three or more places in an order that
  depends on the number of operations on the way. An observed output has one operation more.

A layer that uses `tf.random.normal` or the like in a compiled step is different. TensorFlow keeps the state of such an
operation in the compiled step, so observed and plain steps each draw the same sequence from its beginning. The training
is as good, but not the same, and the callback logs a warning. `keras.random`, Keras' own layers and
`tf.random.Generator` keep their state in variables and draw the same numbers with and without observing.

"custom loop" is a custom training loop with `Recorder`, all others are `fit` with `LayerHealth`. "does not train" is a
training that TensorFlow rejects on this machine without the callback as well. "not run" is a cell that was skipped when
this page was written.
"""


def write(results: Path, page: Path) -> None:
    """Writes the page; cells without a result are "not run"."""
    kept = [json.loads(path.read_text("utf-8")) for path in sorted(results.glob("*.json"))]
    cells = {(result["kind"], result["mode"]): result for result in kept if "kind" in result}
    parts = [_INTRODUCTION.format(versions=_versions()), _cells(cells), _notes(cells)]
    architectures = [result for result in kept if "architecture" in result]
    if architectures:
        parts.append(_architectures(architectures))
    parts += [_workers(result) for result in kept if "writers" in result]
    page.write_text("\n".join(parts), "utf-8")


def _versions() -> str:
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("tensorflow", "keras"))
    return f"Python {platform.python_version()}, {packages}, {platform.machine()} CPU, no GPU"


def _cells(cells: dict[tuple[str, str], Any]) -> str:
    kinds = list(dict.fromkeys(kind for kind, _ in cells))
    order = _kind_order(kinds)
    lines = ["| | " + " | ".join(MODE_NAMES) + " |", "|---" * (len(MODE_NAMES) + 1) + "|"]
    for kind in order:
        lines.append(f"| {kind} | " + " | ".join(_cell(cells.get((kind, mode))) for mode in MODE_NAMES) + " |")
    return "\n".join(lines) + "\n"


def _kind_order(kinds: list[str]) -> list[str]:
    from benchmarks.compatibility.kinds import KINDS

    return [kind for kind in KINDS if kind in kinds]


def _cell(result: Any) -> str:
    if result is None:
        return "not run"
    if result["difference"] is None:
        return "does not train"
    if result["difference"] == float("inf"):
        return "**fails**"
    if not result["observed"] or result["failure"]:
        return "not observed"
    return "identical" if result["difference"] == 0 else f"{result['difference']:.0e}"


def _notes(cells: dict[tuple[str, str], Any]) -> str:
    lines = ["Details of single cells:", ""]
    grouped: dict[tuple[str, str], list[str]] = {}
    for (kind, mode), result in cells.items():
        if result["difference"] is None:
            grouped.setdefault((kind, f"does not train: {result['failure']}"), []).append(mode)
        elif result["failure"]:
            grouped.setdefault((kind, f"not observed: {result['failure']}"), []).append(mode)
        reasons: dict[str, list[str]] = {}
        for layer, reason in result["not_observed"].items():
            reasons.setdefault(reason, []).append(layer)
        for reason, layers in reasons.items():
            count = f"{len(layers)} layer{'s' if len(layers) > 1 else ''} without statistics"
            grouped.setdefault((kind, f"{count}: {reason}"), []).append(mode)
    for (kind, what), modes in sorted(grouped.items()):
        order = [mode for mode in MODE_NAMES if mode in modes]
        where = "in every mode" if len(order) >= len(MODE_NAMES) - 2 else "in " + ", ".join(order)
        lines.append(f"- {kind}, {where}: {what.replace('|', '/').rstrip('.')}.")
    return "\n".join(lines) + "\n"


def _architectures(results: list[Any]) -> str:
    results = sorted(results, key=lambda result: (result["source"], result["architecture"].lower()))
    complete = sum(result["weighted"] == result["weighted_observed"] and not result["failure"] for result in results)
    lines = [
        "## Architectures",
        "",
        "One observed training step each, random weights. "
        f"All layers with weights were recorded for {complete} of {len(results)}.",
        "",
        "| | from | input | parameters | layers with weights | of these recorded | weights with statistics | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        lines.append(
            f"| {result['architecture']} | {result['source']} | {result['input']} | {result['parameters']:,} "
            f"| {result['weighted']} | {result['weighted_observed']} | {result['trained']} | {result['failure']} |"
        )
    return "\n".join(lines) + "\n"


def _workers(result: Any) -> str:
    return f"""## Two processes

`MultiWorkerMirroredStrategy`, two processes on the loopback interface, a custom loop with `Recorder`,
{result["steps"]} steps, each process half of every batch, compared with one process with whole batches. Largest
relative difference of a recorded statistic: {result["difference"]:.0e} ({result["worst"]}). Spreads over samples and
units, saturation and kurtosis, which every replica estimates from its own part of the batch, differ by up to
{result["estimated"]:.0e}. Processes that wrote event files: {result["writers"]}.
"""
