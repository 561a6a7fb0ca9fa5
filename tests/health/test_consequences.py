"""Every rule says why its finding matters."""

from __future__ import annotations

from tb_activations.health.rules import RULES
from tb_activations.health.rules.consequences import WHY_IT_MATTERS


def test_every_rule_has_a_sentence_of_its_own() -> None:
    assert set(WHY_IT_MATTERS) == set(RULES)
    assert len(set(WHY_IT_MATTERS.values())) == len(RULES)
    assert all(text.endswith(".") and len(text) <= 160 for text in WHY_IT_MATTERS.values())
