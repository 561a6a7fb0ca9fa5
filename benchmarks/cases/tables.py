"""The results as tables for the terminal and for the documentation, and the targets they are held to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.cases.scoring import Result, RuleScore, roots_of, rule_scores
from tb_activations.health.records import Finding

LEAST_RECALL = 0.95
LEAST_RIGHT_LAYER = 0.95
MOST_SEED_ALARMS = 0.01

COLUMNS = (
    "rule",
    "sick cases",
    "recall",
    "right layer",
    "precision",
    "cases with a false alarm (healthy)",
    "steps from onset to finding: median / most",
)


def are_targets_met(results: Sequence[Result]) -> bool:
    """No alarm on a healthy case, recall and right layer as promised for every rule, no case in doubt."""
    scores = [one for one in rule_scores(results) if one.sick]
    is_quiet = not any(result.found for result in results if result.case.rule is None)
    return (
        is_quiet
        and all((one.recall or 0) >= LEAST_RECALL for one in scores)
        and _rate(sum(one.right_layer for one in scores), sum(one.found for one in scores)) >= LEAST_RIGHT_LAYER
        and not any(result.unconfirmed for result in results)
    )


def show(console: Console, results: Sequence[Result], failed: Iterable[str]) -> None:
    """Prints the table of rules and every case that did not go as it should."""
    table = Table(*COLUMNS, title="Rules on known trainings")
    for row in _rows(results):
        table.add_row(*row)
    console.print(table)
    console.print(_summary(results))
    for name in sorted(failed):
        console.print(f"[bold red]{name}: could not be trained")
    for result in results:
        for line in _faults(result):
            console.print(f"[bold]{result.case.name}[/] {escape(line)}", soft_wrap=True)


def markdown(results: Sequence[Result]) -> str:
    """The same table and sentences for the documentation."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(row) + " |" for row in _rows(results)]
    faults = [f"- `{result.case.name}`: {line}" for result in results for line in _faults(result)]
    listed = ["Cases that fail:", "", *faults] if faults else ["No case fails."]
    return "\n".join([*lines, "", _summary(results), "", *listed, ""])


def show_seeds(console: Console, alarms: Mapping[str, Mapping[str, Sequence[Finding]]]) -> bool:
    """Prints alarms by case over seeds; whether the share of runs with an alarm is as promised."""
    table = Table("healthy case", "runs", "runs with an alarm", title="Fresh seeds")
    for name, runs in alarms.items():
        table.add_row(name, str(len(runs)), str(sum(map(bool, runs.values()))))
    console.print(table)
    for name, runs in alarms.items():
        for seed, found in runs.items():
            for finding in found:
                console.print(f"[bold]{name}[/] seed {seed}: {escape(_told(finding))}", soft_wrap=True)
    every = [found for runs in alarms.values() for found in runs.values()]
    share = _rate(sum(map(bool, every)), len(every))
    console.print(f"False alarm rate: {sum(map(bool, every))} of {len(every)} runs, {share:.2%}")
    return bool(every) and share <= MOST_SEED_ALARMS


def _rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    return [_row(one) for one in rule_scores(results)]


def _row(one: RuleScore) -> tuple[str, ...]:
    late = f"{one.median_late_by:g} / {max(one.late_by)}" if one.late_by else "–"
    return (
        one.rule,
        str(one.sick),
        _fraction(one.found, one.sick),
        _fraction(one.right_layer, one.found),
        _fraction(one.true_cases, one.true_cases + one.false_cases),
        f"{one.false_cases} ({one.healthy_alarms})",
        late,
    )


def _fraction(part: int, whole: int) -> str:
    return f"{part / whole:.0%} ({part}/{whole})" if whole else "–"


def _rate(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _summary(results: Sequence[Result]) -> str:
    sick = [result for result in results if result.case.rule]
    healthy = [result for result in results if not result.case.rule]
    found = sum(result.is_found for result in sick)
    right = sum(bool(result.is_right_layer) for result in sick)
    return (
        f"{len(healthy)} healthy trainings, {sum(bool(result.found) for result in healthy)} with a false alarm. "
        f"{len(sick)} sick ones, {found} found; the right layer in {right} of them."
    )


def _faults(result: Result) -> list[str]:
    lines = [f"the measurements do not confirm: {line}" for line in result.unconfirmed]
    if result.case.rule and not result.is_found:
        lines.append(f"missed {result.case.rule} of {', '.join(result.case.layers)}")
    if result.is_right_layer is False:
        named = [finding for finding in result.found if finding.rule == result.case.rule]
        roots = ", ".join(f"{root.layer} ({root.rule})" for root in roots_of(named, result.found))
        lines.append(f"wrong layer: roots {roots} instead of {', '.join(result.case.layers)}")
    return lines + [f"false alarm: {_told(finding)}" for finding in result.false_alarms]


def _told(finding: Finding) -> str:
    return f"{finding.rule} ({finding.severity.value}, step {finding.opened_step}): {finding.message}"
