"""`tb-activations demo`: trains one healthy and two unhealthy networks and shows them in TensorBoard.

TensorFlow, Keras and scikit-learn are imported when training begins, so the command line works without them.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHOWN, CANNOT_SHOW = 0, 2
EPOCHS = 8
RUNS = ("healthy", "relu_dies", "deep_sigmoid")
NEEDED = ("tensorflow", "keras", "sklearn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the demo's options."""
    from tb_activations.cli.guidance import guide

    parser.add_argument(
        "--logdir", type=Path, default=None, help="directory for the runs (default: a new temporary one)"
    )
    parser.add_argument("--no-serve", action="store_true", help="train only; do not start TensorBoard")
    parser.add_argument("--port", type=int, default=0, help="TensorBoard's port (default: a free one)")
    guide(
        parser,
        examples=["tb-activations demo", "tb-activations demo --no-serve --logdir logs/demo"],
        statuses={
            0: "the networks were trained",
            2: "a package is missing, TensorBoard does not start, or an argument is invalid",
        },
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains, then serves until interrupted. Returns 2 if that cannot be done."""
    from tb_activations.cli.complaint import complain

    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        complain("Cannot train", f"the demo needs {', '.join(missing)}: pip install 'tb-activations[demo]'")
        return CANNOT_SHOW
    if not 0 <= arguments.port <= 65535:
        complain("Cannot show", f"--port must be between 0 (any free port) and 65535, got {arguments.port}")
        return CANNOT_SHOW
    logdir = Path(os.path.expanduser(arguments.logdir or tempfile.mkdtemp(prefix="layer-health-")))
    try:
        logdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        complain("Cannot train", f"--logdir must be a directory that can be written: {error}")
        return CANNOT_SHOW
    for name in RUNS:
        print(f"Training {name} ...", flush=True)
        shutil.rmtree(logdir / name, ignore_errors=True)
        _train(name, logdir / name)
        print(f"  {_sentence(logdir / name)}")
    print(f"Runs: {logdir}")
    if arguments.no_serve:
        return SHOWN
    try:
        return _serve(logdir, arguments.port)
    except RuntimeError as error:
        complain("Cannot show", str(error))
        return CANNOT_SHOW


def _serve(logdir: Path, port: int) -> int:
    # A service manager that stops this process must stop TensorBoard too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with serving(logdir, port) as (process, url):
        print(f"Layer Health: {url} (stop with Ctrl-C)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()
    return SHOWN


@contextlib.contextmanager
def serving(logdir: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Starts TensorBoard on `logdir`, yields the process and the address of the tab, and stops it at the end.

    Raises:
        RuntimeError: TensorBoard did not start; the message contains its output.
    """
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process, _address(process)
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen[str]) -> str:
    """The address from TensorBoard's output; with port 0 only TensorBoard knows its port."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        _, found, address = line.partition(" at http://")
        if found:
            # Keeps reading: a full pipe would block the server.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            port = address.split("/")[0].rsplit(":", 1)[1]
            return f"http://localhost:{port}/#layer_health"
    process.stderr.close()
    raise RuntimeError("TensorBoard did not start:\n" + "".join(lines))


def _sentence(log_dir: Path) -> str:
    from tb_activations.events.reader import load
    from tb_activations.health.verdict import verdict

    stored = load(log_dir)
    return verdict(stored.spec, stored.findings, stored.last_outcomes, stored.rules, stored.last_training).sentence


def _train(name: str, log_dir: Path) -> None:
    import keras
    from sklearn.datasets import load_digits

    from tb_activations.callback import LayerHealth

    keras.utils.set_random_seed(0)
    digits = load_digits()
    model, optimizer = _network(name)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = (digits.images[..., None] / 16).astype("float32")
    watch = LayerHealth(log_dir, probe_data=(images[:32], digits.target[:32]))
    model.fit(images, digits.target, epochs=EPOCHS, verbose=0, callbacks=[watch])


def _network(name: str) -> tuple[Any, Any]:
    """The model of a run and its optimizer."""
    import keras
    from keras import layers

    if name == "deep_sigmoid":
        hidden = [layers.Dense(32, "sigmoid", name=f"hidden_{number}") for number in range(1, 7)]
        body, optimizer = [layers.Flatten(name="pixels"), *hidden], keras.optimizers.SGD(0.1)
    else:
        body = [
            layers.Conv2D(16, 3, activation="relu", padding="same", name="conv_1"),
            layers.MaxPooling2D(name="pool_1"),
            layers.Conv2D(32, 3, activation="relu", padding="same", name="conv_2"),
            layers.Flatten(name="flat"),
            layers.Dense(64, "relu", name="hidden"),
        ]
        optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
        if name == "relu_dies":
            # Steps this large move the units of a ReLU layer to where no input activates them.
            schedule = keras.optimizers.schedules.PiecewiseConstantDecay([150], [1e-3, 0.1])
            optimizer = keras.optimizers.Adam(schedule)
    model = keras.Sequential([layers.Input((8, 8, 1)), *body, layers.Dense(10, name="logits")], name=name)
    return model, optimizer
