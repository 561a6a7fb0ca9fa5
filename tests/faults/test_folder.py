"""Several trainings in one folder: consecutive, simultaneous, after a crash."""

from __future__ import annotations

import contextlib
import functools
import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tb_activations import LayerHealth, load
from tb_activations.events.reader import run_names
from tb_activations.recording.folder.lock import FolderLock
from tb_activations.records.columns import LAYER_COLUMNS
from tb_activations.taps.step.dispatch import Dispatcher
from tests.faults import observe
from tests.faults.child import WAITING
from tests.faults.conftest import Told
from tests.faults.observe import EPOCH_STEPS, ROOT, STEPS, check_row, fit, network, outcome
from tests.health.trainings import replay

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

# The folder is the point, not what is measured.
every_step = functools.partial(observe.every_step, histogram_freq=0, image_freq=0)


@contextlib.contextmanager
def training(log_dir: str, epochs: int, *waiting_at: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.faults.child", log_dir, str(epochs), *map(str, waiting_at)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def until_it_waits(process: subprocess.Popen[str]) -> list[str]:
    """The lines until then."""
    assert process.stdout is not None
    return list(itertools.takewhile(lambda line: line.strip() != WAITING, process.stdout))


# A process takes seconds to start, so one is in two faults.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_two_processes_are_kept_apart_and_a_killed_one_leaves_what_it_flushed_and_is_continued(
    log_dir: str, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    # Killed within an epoch, because Keras writes its checkpoint at the end: a kill there leaves half a checkpoint.
    with training(log_dir, 10_000, EPOCH_STEPS, 10 * EPOCH_STEPS + 3) as process:
        until_it_waits(process)
        other = fit(every_step(log_dir))
        assert run_names(Path(log_dir).parent) == ["run", "run-2"]
        assert load(f"{log_dir}-2").steps.tolist() == STEPS
        check_row("Two processes train into one folder", outcome(other), "nothing", told())
        caplog.clear()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        seen = until_it_waits(process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        flushed = int([*seen, *process.stdout.read().split()][-1])
    assert flushed >= 10 * EPOCH_STEPS - 1
    run = load(log_dir)
    assert run.steps.tolist()[: flushed + 1] == list(range(flushed + 1))
    last = int(run.steps[-1])
    assert told() == []
    model = network()
    stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", True))
    fit(every_step(log_dir), keras.callbacks.BackupAndRestore(f"{log_dir}.backup"), stop, model=model, epochs=10_000)
    again = load(log_dir)
    steps = int(model.optimizer.iterations)
    assert steps % EPOCH_STEPS == 0
    assert again.steps.tolist() == list(range(steps))
    kept = min(steps, last + 1)
    # The steps with looks at the model depend on the epochs of the process.
    measured = [LAYER_COLUMNS.index(name) for name in LAYER_COLUMNS if name != "mode_difference"]
    np.testing.assert_array_equal(again.layer_table[:kept, :, measured], run.layer_table[:kept, :, measured])
    np.testing.assert_array_equal(replay(again.spec, again.records()).outcomes, again.last_outcomes)
    alone = fit(epochs=steps // EPOCH_STEPS).get_weights()
    assert outcome(model, alone) == "continues, same weights"
    check_row(
        "Process killed (SIGKILL), then started again from a checkpoint",
        "restarts, same weights",
        "records not yet flushed",
        told(),
    )


def test_a_training_whose_folder_another_process_wanted_ends_as_alone(log_dir: str) -> None:
    with training(log_dir, 2, EPOCH_STEPS) as process:
        until_it_waits(process)
        fit(every_step(log_dir))
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait() == 0
    assert load(log_dir).steps.tolist() == STEPS[: 2 * EPOCH_STEPS]


def test_a_folder_is_another_threads_until_that_ends(tmp_path: Path) -> None:
    locks: list[FolderLock | None] = []
    begun, end = threading.Event(), threading.Event()

    def hold() -> None:
        locks.append(FolderLock.acquire(str(tmp_path)))
        begun.set()
        end.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    assert FolderLock.acquire(str(tmp_path)) is None
    assert FolderLock.acquire(str(tmp_path.parent)) is not None
    end.set()
    thread.join()
    mine = FolderLock.acquire(str(tmp_path))
    assert mine is not None
    assert mine.is_held
    assert locks[0] is not None
    assert not locks[0].is_held


def test_two_callbacks_of_one_training(log_dir: str, told: Told) -> None:
    model = fit(every_step(log_dir), every_step(log_dir))
    assert load(log_dir).steps.tolist() == STEPS
    assert not isinstance(model.train_function, Dispatcher)
    assert len(list(Path(log_dir).glob("*tfevents*"))) == 1
    check_row(
        "Two callbacks of one training write into one folder", outcome(model), "nothing: one of them records", told()
    )


def test_a_restart_continues_the_history(log_dir: str, told: Told) -> None:
    # The training without an interruption, which both parts together must equal. Looks at the model depend on epochs,
    # which count from 0 again after a restart, so they are left out.
    whole = every_step(Path(log_dir).with_name("whole"), image_freq=0)
    fit(whole, epochs=4)
    first = every_step(log_dir, image_freq=0)
    interrupted = fit(first, epochs=2)
    weights, state = interrupted.get_weights(), [v.numpy() for v in interrupted.optimizer.variables]
    model = network()

    class Restore(keras.callbacks.Callback):
        """Restores what a checkpoint holds: weights, moments and the number of steps."""

        def on_train_begin(self, logs: Any = None) -> None:
            self.model.optimizer.build(self.model.trainable_variables)
            self.model.set_weights(weights)
            for variable, value in zip(self.model.optimizer.variables, state, strict=True):
                variable.assign(value)

    callback = every_step(log_dir, image_freq=0)
    fit(Restore(), callback, model=model, epochs=2)
    one, other = load(log_dir), load(Path(log_dir).with_name("whole"))
    assert one.steps.tolist() == other.steps.tolist() == STEPS
    np.testing.assert_array_equal(one.layer_table, other.layer_table)
    np.testing.assert_array_equal(one.outcomes, other.outcomes)
    assert callback.findings == whole.findings == one.findings
    check_row("Started again from a checkpoint in the same folder", outcome(model), "nothing", told())


def test_a_restart_from_the_beginning_replaces_nothing(log_dir: str, told: Told) -> None:
    fit(every_step(log_dir), epochs=2)
    before = load(log_dir)
    model = fit(every_step(log_dir))
    np.testing.assert_array_equal(load(log_dir).layer_table, before.layer_table)
    assert load(f"{log_dir}-2").steps.tolist() == STEPS
    check_row("Started again from the beginning in the same folder", outcome(model), "nothing", told())


def test_a_training_that_was_interrupted_is_continued(log_dir: str) -> None:
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                raise KeyboardInterrupt

    kept_alive = every_step(log_dir)
    model = network()
    with pytest.raises(KeyboardInterrupt):
        fit(kept_alive, Interrupt(), model=model)
    fit(every_step(log_dir), model=model, epochs=1)
    assert run_names(Path(log_dir).parent) == ["run"]
    assert load(log_dir).steps.tolist() == STEPS[: 2 * EPOCH_STEPS]


def test_many_fits_are_one_file(log_dir: str) -> None:
    callback = every_step(log_dir)
    model = network()
    for _ in range(3):
        fit(callback, model=model, epochs=1)
    assert len(list(Path(log_dir).glob("*tfevents*"))) == 1
    assert load(log_dir).steps.tolist() == list(range(3 * EPOCH_STEPS))


def wider() -> keras.Sequential:
    return keras.Sequential([layers.Input((64,)), layers.Dense(24, "relu", name="wide"), layers.Dense(10, name="head")])


def test_another_model_gets_a_folder_of_its_own(log_dir: str, told: Told) -> None:
    fit(every_step(log_dir), epochs=1)
    before = load(log_dir)
    alone = fit(make=wider).get_weights()
    model = fit(every_step(log_dir), make=wider)
    assert run_names(Path(log_dir).parent) == ["run", "run-2"]
    np.testing.assert_array_equal(load(log_dir).layer_table, before.layer_table)
    assert load(f"{log_dir}-2").layers == ("wide", "head")
    assert load(f"{log_dir}-2").steps.tolist() == STEPS
    check_row("Another model in the same folder", outcome(model, alone), "nothing", told())
    # A continued training finds its own history.
    fit(every_step(log_dir), model=model, epochs=1)
    assert run_names(Path(log_dir).parent) == ["run", "run-2"]
    assert load(f"{log_dir}-2").steps.tolist() == list(range(len(STEPS) + EPOCH_STEPS))


@pytest.mark.parametrize("log_dirs", [1, 2])
def test_pictures_of_a_run_that_is_continued_stand_at_its_steps(log_dir: str, log_dirs: int) -> None:
    models = [fit(every_step(log_dir, image_freq=1), make=make, epochs=2) for make in [network, wider][:log_dirs]]
    for model in models:
        fit(every_step(log_dir, image_freq=1), model=model, epochs=2)
    for run in [Path(log_dir), Path(f"{log_dir}-2")][:log_dirs]:
        events = EventAccumulator(str(run), size_guidance={"tensors": 0}).Reload()
        pictures = [event.step for event in events.Tensors("units/head")]
        assert pictures == [EPOCH_STEPS * epoch - 1 for epoch in range(1, 5)]


def test_a_restart_counts_steps_that_are_not_observed(log_dir: str) -> None:
    model = network()
    for _ in range(2):
        fit(LayerHealth(log_dir, update_freq="epoch"), model=model, epochs=2)
    assert load(log_dir).steps.tolist() == [EPOCH_STEPS * epoch - 1 for epoch in range(1, 5)]
