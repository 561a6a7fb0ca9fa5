"""Writes the golden event file of the current schema version: `python -m tests.golden.make_golden`.

Only for a new version, into a new folder: files of versions that were released must never change.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tb_activations.events.json_codec import finding_to_json, run_to_json
from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.events.schema import SCHEMA_VERSION
from tests.synthetic import Plan, write_run

FOLDER = Path(__file__).parent
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


def contents(run: Run) -> dict[str, Any]:
    """All that a run holds, in JSON's own types; float32 as their exact float64, NaN and infinities as text."""
    return {
        "spec": json.loads(run_to_json(run.spec)),
        "rules": list(run.rules),
        "findings": [json.loads(finding_to_json(finding)) for finding in run.findings],
        "cost": dict(run.cost),
        "dropped": run.dropped,
        "arrays": {name: _array(getattr(run, name)) for name in ARRAYS},
    }


def _array(array: Any) -> dict[str, Any]:
    values = [
        value if value == value and abs(value) != float("inf") else str(value) for value in array.ravel().tolist()
    ]
    return {"dtype": str(array.dtype), "shape": list(array.shape), "values": values}


def main() -> None:
    """Write the runs and what they hold."""
    folder = FOLDER / f"v{SCHEMA_VERSION}"
    if folder.exists():
        sys.exit(f"{folder} exists; golden files are written once")
    for name, plan in RUNS.items():
        write_run(folder, name=name, plan=plan)
        (folder / f"{name}.json").write_text(json.dumps(contents(load(folder, name))) + "\n", "utf-8")


if __name__ == "__main__":
    main()
