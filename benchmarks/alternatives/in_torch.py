"""Ways to watch a PyTorch training of the same network. Needs torch and wandb."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.alternatives.data import BATCH, EPOCHS, FILTERS, pictures

WAYS = ("plain", "wandb.watch(log='all'), every step", "a hook on each layer, every step")


def seconds(way: str, folder: Path) -> float:
    """Seconds of a step, on average over all epochs but the first."""
    torch.manual_seed(0)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    x, y = pictures()
    pictures_, labels = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))), torch.from_numpy(y)
    model = _network()
    optimizer, loss_of = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    watching = {WAYS[0]: _nothing, WAYS[1]: _with_wandb, WAYS[2]: _with_hooks}[way]
    ends = []
    with watching(model, folder) as after:
        for _ in range(EPOCHS):
            for start in range(0, len(labels), BATCH):
                optimizer.zero_grad()
                loss = loss_of(model(pictures_[start : start + BATCH]), labels[start : start + BATCH])
                loss.backward()
                optimizer.step()
                after(loss.item())
            ends.append(time.perf_counter())
    return (ends[-1] - ends[0]) / (EPOCHS - 1) / (len(labels) // BATCH)


@contextlib.contextmanager
def _nothing(model: nn.Module, folder: Path) -> Iterator[Callable[[float], None]]:
    yield lambda loss: None


@contextlib.contextmanager
def _with_wandb(model: nn.Module, folder: Path) -> Iterator[Callable[[float], None]]:
    import wandb

    # The run must end before its folder is removed.
    with wandb.init(mode="offline", dir=str(folder), project="alternatives") as run:
        run.watch(model, log="all", log_freq=1)
        yield lambda loss: run.log({"loss": loss})


@contextlib.contextmanager
def _with_hooks(model: nn.Module, folder: Path) -> Iterator[Callable[[float], None]]:
    """Mean, deviation and share of zeros of every output, and the norm of every gradient, as Python numbers."""
    seen: dict[str, Any] = {}

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, given: Any, output: torch.Tensor) -> None:
            value = output.detach()
            seen[name] = (value.mean().item(), value.std().item(), (value == 0).float().mean().item())

        return hook

    for name, layer in _layers(model):
        layer.register_forward_hook(watch(name))

    def after(loss: float) -> None:
        for name, weight in model.named_parameters():
            seen[name] = weight.grad.norm().item() if weight.grad is not None else 0.0

    yield after


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((name, layer) for name, layer in model.named_modules() if not list(layer.children()))


def _network() -> nn.Module:
    parts: list[nn.Module] = []
    before = 3
    for place, filters in enumerate(FILTERS):
        parts += [nn.Conv2d(before, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
        parts += [nn.MaxPool2d(2)] if place % 2 else []
        before = filters
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))
