"""Writes the golden event files of the current schema version: `python -m tests.golden.make_golden`.

Only what is missing is written: files of versions that were released must never change.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tb_activations.events.json_codec import finding_to_json, run_to_json
from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.events.schema import SCHEMA_VERSION
from tests.synthetic import Plan, write_run

FOLDER = Path(__file__).parent
TRAINED = "trained"
RUNS = {"sick": Plan(layers=5, steps=12, units=3), "hostile": Plan(layers=4, steps=4, units=2, hostile=True)}
ARRAYS = (
    "steps",
    "wall_times",
    "layer_table",
    "weight_table",
    "step_table",
    "unit_codes",
    "histogram_steps",
    "histogram_table",
    "outcomes",
)


def contents(run: Run, like: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Everything in a run, in JSON's own types; float32 as their exact float64, NaN and infinities as text.

    Args:
        like: what an earlier version of this function gave. Members of layers and findings that were added later are
            then left out if they are empty.
    """
    spec = json.loads(run_to_json(run.spec))
    findings = [json.loads(finding_to_json(finding)) for finding in run.findings]
    cost = {name: value if value == value else "NaN" for name, value in run.cost.items()}
    if like:
        cost = _known(cost, like["cost"])
        spec = _known(spec, like["spec"])
        spec["layers"] = [_known(*pair) for pair in zip(spec["layers"], like["spec"]["layers"], strict=True)]
        findings = [_known(*pair) for pair in zip(findings, like["findings"], strict=True)]
    return {
        "spec": spec,
        "rules": list(run.rules),
        "findings": findings,
        "cost": cost,
        "dropped": run.dropped,
        "arrays": {name: _array(getattr(run, name)) for name in ARRAYS},
    }


_EMPTY: tuple[Any, ...] = (None, "", False, 0, [], {}, "NaN")
"""Values of members that say nothing."""


def _known(members: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name in like or value not in _EMPTY}


def _array(array: Any) -> dict[str, Any]:
    values = [
        value if value == value and abs(value) != float("inf") else str(value) for value in array.ravel().tolist()
    ]
    return {"dtype": str(array.dtype), "shape": list(array.shape), "values": values}


def main() -> None:
    """Write the runs that are missing, and what they hold."""
    folder = FOLDER / f"v{SCHEMA_VERSION}"
    missing = [name for name in (*RUNS, TRAINED) if not (folder / name).exists()]
    if not missing:
        sys.exit(f"{folder} holds every run; golden files are written once")
    for name in missing:
        if name == TRAINED:
            write_trained_run(folder / name)
        else:
            write_run(folder, name=name, plan=RUNS[name])
        (folder / f"{name}.json").write_text(json.dumps(contents(load(folder, name))) + "\n", "utf-8")


def write_trained_run(folder: Path) -> None:
    """What a real training writes: a layer whose activations are punished until it dies, after the first steps."""
    import keras
    from keras import layers

    from tb_activations import LayerHealth
    from tests.training.models import digits

    keras.utils.set_random_seed(0)
    x, y = digits(256)
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(
                4, 3, strides=2, activation="relu", activity_regularizer=keras.regularizers.L1(1.0), name="dying"
            ),
            layers.Flatten(name="flatten"),
            layers.Dense(8, "relu", name="hidden"),
            layers.Dense(10, name="head"),
        ],
        name="digits",
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    callback = LayerHealth(folder, update_freq=4, image_freq=0, stock_summaries=True)
    model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0, callbacks=[callback])
    (folder / ".layer_health.lock").unlink(missing_ok=True)
    for path in folder.iterdir():
        # TensorFlow puts host and process into the name.
        path.rename(folder / f"events.out.tfevents.{path.name.split('.')[3]}.trained.1.0.v2")


if __name__ == "__main__":
    main()
