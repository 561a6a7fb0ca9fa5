"""Log directories of every kind, and what each command reports about them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations import load
from tb_activations.events.encoding import Encoder
from tb_activations.records.finding import Outcome
from tests.cli.conftest import PLAN, Call
from tests.synthetic import RULES, run_spec, write_events, write_run

COMMANDS = {"check": "Cannot judge", "report": "Cannot report"}
TO_DO = "; give the log_dir of the LayerHealth callback, after at least one observed training step\n"
REASON = "it runs inside a function that was compiled earlier"


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_store_elsewhere(command: str, call: Call) -> None:
    answer = call(command, "gs://bucket/logs")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == (
        f"{COMMANDS[command]}: gs://bucket/logs is not a local folder, and gs:// cannot be read here. Copy the run to "
        "a local folder and give that folder, or view it in place: tensorboard --logdir gs://bucket/logs\n"
    )


def test_an_address_and_the_home_folder(
    command: str, healthy: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(healthy.parent))
    plain = call(command, healthy)
    assert plain.status == 0
    assert call(command, f"file://{healthy}") == plain
    assert call(command, "~/healthy") == plain


def test_rules_and_output_below_the_home_folder(sick: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(sick.parent))
    (sick.parent / "rules.json").write_text('["nonfinite"]')
    assert call("check", sick, "--thresholds", "~/rules.json").status == 0
    assert call("report", sick, "--format", "json", "--output", "~/report.json") == (0, "", "")
    assert json.loads((sick.parent / "report.json").read_text())["runs"][0]["name"] == "."


def test_a_file(command: str, sick: Path, call: Call) -> None:
    (file,) = sick.iterdir()
    answer = call(command, file)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == f"{COMMANDS[command]}: {file} is a file; give its folder: {sick}\n"


def test_no_folder(command: str, sick: Path, call: Call) -> None:
    answer = call(command, sick.parent / "sikc")
    assert answer.status == 2
    assert answer.err == f"{COMMANDS[command]}: there is no folder {sick.parent / 'sikc'}; did you mean {sick}?\n"
    assert call(command, sick / "file" / "below").err.endswith(f"there is no folder {sick / 'file' / 'below'}\n")


def test_nothing_given(command: str, call: Call) -> None:
    answer = call(command, "")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith(f"{COMMANDS[command]}: the log directory is empty; give a folder")


def test_empty_folders(command: str, tmp_path: Path, call: Call) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    answer = call(command, tmp_path)
    assert answer.status == 2
    assert answer.err == (
        f"{COMMANDS[command]}: no Layer Health run in {tmp_path} or below it: no event files, searched 2 folders below "
        f"it{TO_DO}"
    )


def test_event_files_of_other_writers(command: str, tmp_path: Path, call: Call) -> None:
    loss = Event(step=1, summary=Summary(value=[Summary.Value(tag="loss")]))
    first = write_events(tmp_path / "train", [loss] * 100)
    write_events(tmp_path / "validation", [loss])
    answer = call(command, tmp_path)
    assert answer.status == 2
    assert answer.err == (
        f"{COMMANDS[command]}: no Layer Health run in {tmp_path} or below it: 2 event files without Layer Health "
        f"records, first {first}{TO_DO}"
    )


def test_an_empty_event_file(command: str, tmp_path: Path, call: Call) -> None:
    path = tmp_path / "events.out.tfevents.1.host.1.0"
    path.touch()
    answer = call(command, tmp_path)
    assert answer.status == 2
    assert f"1 event file without content, first {path}" in answer.err


def test_other_things_named_like_event_files(command: str, tmp_path: Path, call: Call) -> None:
    (tmp_path / "events.out.tfevents.1.folder").mkdir()
    (tmp_path / "events.out.tfevents.2.dangling").symlink_to(tmp_path / "nowhere")
    assert call(command, tmp_path).status == 2
    write_run(tmp_path, plan=PLAN, sick=False)
    answer = call(command, tmp_path)
    assert (answer.status, answer.err) == (0, "")


def test_a_run_that_never_recorded_a_step(tmp_path: Path, call: Call) -> None:
    write_events(tmp_path / "run", [Event(wall_time=1.0, summary=Encoder().run(run_spec(PLAN)))])
    why = "no step was observed: training ended before the first observed step"
    answer = call("check", tmp_path / "run")
    assert (answer.status, answer.out, answer.err) == (2, "", f"Cannot judge: run: {why}\n")
    answer = call("report", tmp_path / "run")
    assert answer.status == 0
    assert why in " ".join(answer.out.split())


def unobserved(folder: Path, rows: range) -> Path:
    """A run in which the layers of these rows were not observed."""
    spec = run_spec(PLAN)
    layers = [
        dataclasses.replace(layer, not_observed=REASON if row in rows else "") for row, layer in enumerate(spec.layers)
    ]
    spec = dataclasses.replace(spec, layers=tuple(layers))
    outcomes = np.full((len(layers), len(RULES)), Outcome.OK, np.uint8)
    outcomes[list(rows)] = Outcome.INSUFFICIENT_DATA
    source = folder.with_name("source")
    write_run(source, plan=PLAN, sick=False)
    encoder = Encoder()
    summaries = [encoder.run(spec)]
    summaries += [encoder.record(one, outcomes=outcomes, rules=RULES) for one in load(source).records()]
    write_events(folder, [Event(wall_time=1.0 + i, step=10 * i, summary=one) for i, one in enumerate(summaries)])
    return folder


def test_no_layer_was_observed(tmp_path: Path, call: Call) -> None:
    folder = unobserved(tmp_path / "run", range(6))
    answer = call("check", folder)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith(
        "Cannot judge: run: not observed: 6 of 6 layers (dense_0, dense_1, dense_2, batch_normalization_3, …): "
        f"{REASON}; "
    )
    assert "remove @tf.function from train_step or call" in answer.err
    for form in ("text", "html"):
        text = " ".join(call("report", folder, "--format", form).out.split())
        assert f"None of the 6 layers was observed: {REASON}." in text
        assert "Try: remove @tf.function from train_step or call" in text
        assert "waiting for more steps" not in text or form == "html"


def test_some_layers_were_not_observed(tmp_path: Path, call: Call) -> None:
    folder = unobserved(tmp_path / "run", range(1, 3))
    assert call("check", folder).status == 0
    text = " ".join(call("report", folder).out.split())
    assert f"Not observed: 2 of 6 layers (dense_1, dense_2): {REASON}" in text
    assert "Try:" not in text


def test_a_folder_with_an_invalid_name(command: str, tmp_path: Path, call: Call) -> None:
    write_run(tmp_path / "logs" / "bad\udcff", plan=PLAN, sick=False)
    answer = call(command, tmp_path / "logs")
    assert answer.status == 0
    for form in ("text", "json", "html"):
        output = tmp_path / f"report.{form}"
        assert call("report", tmp_path / "logs", "--format", form, "--output", output).status == 0
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["runs"][0]["name"] == "bad\udcff"
