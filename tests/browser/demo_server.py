"""The demo as a new user runs it: three real trainings, and the tab at the address it prints."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tb_activations import load
from tests.live_server import Server

RUNS = ("healthy", "relu_dies", "deep_sigmoid")
PROGRAM = (sys.executable, "-m", "tb_activations")


@contextlib.contextmanager
def running_demo(
    folder: Path, program: Sequence[str] = PROGRAM, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Trains into `folder / "logs"` and serves that until the end of the block.

    Args:
        folder: where the runs and what the demo complains about are left.
        program: the command line tool, such as an installed one.
        environment: variables for it, those of this process if it is None.

    Raises:
        RuntimeError: the demo ended without printing an address; holds what it printed.
    """
    log = folder / "errors"
    command = [*program, "demo", "--logdir", "logs"]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, env=environment) as process,
    ):
        with contextlib.ExitStack() as stack:
            stack.callback(process.send_signal, signal.SIGTERM)
            server = Server(_address(process, log), process, log)
            for run in RUNS:
                server.wait_for_records(run, len(load(folder / "logs" / run).steps))
            yield server


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line.decode()
        if address := re.search(r"(http://localhost:\d+/)#layer_health", printed):
            return address[1]
    raise RuntimeError(f"the demo ended without an address:\n{printed}\n{log.read_text()}")
