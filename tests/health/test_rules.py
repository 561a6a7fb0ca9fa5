"""The declarations of every rule."""

from __future__ import annotations

from tb_activations.health.rules import EXPLANATORY_ORDER, RULES, title_of
from tests.health.sick_histories import histories
from tests.health.trainings import judge


def test_every_rule_has_its_own_reason_why_it_matters() -> None:
    reasons = [rule.why for rule in RULES.values()]
    assert len(set(reasons)) == len(RULES)
    assert all(text.endswith(".") and len(text) <= 160 for text in reasons)


def test_every_rule_has_a_place_in_the_explanatory_order() -> None:
    assert sorted(EXPLANATORY_ORDER) == sorted(RULES)


def test_signs_have_unique_ids_and_titles() -> None:
    for rule in RULES.values():
        assert rule.signs
        assert len({sign.id for sign in rule.signs}) == len({sign.title for sign in rule.signs}) == len(rule.signs)


def test_causes_are_rules() -> None:
    for rule in RULES.values():
        for causes in (rule.causes, *(rule.causes_of(sign.id) for sign in rule.signs)):
            assert {cause.rule for cause in causes} <= RULES.keys()
            assert not any(cause.rule == rule.id and cause.where.here for cause in causes)


def test_every_finding_has_a_declared_sign_and_a_title() -> None:
    for name, cases in histories().items():
        declared = {sign.id: sign for sign in RULES[name].signs}
        for case in cases:
            for finding in judge(case.spec, case.records, [name])[-1].findings:
                assert finding.unit == declared[finding.sign].unit
                assert title_of(finding) == declared[finding.sign].title
