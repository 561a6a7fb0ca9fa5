"""The tables of a run as pandas data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.run import Run
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("layers", "weights", "steps")


def dataframe(run: Run, table: str) -> pd.DataFrame:
    """One of `TABLES`: step, epoch (-1 if unknown), wall time, the layer or weight, then the statistics.

    Raises:
        ImportError: pandas is not installed.
        ValueError: `table` is not allowed.
    """
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(TABLES)}, got {table!r}")
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise ImportError('to_dataframe needs pandas. Install it with: pip install "tb-activations[pandas]"') from error
    if table == "steps":
        return pandas.DataFrame(_columns(run, 1) | _named(run.step_table, STEP_COLUMNS))
    rows, values, names = (
        (run.layers, run.layer_table, LAYER_COLUMNS)
        if table == "layers"
        else (run.weights, run.weight_table, WEIGHT_COLUMNS)
    )
    named: dict[str, Any] = {table.removesuffix("s"): np.tile(np.array(rows, object), len(run.steps))}
    flat = values.reshape(-1, len(names))
    return pandas.DataFrame(_columns(run, len(rows)) | named | _named(flat, names))


def _columns(run: Run, repeats: int) -> dict[str, Any]:
    times = {"step": run.steps, "epoch": run.epochs, "wall_time": run.wall_times}
    return {name: np.repeat(values, repeats) for name, values in times.items()}


def _named(values: NDArray[np.float32], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: values[:, place] for place, name in enumerate(names)}
