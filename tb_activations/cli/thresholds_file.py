"""Rules and thresholds from a file, for `--thresholds`."""

from __future__ import annotations

import argparse
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from tb_activations.health.rules import RuleChoice, configure

METAVAR = "FILE"
HELP = "judge the stored records again with these rules: JSON or TOML that maps rule ids to thresholds"


def thresholds_file(text: str) -> RuleChoice:
    """The rules in the file named `text`: JSON or TOML that maps rule ids to thresholds; JSON may be a list of ids.

    Raises:
        argparse.ArgumentTypeError: the file cannot be read or has other content; the message names what is allowed.
    """
    path = Path(os.path.expanduser(text))
    try:
        rules = _parse(path)
        if not isinstance(rules, Mapping | list) or not rules:
            raise ValueError("it must map at least one rule id to thresholds (an empty mapping keeps the defaults)")
        if not all(isinstance(rule, str) for rule in rules):
            raise ValueError("a list must contain rule ids only")
        configure(rules)
    except (OSError, ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"cannot read thresholds from {text}: {error}") from error
    return rules


def _parse(path: Path) -> object:
    if path.suffix not in (".json", ".toml"):
        raise ValueError('its name must end in ".json" or ".toml"')
    content = path.read_text("utf-8")
    return tomllib.loads(content) if path.suffix == ".toml" else json.loads(content)
