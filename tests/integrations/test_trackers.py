"""Alerts and tags: what the documented functions of the trackers are called with.

The libraries are large, so thin modules with the documented functions replace them here.
"""

from __future__ import annotations

import contextvars
import dataclasses
import logging
import sys
import types
from typing import Any

import pytest

from tb_activations.integrations import MlflowTags, TrackioAlerts, WandbAlerts
from tb_activations.integrations.mlflow_tags import key_of
from tb_activations.integrations.wording import heading
from tb_activations.records.finding import WHOLE, Finding

current: contextvars.ContextVar[str] = contextvars.ContextVar("current", default="no run")


class WandbRun:
    """Has the documented `Run.alert`, which limits the title to 64 characters."""

    def __init__(self) -> None:
        self.alerts: list[tuple[str, str, str]] = []

    def alert(self, title: str, text: str, level: str | None = None, wait_duration: float | None = None) -> None:
        assert len(title) < 64
        assert level in ("INFO", "WARN", "ERROR")
        self.alerts.append((title, text, level))


class MlflowClient:
    """Has the documented `MlflowClient.set_tag`."""

    tags: dict[tuple[str, str], str]

    def set_tag(self, run_id: str, key: str, value: Any) -> None:
        MlflowClient.tags[run_id, key] = value


def module(name: str, monkeypatch: pytest.MonkeyPatch, **members: Any) -> Any:
    made = types.ModuleType(name)
    vars(made).update(members)
    monkeypatch.setitem(sys.modules, name, made)
    return made


def test_wandb_gets_an_alert_per_finding(findings: tuple[Finding, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    run = WandbRun()
    module("wandb", monkeypatch, run=run)
    alerts = WandbAlerts()
    for finding in findings:
        alerts(finding)
    assert alerts.delivery.flush(30)
    assert [(title, level) for title, _, level in run.alerts] == [
        ("NaN or infinity in second", "ERROR"),
        ("NaN or infinity in third", "ERROR"),
        ("NaN or infinity in head", "ERROR"),
    ]
    assert run.alerts[0][1].startswith(f"{findings[0].message}\nTry: ")


def test_wandb_keeps_the_run_of_the_moment_and_short_titles(
    findings: tuple[Finding, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = WandbRun(), WandbRun()
    wandb = module("wandb", monkeypatch, run=first)
    alerts = WandbAlerts()
    alerts(dataclasses.replace(findings[0], layer="block/" * 30 + "conv"))
    wandb.run = second
    alerts(findings[1])
    assert alerts.delivery.flush(30)
    ((title, _, _),) = first.alerts
    assert title.startswith("NaN or infinity in …")
    assert title.endswith("block/conv")
    assert len(second.alerts) == 1


def test_without_a_run_one_warning_names_what_to_call(
    findings: tuple[Finding, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module("wandb", monkeypatch, run=None)
    module("mlflow", monkeypatch, active_run=lambda: None, MlflowClient=MlflowClient)
    for tell in (WandbAlerts(), MlflowTags()):
        for finding in findings:
            tell(finding)
        assert tell.delivery.flush(30)
    lines = [entry.message for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert len(lines) == 2
    assert "call wandb.init() before training begins" in lines[0]
    assert "train within mlflow.start_run()" in lines[1]


def test_trackio_is_called_with_the_run_of_the_caller(
    findings: tuple[Finding, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str, str]] = []

    def alert(title: str, text: str | None = None, level: str = "warn", webhook_url: str | None = None) -> None:
        seen.append((current.get(), title, level))

    levels = types.SimpleNamespace(INFO="info", WARN="warn", ERROR="error")
    module("trackio", monkeypatch, alert=alert, AlertLevel=levels)
    alerts = TrackioAlerts()
    token = current.set("run-1")
    alerts(findings[0])
    current.reset(token)
    assert alerts.delivery.flush(30)
    assert seen == [("run-1", "NaN or infinity in second", "error")]


def test_mlflow_gets_a_tag_per_finding_and_one_for_the_run(
    findings: tuple[Finding, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    MlflowClient.tags = {}
    active = types.SimpleNamespace(info=types.SimpleNamespace(run_id="run-1"))
    module("mlflow", monkeypatch, active_run=lambda: active, MlflowClient=MlflowClient)
    tags = MlflowTags()
    for finding in findings[:2]:
        tags(finding)
    assert tags.delivery.flush(30)
    assert {key: value.split("\n")[0] for key, value in MlflowClient.tags.items()} == {
        ("run-1", "layer_health"): "problem",
        ("run-1", "layer_health.nonfinite.second"): findings[0].message,
        ("run-1", "layer_health.nonfinite.third"): findings[1].message,
    }


@pytest.mark.parametrize(
    ("layer", "key"),
    [
        (WHOLE, "layer_health.nonfinite.training"),
        ("encoder/block_1/conv@2", "layer_health.nonfinite.encoder_block_1_conv_2"),
        ("Ünïcødé", "layer_health.nonfinite._n_c_d_"),
        ("x" * 1000, "layer_health.nonfinite." + "x" * 227),
    ],
)
def test_mlflow_keys_have_allowed_characters_only(layer: str, key: str, findings: tuple[Finding, ...]) -> None:
    assert key_of(dataclasses.replace(findings[0], layer=layer)) == key


def test_a_finding_about_the_training_names_no_layer(findings: tuple[Finding, ...]) -> None:
    assert heading(dataclasses.replace(findings[0], layer=WHOLE)) == "NaN or infinity"


@pytest.mark.parametrize(
    ("kind", "library"), [(WandbAlerts, "wandb"), (MlflowTags, "mlflow"), (TrackioAlerts, "trackio")]
)
def test_without_the_library_the_extra_is_named(kind: Any, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == library:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.delitem(sys.modules, library, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(ImportError, match=rf"{kind.__name__} needs {library}, .* 'tb-activations\[{library}\]'"):
        kind()
