"""The result of a check in the XML format of JUnit, which CI systems show as tests.

A run is a test suite. Its tests are its causes, which fail, and the rules without findings: they pass, or are skipped
where they had nothing to judge. Rules that found only consequences of a cause are folded into that cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as xml

from tb_activations.report.checks.checked import Checked
from tb_activations.report.stored import Judged
from tb_activations.report.words import STATE_WORDS, evidence, place, printable, title


def junit(results: Sequence[Checked]) -> str:
    """The XML document."""
    root = xml.Element("testsuites", name="tb-activations check")
    for checked in results:
        _suite(root, checked)
    _count(root)
    xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root, "unicode") + "\n"


def _suite(root: xml.Element, checked: Checked) -> None:
    name = printable(checked.run.title)
    suite = xml.SubElement(root, "testsuite", name=name)
    if checked.reason:
        test = xml.SubElement(suite, "testcase", classname=name, name="judged")
        xml.SubElement(test, "error", message=printable(checked.reason))
    for cause in checked.causes:
        finding = cause.finding
        about = f"{title(finding.rule)}: {printable(place(finding))}"
        test = xml.SubElement(suite, "testcase", classname=name, name=about)
        failure = xml.SubElement(test, "failure", type=cause.severity.value, message=printable(cause.text))
        failure.text = "\n".join(
            ["", f"Evidence: {printable(evidence(finding))}", f"Try: {printable(finding.advice)}", ""]
        )
    if isinstance(checked.run, Judged):
        found = {finding.rule for finding in checked.run.run.findings if finding.closed_step is None}
        for rule in checked.rules:
            if rule not in found:
                _rule(suite, name, rule, checked.run)
    _count(suite)


def _rule(suite: xml.Element, run: str, rule: str, judged: Judged) -> None:
    state = judged.states.get(rule)
    test = xml.SubElement(suite, "testcase", classname=run, name=title(rule))
    if state == "failed":
        xml.SubElement(test, "error", message="the rule failed")
    elif state != "checked":
        xml.SubElement(test, "skipped", message=STATE_WORDS[state] if state else "not run")


def _count(element: xml.Element) -> None:
    counted = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    for name, tag in counted.items():
        element.set(name, str(sum(1 for _ in element.iter(tag))))
