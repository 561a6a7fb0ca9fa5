"""Rules and thresholds from a file, for the command line."""

from __future__ import annotations

import argparse
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from tb_activations.health.rules import RuleChoice, configure


def rules_file(text: str) -> RuleChoice:
    """The rules that the file named `text` holds: JSON or TOML, rule id -> thresholds; in JSON also a list of ids.

    Raises:
        argparse.ArgumentTypeError: the file cannot be read, or holds something else; the text says what is allowed.
    """
    path = Path(os.path.expanduser(text))
    try:
        rules = _parse(path)
        if not isinstance(rules, Mapping | list) or not rules:
            raise ValueError("it must map at least one rule id to its thresholds, which may be none")
        if not all(isinstance(rule, str) for rule in rules):
            raise ValueError("a list must hold rule ids")
        configure(rules)
    except (OSError, ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"cannot take rules from {text}: {error}") from error
    return rules


def _parse(path: Path) -> object:
    if path.suffix not in (".json", ".toml"):
        raise ValueError('its name must end in ".json" or ".toml"')
    content = path.read_text("utf-8")
    return tomllib.loads(content) if path.suffix == ".toml" else json.loads(content)
