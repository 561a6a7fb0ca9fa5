"""Defines a known case and the registry that the modules of cases fill."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

RULES = (
    "dead_units",
    "dormant_units",
    "vanishing_gradient",
    "exploding_gradient",
    "nonfinite",
    "saturated_units",
    "stagnant_weights",
    "no_gradient",
    "collapsed_layer",
    "poor_init",
    "unfit_head",
    "nonfinite_loss",
    "no_learning",
    "learning_rate",
    "nonfinite_data",
)
"""The sicknesses. The last four concern the training as a whole; their layer is `WHOLE`."""

WHOLE = ""
"""Stands for the layer where a sickness concerns the training as a whole."""

WHOLE_RULES = ("nonfinite_loss", "no_learning", "learning_rate", "nonfinite_data")
"""The sicknesses of the training as a whole. Any sick training may also have them."""

FAMILIES = (
    "vision",
    "text",
    "time_series",
    "generative",
    "tabular",
    "graphs",
    "reinforcement_learning",
    "audio",
    "fine_tuning",
)
"""The kinds of examples in the public Keras guides."""

UNKNOWN = float("nan")
"""The loss of a constant is unknown."""

BLOWN = ("exploding_gradient", "poor_init", "dead_units", "saturated_units", "collapsed_layer", "stagnant_weights")
"""What values far too large also do."""


@dataclasses.dataclass(frozen=True)
class View:
    """A functional network to measure, and its loss.

    Attributes:
        network: Sequential or functional, without nested networks.
        x, y: the whole data set, as arrays or structures of arrays.
        loss: maps the network's outputs for all of `x` to a scalar; None for the compiled loss.
        prefix: prefix of the names of the network's layers in the run, with its "/".
    """

    network: keras.Model
    x: Any
    y: Any = None
    loss: Callable[[Any], Any] | None = None
    prefix: str = ""


@dataclasses.dataclass(frozen=True)
class Goal:
    """A figure that shows that a program has learned, with the limit that it reaches.

    Attributes:
        name: what is measured, in a few words.
        measure: measures it over all data, by plain means.
        at_least: the lowest value that counts as learned; None if lower is better.
        at_most: the highest value that counts as learned; None if higher is better.
    """

    name: str
    measure: Callable[[], float]
    at_least: float | None = None
    at_most: float | None = None

    def is_reached(self, value: float) -> bool:
        """Whether `value` is within the limits; NaN never is."""
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return low <= value <= high


@dataclasses.dataclass(frozen=True)
class Training:
    """A compiled model and the arguments of `fit`.

    Attributes:
        views: the networks to measure; empty for the model itself on all of `x` and `y`, if it is a sequential or
            functional one.
        gates: names of layers whose outputs only gate others.
        fit: further arguments of `fit`.
        constant_loss: loss of the best constant predictor if the loss function is not a common one.
        update_freq: which steps are observed; every one (1) if everything is lost within a single step that the default
            would skip, as the rule for NaN advises.
        goal: what the program reaches if it learns; None if the loss of the first network to measure shows it.
    """

    model: keras.Model
    x: Any
    y: Any
    epochs: int = 8
    batch_size: int = 32
    views: Sequence[View] = ()
    gates: tuple[str, ...] = ()
    fit: dict[str, Any] = dataclasses.field(default_factory=dict)
    constant_loss: float | None = None
    update_freq: int | str = "auto"
    goal: Goal | None = None


@dataclasses.dataclass(frozen=True)
class Case:
    """A training and its known health.

    Attributes:
        about: what makes it sick or difficult.
        rule: the sickness, None for a healthy training.
        layers: the layers of the root cause; any of them is right.
        also: further rules that may be true of this training, as consequences or independently; their findings are true
            in the layers in which the measurements confirm them.
        onset: the step at which it begins if the case determines it, None to take it from the measurements.
        family: the kind of program, one of `FAMILIES`; "" for the cases that the thresholds were made with.
        source: address of the public report that a sick program is modeled on.
        accepted: the cause that the report settled on, in one sentence.
    """

    name: str
    about: str
    build: Callable[[], Training]
    rule: str | None = None
    layers: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    onset: int | None = None
    family: str = ""
    source: str = ""
    accepted: str = ""

    @property
    def is_outside(self) -> bool:
        """Whether it comes from outside: a program as people write it, not made together with the rules."""
        return bool(self.family)

    @property
    def is_held_out(self) -> bool:
        """Whether no threshold may be set on it: half of the outside cases, chosen by a hash of the name."""
        return self.is_outside and hashlib.sha256(self.name.encode()).digest()[0] % 2 == 0


CASES: dict[str, Case] = {}
"""Every case by name, in the order of the modules."""

Build = Callable[[], Training]


def _add(build: Build, **known: Any) -> Build:
    name = build.__name__
    if name in CASES:
        raise ValueError(f"two cases are called {name}")
    CASES[name] = Case(name, " ".join((build.__doc__ or "").split()), build, **known)
    return build


def healthy(build: Build) -> Build:
    """Registers a healthy training; its docstring says what is difficult about it."""
    return _add(build)


def sick(
    rule: str, layers: Sequence[str], *, also: Sequence[str] = (), onset: int | None = None
) -> Callable[[Build], Build]:
    """Registers a training that has `rule`, rooted in one of `layers`."""
    if rule not in RULES or not set(also) <= set(RULES):
        raise ValueError(f"no such rule among {rule}, {also}")
    return lambda build: _add(build, rule=rule, layers=tuple(layers), also=tuple(also), onset=onset)


def outside_healthy(family: str) -> Callable[[Build], Build]:
    """Registers a healthy program as people write it."""
    _check_family(family)
    return lambda build: _add(build, family=family)


def outside_sick(
    rule: str,
    layers: Sequence[str],
    *,
    family: str,
    source: str,
    accepted: str,
    also: Sequence[str] = (),
    onset: int | None = None,
) -> Callable[[Build], Build]:
    """Registers a program that has `rule`, rooted in one of `layers`, as in the public report at `source`."""
    _check_family(family)
    if rule not in RULES or not set(also) <= set(RULES):
        raise ValueError(f"no such rule among {rule}, {also}")
    known = {"rule": rule, "layers": tuple(layers), "also": tuple(also), "onset": onset}
    return lambda build: _add(build, family=family, source=source, accepted=accepted, **known)


def _check_family(family: str) -> None:
    if family not in FAMILIES:
        raise ValueError(f"no such family: {family}; there are {', '.join(FAMILIES)}")
