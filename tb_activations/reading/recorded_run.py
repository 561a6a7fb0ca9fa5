"""A recorded run with the files that it was read from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from tb_activations.events import stock_tags
from tb_activations.events.files import event_files
from tb_activations.events.run import Run
from tb_activations.events.stock_tags import Scalars, StoredImage
from tb_activations.health.verdict import Verdict, verdict
from tb_activations.reading.dataframe import dataframe
from tb_activations.records.formatting import number

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T", Scalars, list[StoredImage])
_LISTED = 20
_WIDTH = 100


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RecordedRun(Run):
    """A `Run` that was read from files, with what people need: verdict, other tags of its folder, a picture of itself.

    At a prompt it shows a few lines, in a notebook the verdict, sparklines and findings.

    Attributes:
        path: folder or event file that it was read from.
        remarks: problems with the data: a damaged or unfinished file, values that did not fit.
    """

    path: Path = Path()
    remarks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name of the run; that of its folder if the run is the log directory itself."""
        return self.name if self.name != "." else self.path.resolve().name

    @property
    def verdict(self) -> Verdict:
        """The state of the run after its last observed step, in one sentence."""
        return verdict(self.spec, self.findings, self.last_outcomes, self.rules, self.last_training)

    @property
    def scalar_tags(self) -> list[str]:
        """Scalar tags of all writers in the folder, sorted; read from the files now."""
        return stock_tags.tags(self.files, stock_tags.SCALARS)

    @property
    def image_tags(self) -> list[str]:
        """Image tags of all writers in the folder, sorted; read from the files now."""
        return stock_tags.tags(self.files, stock_tags.IMAGES)

    def scalars(self, tag: str, folder: str = ".") -> Scalars:
        """A scalar of any writer: steps, wall times and values, in the order written, read from the files now.

        Args:
            tag: such as "gradient_norm/conv", or "epoch_loss" of Keras' TensorBoard callback.
            folder: where the other writer's files are, relative to the run's folder, such as "train".

        Raises:
            KeyError: there is no such tag; the message lists the tags.
        """
        found = stock_tags.scalars(self._files(folder), tag)
        return self._known(found, bool(len(found.steps)), tag, folder, stock_tags.SCALARS)

    def images(self, tag: str, folder: str = ".") -> list[StoredImage]:
        """The images of any writer: step, wall time and encoded image, in the order written, read from the files now.

        Args:
            tag: such as "feature_maps/conv".
            folder: where the other writer's files are, relative to the run's folder.

        Raises:
            KeyError: there is no such tag; the message lists the tags.
        """
        found = stock_tags.images(self._files(folder), tag)
        return self._known(found, bool(found), tag, folder, stock_tags.IMAGES)

    def to_dataframe(self, table: Literal["layers", "weights", "steps"] = "layers") -> pd.DataFrame:
        """A table as a pandas data frame: step, epoch, wall time, the layer or weight, then one column per statistic.

        Args:
            table: "layers" has one row per observed step and layer, "weights" one per observed step and weight,
                "steps" one per observed step.

        Raises:
            ImportError: pandas is not installed.
            ValueError: `table` is not allowed.
        """
        return dataframe(self, table)

    def __repr__(self) -> str:
        return "\n".join(_lines(self))

    def _repr_html_(self) -> str:
        # Only notebooks need the template.
        from tb_activations.report.card import run_card

        return run_card(self, self.title, self.remarks)

    def _files(self, folder: str) -> Sequence[Path]:
        return self.files if folder == "." else event_files(self.path / folder)

    def _known(self, found: T, is_known: bool, tag: str, folder: str, kind: str) -> T:
        if is_known:
            return found
        there = stock_tags.tags(self._files(folder), kind)
        more = f" and {len(there) - _LISTED} more" if len(there) > _LISTED else ""
        listed = f"they are {', '.join(there[:_LISTED])}{more}" if there else "there are none"
        where = self.path if folder == "." else self.path / folder
        raise KeyError(f"no {kind} {tag!r} in {where}; {listed}")


def recorded(run: Run, path: Path, remarks: Sequence[str] = ()) -> RecordedRun:
    """`run` with where it comes from."""
    if run.dropped:
        remarks = [*remarks, f"{run.dropped} values did not fit the run's description and were left out"]
    fields = {field.name: getattr(run, field.name) for field in dataclasses.fields(Run)}
    return RecordedRun(**fields, path=path, remarks=tuple(remarks))


def _lines(run: RecordedRun) -> list[str]:
    still_open = _plural(sum(finding.closed_step is None for finding in run.findings), "open finding")
    layers = _plural(len(run.layers), "layer")
    lines = [f"<Run {run.title!r} of model {run.spec.model!r}: {layers}, {_extent(run)}, {still_open}>"]
    lines.append(f"  {run.verdict.sentence}")
    losses = run.step_stat("loss")
    measured = losses[~np.isnan(losses)]
    if measured.size:
        lines.append(f"  loss {number(float(measured[0]))} to {number(float(measured[-1]))}")
    lines += [f"  data issue: {remark}" for remark in run.remarks]
    return [line if len(line) <= 2 * _WIDTH else f"{line[: 2 * _WIDTH - 1]}…" for line in lines]


def _extent(run: Run) -> str:
    if not len(run.steps):
        return "no observed step"
    epochs = np.unique(run.epochs[run.epochs >= 0])
    steps = f"{_plural(len(run.steps), 'observed step')} from {run.steps[0]} to {run.steps[-1]}"
    return f"{steps} in {_plural(len(epochs), 'epoch')}" if len(epochs) else steps


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
