"""A finding as a heading and a text, and the error for a library that is not installed."""

from __future__ import annotations

import importlib
from typing import Any

from tb_activations.health.rules import RULE_TITLES
from tb_activations.records.finding import WHOLE, Finding


def heading(finding: Finding, longest: int = 1000) -> str:
    """`Dead units in conv_1`; the end of a name that is too long is kept."""
    title = RULE_TITLES.get(finding.rule, finding.rule)
    if finding.layer == WHOLE:
        return title[:longest]
    text = f"{title} in {finding.layer}"
    return text if len(text) <= longest else f"{title} in …{finding.layer[len(text) - longest + 1 :]}"


def body(finding: Finding) -> str:
    """The message of a finding, what to try, and when it is a false alarm."""
    parts = (finding.message, f"Try: {finding.advice}", f"False alarm if: {finding.might_be_wrong}")
    return "\n".join(part for part in parts if not part.endswith(": "))


def required(library: str, extra: str, name: str) -> Any:
    """The library; `name` is what needs it.

    Raises:
        ImportError: it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        raise ImportError(
            f"{name} needs {library}, which is not installed: pip install 'tb-activations[{extra}]'"
        ) from error
