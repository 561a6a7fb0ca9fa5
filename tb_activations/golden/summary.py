"""The summary of a golden: text for people that differs little in a pull request if little has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tb_activations.events.run import Run
from tb_activations.health.verdict import headline, verdict
from tb_activations.records.finding import Finding
from tb_activations.records.formatting import number
from tb_activations.records.specs import CUT, Config, LayerSpec
from tb_activations.records.thinning import shown
from tb_activations.report import words

ROWS = 3
"""Steps of each layer: the first, the middle and the last one."""
TRAINING_ROWS = 9
TRAINING = ("loss", "learning_rate", "samples")
LAYER = ("mean", "std", "silent_fraction", "gradient_norm", "weight_norm", "update_ratio")
_NARROWEST = 8
_ELSEWHERE = ("activation", "units", "filters", "use_bias", "data_format", CUT)
"""Members of a configuration that are shown otherwise, or that hardly change."""


def golden_summary(run: Run, title: str) -> str:
    """One line for each fact: the model, the verdict, findings, the training, then three steps of each layer. Values
    have three digits, since the event file has them exactly.
    """
    return "\n".join([*_head(run, title), *_training(run), *_layers(run)]) + "\n"


def _head(run: Run, title: str) -> Iterator[str]:
    seen = (run.spec, run.findings, run.last_outcomes, run.rules, run.last_training)
    yield title
    yield "The event file next to this text is compared; `pytest --update-layer-health` writes both."
    yield ""
    yield f"model: {len(run.layers)} layers, {sum(_parameters(run)):,} parameters"
    yield f"loss: {run.spec.loss or 'unknown'}{' from logits' if run.spec.from_logits else ''}"
    if run.spec.optimizer:
        kind, *arguments = _listed(run.spec.optimizer)
        yield f"optimizer: {', '.join([kind.removeprefix('class_name '), *arguments])}"
    steps = f"{len(run.steps)}, {run.steps[0]} to {run.steps[-1]}" if len(run.steps) else "none"
    yield f"observed steps: {steps}"
    yield from (f"{name}: {version}" for name, version in sorted(run.spec.versions.items()))
    yield f"verdict: {words.printable(verdict(*seen).sentence)}"
    yield from (f"finding: {_finding(finding)}" for finding in run.findings)


def _parameters(run: Run) -> Iterator[int]:
    """Of each layer, without single calls of a layer and what is inside of other layers."""
    names = {layer.name for layer in run.spec.layers}
    for layer in run.spec.layers:
        is_inner = any(layer.name.startswith(f"{name}/") for name in names)
        if not layer.call_site and not is_inner:
            yield layer.parameters


def _finding(finding: Finding) -> str:
    where = words.printable(words.place(finding))
    end = f" to {finding.closed_step}" if finding.closed_step is not None else ""
    return (
        f"{finding.severity.value}, {where}: {words.printable(headline(finding))}, since step {finding.since_step}{end}"
    )


def _training(run: Run) -> Iterator[str]:
    yield ""
    yield "training"
    yield _row("step", TRAINING, TRAINING)
    for place in shown(len(run.steps), TRAINING_ROWS).tolist():
        cells = [_text(run.step_stat(name)[place]) for name in TRAINING]
        yield _row(str(run.steps[place]), cells, TRAINING)


def _layers(run: Run) -> Iterator[str]:
    """One heading for all layers: a network of fifty would repeat it fifty times."""
    places = shown(len(run.steps), ROWS).tolist()
    columns = {name: run.stat(name) for name in LAYER}
    yield ""
    yield "layers"
    yield _row("step", LAYER, LAYER)
    for row, layer in enumerate(run.spec.layers):
        yield _described(layer)
        if not any(np.isfinite(values[places, row]).any() for values in columns.values()):
            continue
        for place in places:
            cells = [_text(columns[name][place, row]) for name in LAYER]
            yield _row(str(run.steps[place]), cells, LAYER)


def _described(layer: LayerSpec) -> str:
    shape = " x ".join("·" if size is None else str(size) for size in layer.output_shape)
    parts = [f"{layer.class_name} {shape}".strip(), layer.activation or "", f"{layer.parameters:,} parameters"]
    parts.append("trainable" if layer.trainable else "frozen" if layer.parameters else "")
    parts += _listed(layer.config)
    return f"layer {words.printable(layer.name)}: {', '.join(filter(None, parts))}"


def _listed(config: Config) -> list[str]:
    return [words.printable(f"{name} {value}") for name, value in config.items() if name not in _ELSEWHERE]


def _row(step: str, cells: Sequence[str], columns: Sequence[str]) -> str:
    """Cells below their headings."""
    widths = [max(len(column), _NARROWEST) + 2 for column in columns]
    return (f"{step:>6}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))).rstrip()


def _text(value: float) -> str:
    return "" if np.isnan(value) else number(float(value))
