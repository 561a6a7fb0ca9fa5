"""Times three ways to get every layer's output of a network with 50 layers, and measures their peak memory.

Each way runs in its own process, in turns, so that memory peaks do not add up.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

LAYERS, SAMPLES, BATCH, TURNS = 50, 64, 32, 3
Outputs = dict[str, Any]


def network() -> Any:
    """49 convolutions and normalizations, alternating, and a head."""
    import keras
    from keras import layers

    inputs = h = layers.Input((32, 32, 3))
    for place in range(LAYERS - 1):
        if place % 2:
            h = layers.BatchNormalization(name=f"layer_{place}")(h)
        else:
            h = layers.Conv2D(16, 3, padding="same", activation="relu", name=f"layer_{place}")(h)
    return keras.Model(inputs, layers.Dense(10, name="head")(layers.GlobalAveragePooling2D(name="mean")(h)))


def by_activations(model: Any, x: Any) -> Outputs:
    from tb_activations import probe

    return probe.activations(model, x, batch_size=BATCH)


def by_one_predict_a_layer(model: Any, x: Any) -> Outputs:
    import keras

    return {
        layer.name: keras.Model(model.inputs, layer.output).predict(x, batch_size=BATCH, verbose=0)
        for layer in model.layers[1:]
    }


def by_one_model_of_all_outputs(model: Any, x: Any) -> Outputs:
    import keras

    names = [layer.name for layer in model.layers[1:]]
    outputs = keras.Model(model.inputs, [layer.output for layer in model.layers[1:]])
    return dict(zip(names, outputs.predict(x, batch_size=BATCH, verbose=0), strict=True))


WAYS: dict[str, Callable[[Any, Any], Outputs]] = {
    "`probe.activations`": by_activations,
    "one sub-model with all outputs": by_one_model_of_all_outputs,
    "one `predict` per layer": by_one_predict_a_layer,
}


def peak_bytes() -> int:
    """Peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measured(way: str) -> dict[str, float]:
    """Seconds of the first and second answer, and growth of the peak memory in bytes over that of the model."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    model = network()
    x = np.random.default_rng(0).normal(size=(SAMPLES, 32, 32, 3)).astype("float32")
    model(x[:BATCH])
    before = peak_bytes()
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        outputs = WAYS[way](model, x)
        seconds.append(time.perf_counter() - start)
    held = sum(value.nbytes for value in outputs.values())
    return {"first": seconds[0], "again": seconds[1], "peak": peak_bytes() - before, "held": held, "n": len(outputs)}


def in_a_process(way: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.probe_cost", way]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(TURNS):
        for way in WAYS:
            found[way].append(in_a_process(way))
    print(f"{os.cpu_count()} cores, {platform.machine()}; median of {TURNS} turns")
    print(
        f"{SAMPLES} images 32 x 32, {found['`probe.activations`'][0]['n']:.0f} layers with outputs of "
        f"{found['`probe.activations`'][0]['held'] / 2**20:.0f} MiB together"
    )
    print("| method | first call | second call | peak memory above the model's |\n|---|---|---|---|")
    for way, turns in found.items():
        first, again, peak = (statistics.median(turn[name] for turn in turns) for name in ("first", "again", "peak"))
        print(f"| {way} | {first:.1f} s | {again:.1f} s | {peak / 2**20:.0f} MiB |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measured(sys.argv[1])))
    else:
        main()
