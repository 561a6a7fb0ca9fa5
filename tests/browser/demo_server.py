"""The demo as a new user runs it: three real trainings, and the tab at the address it prints."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tb_activations import load
from tests.live_server import ROOT, Server

RUNS = ("healthy", "relu_dies", "deep_sigmoid")


@contextlib.contextmanager
def running_demo(folder: Path) -> Iterator[Server]:
    """Trains into `folder` and serves it until the end of the block.

    Raises:
        RuntimeError: the demo ended without printing an address; holds what it printed.
    """
    log = folder / "errors"
    command = [sys.executable, "-m", "tb_activations", "demo", "--logdir", str(folder / "logs")]
    with log.open("w") as errors, subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors) as process:
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
