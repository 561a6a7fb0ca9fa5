"""`tb-activations demo`: what makes it return 2. `tests/browser` and `tests/packaging` run it."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest

from tb_activations.cli import demo
from tests.cli.conftest import Call
from tests.live_server import viewer_environment


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_does_not_exist_gives_two(port: str, call: Call) -> None:
    answer = call("demo", f"--port={port}")
    assert answer.status == 2
    assert answer.err == f"Cannot show: --port must be between 0 (any free port) and 65535, got {port}\n"


def test_a_missing_package_gives_two_and_what_to_install(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sklearn" else found(name))
    answer = call("demo", "--no-serve")
    assert answer.status == 2
    assert answer.err == "Cannot train: the demo needs sklearn: pip install 'tb-activations[demo]'\n"


def test_a_log_directory_that_is_a_file_gives_two(tmp_path: Path, call: Call) -> None:
    (tmp_path / "file").write_text("")
    answer = call("demo", "--no-serve", "--logdir", tmp_path / "file")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("Cannot train: --logdir must be a directory that can be written: ")


def test_a_port_that_is_taken_gives_two_and_what_tensorboard_says(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "RUNS", ())
    monkeypatch.setenv("PYTHONPATH", viewer_environment(tmp_path / "scratch")["PYTHONPATH"])
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        answer = call("demo", "--logdir", tmp_path, "--port", str(port))
    assert answer.status == 2
    assert answer.out == f"Runs: {tmp_path}\n"
    assert answer.err.startswith("Cannot show: TensorBoard did not start")
    assert str(port) in answer.err
