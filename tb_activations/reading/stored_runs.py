"""The runs below a log directory, without reading their records."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from tb_activations.events.paths import local_path
from tb_activations.events.reader import run_names
from tb_activations.events.whereabouts import no_run
from tb_activations.reading.one import read_folder
from tb_activations.reading.recorded_run import RecordedRun


@dataclasses.dataclass(frozen=True, order=True)
class StoredRun:
    """A recorded run on disk.

    Attributes:
        name: path of the run's folder below the log directory, "." for the log directory itself.
        path: the run's folder.
    """

    name: str
    path: Path

    def load(self) -> RecordedRun:
        """Reads the whole run.

        Raises:
            FileNotFoundError: the run has been deleted.
            SchemaError, UnreadableRunError: as `tb_activations.load`.
        """
        run = read_folder(self.path, self.name)
        if run is None:
            raise no_run(self.path)
        return run


def runs(logdir: str | os.PathLike[str]) -> tuple[StoredRun, ...]:
    """The runs at or below `logdir`, sorted by name; empty if there are none or the directory does not exist.

    ```python
    for run in runs("logs"):
        print(run.name, len(run.load().findings))
    ```

    Only the first events of each event file are read. Links to directories are followed. A directory or file that
    cannot be opened is skipped with a warning.

    Raises:
        RemotePathError: `logdir` is not a local folder.
        ValueError: `logdir` is empty.
    """
    top = local_path(logdir)
    return tuple(StoredRun(name, top / name) for name in run_names(top))
