"""A real `tensorboard` process to talk to over HTTP."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parent.parent
DEADLINE = 60.0
"""Seconds to wait for anything; reached only when something is broken."""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back for one request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        # Bare NaN or infinity, which a browser rejects, fails here too.
        return json.loads(self.body, parse_constant=_reject_constant)


@dataclasses.dataclass(frozen=True)
class Server:
    """A running TensorBoard.

    Attributes:
        url: of TensorBoard's page, with the path prefix, with "/" at its end.
        process: of the server.
        log: file with what it printed.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def data_url(self) -> str:
        return self.url + "data/plugin/layer_health/"

    def get(self, route: str, /, **query: str | int) -> Answer:
        """GET a route of the Layer Health plugin, such as `get("layers", run="train")`."""
        return self.request(self.data_url + route + ("?" + urllib.parse.urlencode(query) if query else ""))

    def request(self, url: str, method: str = "GET") -> Answer:
        request = urllib.request.Request(url, method=method)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def wait_for_records(self, run: str, records: int) -> dict[str, Any]:
        """Wait until TensorBoard has loaded this many observed steps of the run, and give its entry of `runs`."""

        def loaded() -> dict[str, Any] | None:
            answer = self.get("runs")
            entries = answer.json["runs"] if answer.status == 200 else []
            return next((entry for entry in entries if entry["name"] == run and entry["records"] >= records), None)

        return wait_for(loaded, f"{records} records of {run!r}; the server logged:\n{self.log.read_text()}")

    def wait_for_runs(self, count: int) -> None:
        """Wait until `runs` lists this many runs."""
        wait_for(lambda: len(self.get("runs").json["runs"]) >= count or None, f"{count} runs")


def wait_for(check: Callable[[], T | None], what: str, deadline: float = DEADLINE) -> T:
    """Ask `check` until it gives something other than None. Raises TimeoutError naming `what`."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        value = check()
        if value is not None:
            return value
        time.sleep(0.05)
    raise TimeoutError(f"waited {deadline:.0f} s for {what}")


@contextlib.contextmanager
def serve(log_dir: str | Path, *arguments: str, load_fast: bool = True, path_prefix: str = "") -> Iterator[Server]:
    """Run `tensorboard --logdir log_dir` on a free port, ready for requests, without TensorFlow.

    Args:
        log_dir: the log directory; it may be empty.
        *arguments: more of TensorBoard's command line.
        load_fast: whether the data come through TensorBoard's Rust server, or through its Python one.
        path_prefix: such as "/behind/a/proxy".
    """
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch, "tensorboard.log")
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(log_dir), "--port", "0"]
        command += [f"--load_fast={str(load_fast).lower()}", "--reload_interval", "1", *arguments]
        command += ["--path_prefix", path_prefix] if path_prefix else []
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=viewer_environment(Path(scratch)), cwd=scratch
            )
        try:
            url = wait_for(lambda: _url(process, log), "tensorboard to start")
            server = Server(url, process, log)
            wait_for(lambda: server.request(url + "data/plugins_listing").status == 200 or None, "its first answer")
            yield server
        finally:
            process.terminate()
            try:
                process.wait(DEADLINE)
            finally:
                process.kill()


def _url(process: subprocess.Popen[bytes], log: Path) -> str | None:
    printed = log.read_text()
    if process.poll() is not None:
        raise RuntimeError(f"tensorboard ended with status {process.returncode}:\n{printed}")
    address = re.search(r"http://([^:/\s]+):(\d+)(/\S*)", printed)
    if address is None:
        return None
    # The printed host name need not resolve on every machine; the port is bound on this one.
    return f"http://localhost:{address[2]}{address[3]}"


def viewer_environment(scratch: Path) -> dict[str, str]:
    """Of a machine that only looks at runs: TensorFlow and Keras cannot be imported there, so programs start faster.

    Args:
        scratch: a folder that lasts as long as the programs.
    """
    for name in ("tensorflow", "keras"):
        blocked = scratch / "blocked" / name
        blocked.mkdir(parents=True)
        (blocked / "__init__.py").write_text(f'raise ImportError("{name} is not on this machine")\n')
    path = [str(scratch / "blocked"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def _reject_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
