"""The webhook against a real HTTP server: every finding arrives once, and no receiver can hold up a training."""

from __future__ import annotations

import copy
import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from tb_activations import LayerHealth
from tb_activations.integrations import Webhook
from tb_activations.integrations.delivery import LONGEST_QUEUE, Delivery
from tb_activations.records.finding import Finding
from tests.training.models import digits


class Receiver(ThreadingHTTPServer):
    """Keeps what was posted; answers only while `is_open` is set, with `status`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        self.status = 200
        self.is_open = threading.Event()
        self.is_open.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.tokens.append(self.headers["Authorization"])
        self.server.is_open.wait(30)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.is_open.set()
        server.shutdown()


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.message for entry in caplog.records if entry.levelno >= logging.WARNING]


def test_every_problem_of_a_training_arrives_once(receiver: Receiver, tmp_path: Path) -> None:
    x, y = digits()
    bad = keras.initializers.Constant(float("nan"))
    model = keras.Sequential(
        [layers.Input((64,)), layers.Dense(8, bias_initializer=bad, name="bad"), layers.Dense(10, name="head")]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    webhook = Webhook(receiver.url)
    watch = LayerHealth(tmp_path, update_freq=1, rules=["nonfinite"], on_problem=webhook)
    model.fit(x.reshape(len(x), 64), y, epochs=2, verbose=0, callbacks=[watch])
    assert webhook.delivery.flush(30)
    arrived = [f"{one['finding']['rule']}:{one['finding']['layer']}" for one in receiver.posted]
    assert sorted(arrived) == sorted(f"{one.rule}:{one.layer}" for one in watch.findings)
    assert arrived[0] == "nonfinite:bad"
    assert receiver.posted[0]["text"].startswith("NaN or infinity in bad\n")
    assert receiver.posted[0]["finding"]["message"] == watch.findings[0].message


def test_the_caller_does_not_wait_for_the_answer(receiver: Receiver, findings: tuple[Finding, ...]) -> None:
    receiver.is_open.clear()
    webhook = Webhook(receiver.url)
    for finding in findings:
        webhook(finding)
    # The server has answered none of them.
    assert not webhook.delivery.flush(0)
    receiver.is_open.set()
    assert webhook.delivery.flush(30)
    assert [one["finding"]["layer"] for one in receiver.posted] == ["second", "third", "head"]


def test_a_refusal_is_one_warning_and_is_not_repeated(
    receiver: Receiver, findings: tuple[Finding, ...], caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 500
    webhook = Webhook(receiver.url)
    for finding in findings:
        webhook(finding)
    assert webhook.delivery.flush(30)
    (line,) = warnings_in(caplog)
    assert "a finding did not reach the webhook at 127.0.0.1 (HTTPError: HTTP Error 500" in line
    assert "Training continues." in line
    assert len(receiver.posted) == 3


def test_nobody_there_is_one_warning_without_the_address(
    findings: tuple[Finding, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        webhook = Webhook(f"http://127.0.0.1:{free.getsockname()[1]}/a-secret")
    webhook(findings[0])
    assert webhook.delivery.flush(30)
    (line,) = warnings_in(caplog)
    assert "Connection refused" in line
    assert "a-secret" not in line


def test_payload_and_headers_can_be_chosen(receiver: Receiver, findings: tuple[Finding, ...]) -> None:
    webhook = Webhook(
        receiver.url, payload=lambda finding: {"content": finding.layer}, headers={"Authorization": "Bearer x"}
    )
    webhook(findings[0])
    assert webhook.delivery.flush(30)
    assert (receiver.posted, receiver.tokens) == ([{"content": "second"}], ["Bearer x"])


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ftp://host/x", "http://", "example.org/hook"])
def test_other_addresses_are_an_error(url: str) -> None:
    with pytest.raises(ValueError, match=r"`url`.* Allowed: an http:// or https:// address"):
        Webhook(url)


@pytest.mark.parametrize("timeout", [0, -1, 61, float("nan")])
def test_other_timeouts_are_an_error(timeout: float) -> None:
    with pytest.raises(ValueError, match="`timeout`"):
        Webhook("http://localhost", timeout=timeout)


def test_a_full_queue_is_one_warning_and_never_blocks(caplog: pytest.LogCaptureFixture) -> None:
    delivery, is_open, done = Delivery("nobody"), threading.Event(), []
    delivery.submit(is_open.wait)
    for number in range(LONGEST_QUEUE + 10):
        delivery.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    is_open.set()
    assert delivery.flush(30)
    assert done == list(range(len(done)))
    assert LONGEST_QUEUE <= len(done) < LONGEST_QUEUE + 10
    (line,) = warnings_in(caplog)
    assert "1000 findings are waiting" in line


def test_a_copied_callback_shares_the_receiver() -> None:
    webhook = Webhook("http://localhost")
    assert copy.deepcopy(webhook).delivery is webhook.delivery
