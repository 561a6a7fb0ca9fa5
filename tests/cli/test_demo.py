"""`tb-activations demo`: what makes it return 2. `tests/browser` and `tests/packaging` run it."""

from __future__ import annotations

import importlib.util

import pytest

from tests.cli.conftest import Call


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_does_not_exist_gives_two(port: str, call: Call) -> None:
    answer = call("demo", f"--port={port}")
    assert answer.status == 2
    assert answer.out == f"--port must be between 0 (any free port) and 65535, got {port}\n"


def test_a_missing_package_gives_two_and_what_to_install(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sklearn" else found(name))
    answer = call("demo", "--no-serve")
    assert answer.status == 2
    assert answer.out == "The demo needs sklearn: pip install 'tb-activations[demo]'\n"
