"""Every threshold of every rule can be shown and moved."""

from __future__ import annotations

import math

import pytest

from tb_activations.health.rules import RULES, configure
from tb_activations.health.sliders import Slider, sliders

ALL = [(rule, slider) for rule in RULES.values() for slider in sliders(rule)]


def of(rule: str, name: str) -> Slider:
    return next(slider for slider in sliders(RULES[rule]) if slider.id == name)


@pytest.mark.parametrize("rule", list(RULES))
def test_every_threshold_has_a_name_for_people(rule: str) -> None:
    assert set(RULES[rule].labels) == set(RULES[rule].limits) == set(RULES[rule]().thresholds)
    titles = [label.title for label in RULES[rule].labels.values()]
    assert len(set(titles)) == len(titles)
    assert all(title[:1].isupper() and "_" not in title for title in titles)


def test_a_slider_holds_the_default_and_only_what_the_rule_allows() -> None:
    assert len(ALL) > 50
    for rule, slider in ALL:
        assert slider.low <= slider.start < slider.end <= slider.high, (rule.id, slider.id)
        assert slider.start <= slider.default <= slider.end, (rule.id, slider.id)
        for value in (slider.start, slider.end):
            configure({rule.id: {slider.id: value}})


def test_positions_are_few_enough_for_the_arrow_keys() -> None:
    for rule, slider in ALL:
        if slider.scale == "log":
            assert slider.start > 0
            assert slider.step == 0
            positions = 20 * math.log10(slider.end / slider.start)
        else:
            positions = (slider.end - slider.start) / slider.step
        assert 3 <= positions <= 200, (rule.id, slider.id, positions)


def test_the_scale_follows_the_unit_and_the_default() -> None:
    share, steps, tiny = (
        of("dead_units", "note_share"),
        of("no_gradient", "min_checks"),
        of("stagnant_weights", "still"),
    )
    assert (share.scale, share.start, share.end, share.step) == ("linear", 0, 1, 0.01)
    assert (steps.scale, steps.start, steps.end, steps.step, steps.is_whole) == ("linear", 1, 12, 1, True)
    assert (tiny.scale, tiny.start, tiny.end, tiny.is_whole) == ("log", 1e-9, 1e-3, False)
    assert of("learning_rate", "against").start == -1
    # A share of the loss may exceed one, but hardly anybody wants that.
    assert (of("vanishing_gradient", "loss_fallen").end, of("vanishing_gradient", "loss_fallen").high) == (1, 1e6)
