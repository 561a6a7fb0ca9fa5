"""Texts are not keys: changed titles and messages change no finding, root, unit or verdict."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from tb_activations.events.json_codec import finding_from_json, finding_to_json
from tb_activations.health import rules
from tb_activations.health.diagnosis import Judgement
from tb_activations.health.rules import RULES
from tb_activations.health.rules.base import Explanation, LayerRule
from tb_activations.health.verdict import Verdict, verdict
from tb_activations.records.finding import Finding
from tests.health.sick_histories import SickHistory, histories
from tests.health.trainings import judge

TEXTS = ("message", "might_be_wrong", "advice")
HISTORIES = [pytest.param(cases[-1], id=rule) for rule, cases in histories().items()]


def without_texts(findings: tuple[Finding, ...]) -> list[Finding]:
    texts: dict[str, Any] = dict.fromkeys((*TEXTS, "follow_up", "source"), "")
    return [dataclasses.replace(finding, **texts) for finding in findings]


def of(history: SickHistory, judgement: Judgement) -> Verdict:
    rules = [rule for rule in RULES if issubclass(RULES[rule], LayerRule)]
    whole = [rule for rule in RULES if rule not in rules]
    training = dict(zip(whole, judgement.training.tolist(), strict=True))
    return verdict(history.spec, judgement.findings, judgement.outcomes, rules, training)


@pytest.fixture
def mutated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reverses every title of a rule or sign, and every text that a rule writes."""
    original = Explanation.__new__

    def turned(cls: type[Explanation], message: str, might_be_wrong: str, advice: str, *more: Any, **named: Any) -> Any:
        texts = (message[::-1], might_be_wrong[::-1], advice[::-1])
        return original(cls, *texts, *more, **named)

    monkeypatch.setattr(Explanation, "__new__", turned)
    for rule in RULES.values():
        monkeypatch.setattr(rule, "title", rule.title[::-1])
        monkeypatch.setattr(rule, "signs", tuple(sign._replace(title=sign.title[::-1]) for sign in rule.signs))
    titles = {key: title[::-1] for key, title in rules._TITLES.items()}
    monkeypatch.setattr(rules, "_TITLES", titles)


@pytest.mark.parametrize("history", HISTORIES)
def test_mutated_texts_change_no_finding(history: SickHistory, request: pytest.FixtureRequest) -> None:
    plain = judge(history.spec, history.records, list(RULES))
    request.getfixturevalue("mutated")
    turned = judge(history.spec, history.records, list(RULES))
    for before, after in zip(plain, turned, strict=True):
        assert without_texts(after.findings) == without_texts(before.findings)
        assert (after.outcomes == before.outcomes).all()
        verdicts = [of(history, one) for one in (before, after)]
        assert len({(one.severity, one.layer, one.layers_affected, one.rules_checked) for one in verdicts}) == 1


@pytest.mark.usefixtures("mutated")
def test_the_mutation_reaches_what_people_read() -> None:
    history = histories()["dead_units"][0]
    (finding,) = judge(history.spec, history.records, ["dead_units"])[-1].findings
    assert finding.message.startswith(".")
    assert rules.title_of(finding) == "daed stinu fo erahs"


def test_a_stored_finding_keeps_its_sign_with_any_title() -> None:
    history = histories()["nonfinite"][0]
    (finding,) = judge(history.spec, history.records, ["nonfinite"])[-1].findings
    stored = json.loads(finding_to_json(finding)) | {"quantity": "anything"}
    assert finding_from_json(json.dumps(stored)) == finding


TITLES_OF_0_4 = {
    ("dead_units", "dead_share"): "share of units dead",
    ("dormant_units", "dormant_share"): "share of units dormant",
    ("saturated_units", "saturated_share"): "share of outputs saturated",
    ("collapsed_layer", "sample_spread"): "spread of outputs over samples, relative to their size",
    ("vanishing_gradient", "elasticity"): "elasticity of the loss (gradient norm x weight norm / loss)",
    ("exploding_gradient", "step"): "update-to-weight ratio of a kernel",
    ("exploding_gradient", "loss"): "loss over its start",
    ("exploding_gradient", "elasticity"): "elasticity of the loss (gradient norm x weight norm / loss)",
    ("exploding_gradient", "signal"): "size of the outputs before the first step, over that of the inputs",
    ("exploding_gradient", "growth"): "growth of the gradient norm over the last windows",
    ("nonfinite", "outputs"): "outputs not finite",
    ("nonfinite", "gradients"): "gradients not finite",
    ("nonfinite", "weights"): "weights not finite",
    ("stagnant_weights", "restless"): "update-to-weight ratio, median of the window's last half",
    ("stagnant_weights", "still"): "update-to-weight ratio, largest of the window",
    ("no_gradient", "cut"): "weights with a gradient",
    ("no_gradient", "zero"): "largest gradient norm of the window",
    ("poor_init", "gain_high"): "gain of the initial kernel, at most",
    ("poor_init", "gain_low"): "gain of the initial kernel, at least",
    ("poor_init", "drive"): "gain of the initial kernel times the size of its inputs",
    ("poor_init", "equal"): "checks in which all units are alike",
}


@pytest.mark.parametrize("rule", sorted({rule for rule, _ in TITLES_OF_0_4}))
def test_every_title_that_version_0_4_wrote_is_known(rule: str) -> None:
    """Titles may be reworded, but files hold those of 0.4."""
    for sign in (sign for sign in RULES[rule].signs if (rule, sign.id) in TITLES_OF_0_4):
        old = {"rule": rule, "quantity": TITLES_OF_0_4[rule, sign.id]}
        history = histories()[rule][0]
        finding = judge(history.spec, history.records, [rule])[-1].findings[0]
        stored = json.loads(finding_to_json(finding)) | old
        del stored["sign"], stored["unit"]
        restored = finding_from_json(json.dumps(stored))
        assert (restored.sign, restored.unit) == (sign.id, sign.unit)
