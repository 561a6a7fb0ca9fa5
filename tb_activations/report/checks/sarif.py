"""The result of a check as SARIF 2.1.0, which code scanning services read."""

from __future__ import annotations

import hashlib
import json
import urllib.parse
from collections.abc import Sequence
from typing import Any

from tb_activations.records.finding import WHOLE, Severity
from tb_activations.report.checks.checked import Cause, Checked
from tb_activations.report.words import printable, title

_LEVELS = {Severity.NOTE: "note", Severity.WARNING: "warning", Severity.PROBLEM: "error"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(results: Sequence[Checked], logdir: str, version: str) -> str:
    """One result per cause; runs that could not be judged are notifications of the invocation.

    Args:
        results: of the runs.
        logdir: the log directory as given; locations are folders below it.
        version: of this package.
    """
    causes = [(checked, cause) for checked in results for cause in checked.causes]
    unjudged = [_notification(checked) for checked in results if checked.reason]
    rules = sorted({cause.finding.rule for _, cause in causes})
    run = {
        "tool": {
            "driver": {
                "name": "tb-activations",
                "semanticVersion": version,
                "rules": [{"id": rule, "name": rule, "shortDescription": {"text": title(rule)}} for rule in rules],
            }
        },
        "invocations": [{"executionSuccessful": not unjudged, "toolExecutionNotifications": unjudged}],
        "results": [_result(checked, cause, rules, logdir) for checked, cause in causes],
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _result(checked: Checked, cause: Cause, rules: Sequence[str], logdir: str) -> dict[str, Any]:
    finding, name = cause.finding, checked.name
    advice = f" Try: {finding.advice}" if finding.advice else ""
    layer = [] if finding.layer == WHOLE else [{"name": printable(finding.layer), "kind": "module"}]
    folder = logdir.rstrip("/") if name == "." else f"{logdir.rstrip('/')}/{name}".removeprefix("./")
    return {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": _LEVELS[cause.severity],
        "message": {"text": printable(f"{checked.run.title}: {cause.text}{advice}")},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": urllib.parse.quote(folder, errors="replace")}},
                "logicalLocations": layer,
            }
        ],
        # The same fault in the same layer of the same run is one alert, whenever it is found.
        "partialFingerprints": {"layerHealth/v1": _digest(name, finding.rule, finding.layer, finding.sign)},
    }


def _notification(checked: Checked) -> dict[str, Any]:
    return {"level": "error", "message": {"text": printable(f"{checked.run.title}: {checked.reason}")}}


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
