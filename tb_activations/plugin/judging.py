"""The answer of `judge`: what other thresholds would find in a stored run. Nothing is written."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from tb_activations.events.run import Run
from tb_activations.health.rejudging import Change, Standing, changes, rejudge
from tb_activations.health.replay import Replay, Tables
from tb_activations.health.rules import Rule
from tb_activations.health.rules.base import TrainingRule
from tb_activations.health.verdict import headline, verdict
from tb_activations.plugin import bounds
from tb_activations.plugin.bounds import Omissions, clipped, with_clipped_texts
from tb_activations.plugin.own_rules import own_rules
from tb_activations.plugin.turns import Turns
from tb_activations.records.mute import Mutes, counting

BASES_KEPT = 8
HINT = "save the rules and run tb-activations check --thresholds instead"


class Judging:
    """Judges stored runs again, one at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._turns = Turns(clock)
        self._bases: collections.OrderedDict[object, tuple[weakref.ref[Run], Standing]] = collections.OrderedDict()
        self._replay: tuple[weakref.ref[Run], Replay] | None = None
        self._guard = threading.Lock()

    def answer(
        self, experiment: str, name: str, read: Callable[[], Run], rules: Sequence[Rule], mutes: Mutes
    ) -> dict[str, Any]:
        """What these rules find in the run, compared with the run's own thresholds over the same records.

        Only rules whose thresholds differ are judged, and the rules for the training as a whole.

        Args:
            name: of a run that exists.
            read: gives it. Reading is part of the turn: requests that wait for the same data to be decoded would
                otherwise come out of their order.
            rules: that apply; known rules of the run that are not among them are left out.
            mutes: findings that the verdict does not count.

        Raises:
            ApiError: a newer request for the run came, or it takes too long.
        """
        with self._turns.turn((experiment, name), HINT) as turn:
            run = read()
            own = own_rules(run)
            changed = [rule for rule in rules if own.get(rule.id) != rule]
            gone = {rule for rule in own if rule not in {each.id for each in rules}}
            before = after = standing_of(run)
            judged = _with_training(changed, rules) if changed or gone else []
            if judged:
                # A newer request needs this part, too.
                before = self._base(experiment, run, {rule.id for rule in judged}, turn.check_time)
                after = rejudge(before.without(gone), self._replay_of(run), judged, turn.check)
            else:
                after = before.without(gone)
        found = changes(before.findings, after.findings)
        counted = counting(after.findings, mutes)
        muted = len(after.findings) - len(counted)
        whole = verdict(run.spec, counted, after.table, list(after.outcomes), after.training, muted)
        left_out = Omissions()
        return {
            "run": run.name,
            "verdict": with_clipped_texts(dataclasses.asdict(whole)),
            "changes": left_out.fitting("changes", map(_change, found), len(found), bounds.MOST_FINDINGS),
            "records": len(run.steps) if judged else 0,
            "left_out": left_out.counts,
        }

    def _base(self, experiment: str, run: Run, ids: set[str], check: Callable[[], None]) -> Standing:
        """The run with these rules judged by its own thresholds; recent ones are kept."""
        key = experiment, run.name, frozenset(ids)
        with self._guard:
            kept = self._bases.get(key)
            if kept is not None and kept[0]() is run:
                self._bases.move_to_end(key)
                return kept[1]
        rules = [rule for rule in own_rules(run).values() if rule.id in ids]
        standing = rejudge(standing_of(run), self._replay_of(run), rules, check)
        with self._guard:
            self._bases[key] = weakref.ref(run), standing
            while len(self._bases) > BASES_KEPT:
                self._bases.popitem(last=False)
        return standing

    def _replay_of(self, run: Run) -> Replay:
        """That of the run judged last is kept. Called in a turn, so by one request at a time."""
        if self._replay is None or self._replay[0]() is not run:
            self._replay = weakref.ref(run), replay_of(run)
        return self._replay[1]


def standing_of(run: Run) -> Standing:
    """How the training itself judged the run."""
    columns = dict(zip(run.rules, run.last_outcomes.T, strict=True))
    return Standing(run.spec, run.findings, columns, run.last_training)


def _with_training(changed: Sequence[Rule], rules: Sequence[Rule]) -> list[Rule]:
    """The changed rules, and those for the training as a whole that look at the findings of the others."""
    return [rule for rule in rules if rule in changed or (isinstance(rule, TrainingRule) and rule.hears_others)]


def replay_of(run: Run) -> Replay:
    """The records of the run, to be judged again."""
    return Replay(run.spec, Tables(run.steps, run.layer_table, run.weight_table, run.step_table), run.records)


def _change(change: Change) -> dict[str, Any]:
    finding = change.finding
    return {
        "rule": clipped(finding.rule, bounds.LONGEST_RULE),
        "layer": clipped(finding.layer),
        "headline": clipped(headline(finding)),
        "before": change.before,
        "after": change.after,
    }
