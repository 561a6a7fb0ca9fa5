"""Formats the results as tables for terminal and documentation, and defines the targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.cases.base import Case
from benchmarks.cases.groups import Group, families, halves
from benchmarks.cases.scoring import Result, RuleScore, roots_of, rule_scores
from tb_activations.records.finding import Finding

LEAST_RECALL = 0.95
LEAST_RIGHT_LAYER = 0.95
MOST_SEED_ALARMS = 0.01

PAGE_HEAD = """# How often the rules are right

`make accuracy` writes this page. It trains small networks on data from scikit-learn and on generated sequences, with
the callback as users have it, and judges every observed step with the default thresholds. The truth of each training
is established without `tb_activations`. Before the first step and after every epoch, plain eager TensorFlow evaluates
every unit, gradient and weight over the whole data set. `benchmarks/cases/truth.py` has the criteria for a sick
layer. A case whose measurements do not confirm its description counts as failing.

- A finding counts if it was a warning or a problem at any time of the training, even for one step.
- Recall: the share of trainings with this root cause in which the rule found it.
- Right layer: of those found, the share whose findings lead to the layer of the root cause and to no healthy layer.
- Precision: cases with a true finding of the rule, compared with those with a false one. Consequences count as true if
  the measurements confirm them.
- Held out: half of the programs from outside, chosen by a hash of their names. They are written as people write such
  programs, the sick ones after public reports. Their truth was established before any rule had seen them, and no
  threshold was set on them.
- Tuned: the other half, and the cases that were made together with the rules, all from seed 0. `python -m
  benchmarks.accuracy --seed 1` trains and measures them with another seed. `make accuracy-seeds` counts false alarms
  over thirty new seeds of 23 healthy trainings.
- Gates and heads of attention are not measured. Their rules (`stuck_gates`, `attention_logits`, `attention_collapse`)
  can only be wrong in healthy trainings.
- Ahead of the loss: observed steps from the first finding of the sickness to the alarm of a watcher of the loss: NaN,
  a spike of six standard deviations, or no improvement by 1 % for a tenth of the training; to the end of the training
  if that alarm never goes off.
- NaN that begins between two observed steps can only be attributed to the first layer in call order, since all weights
  are NaN by the next step. `nonfinite_log_of_zero` is therefore observed at every step, as the rule advises."""

COLUMNS = (
    "rule",
    "sick cases",
    "recall",
    "right layer",
    "precision",
    "cases with a false alarm (healthy)",
    "steps from onset to finding: median / most",
    "observed steps ahead of the loss: median / least",
)

GROUP_COLUMNS = ("cases", "healthy", "with a false alarm", "sick", "found", "right layer", "F1", "F1 of the layer")


def are_targets_met(results: Sequence[Result]) -> bool:
    """Whether no healthy case has an alarm, recall and right layer reach the targets, and every case is confirmed."""
    scores = [one for one in rule_scores(results) if one.sick]
    is_quiet = not any(result.found for result in results if result.case.rule is None)
    return (
        is_quiet
        and all((one.recall or 0) >= LEAST_RECALL for one in scores)
        and _rate(sum(one.right_layer for one in scores), sum(one.found for one in scores)) >= LEAST_RIGHT_LAYER
        and not any(result.unconfirmed for result in results)
    )


def show(console: Console, results: Sequence[Result], failed: Iterable[str], is_verbose: bool = False) -> None:
    """Prints the table of rules and every failing case; with `is_verbose` also everything found."""
    for group in halves(results):
        table = Table(*COLUMNS, title=f"{group.title}: rules on known trainings")
        for row in _rows(group.results):
            table.add_row(*row)
        console.print(table)
        console.print(_summary(group.results))
    table = Table(*GROUP_COLUMNS)
    for group in [*halves(results), *families(results)]:
        table.add_row(*_group_row(group))
    console.print(table)
    for name in sorted(failed):
        console.print(f"[bold red]{name}: could not be trained")
    for result in results:
        for line in [*_faults(result), *(_claims(result) if is_verbose else ())]:
            console.print(f"[bold]{result.case.name}[/] {escape(line)}", soft_wrap=True)


def markdown(results: Sequence[Result]) -> str:
    """The page of the documentation: the same table and sentences, and a description of all cases."""
    held_out, tuned = halves(results)
    sections = [
        PAGE_HEAD,
        "## Held out",
        _summary(held_out.results),
        _grid(COLUMNS, _rows(held_out.results)),
        "### Cases that fail",
        _failing(held_out.results),
        "## Tuned",
        _summary(tuned.results),
        _grid(COLUMNS, _rows(tuned.results)),
        "### Cases that fail",
        _failing(tuned.results),
        "## Halves and families",
        "F1 counts cases: a miss for every sick one that is not found, and a false alarm for every case with one. The "
        "families are the kinds of programs from outside, tuned and held out together.",
        _grid(GROUP_COLUMNS, [_group_row(group) for group in (held_out, tuned, *families(results))]),
        "## Sick trainings",
        _listed([result for result in results if result.case.rule]),
        "## Healthy trainings",
        _listed([result for result in results if not result.case.rule]),
    ]
    return "\n\n".join(sections) + "\n"


def _grid(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _failing(results: Sequence[Result]) -> str:
    faults = [f"- `{result.case.name}`: {_plain(line)}" for result in results for line in _faults(result)]
    return "\n".join(faults) or "None."


def _group_row(group: Group) -> tuple[str, ...]:
    return (
        group.title,
        str(len(group.healthy)),
        _fraction(len(group.alarmed), len(group.healthy)),
        str(len(group.sick)),
        _fraction(group.found, len(group.sick)),
        _fraction(group.right_layer, len(group.sick)),
        f"{group.f1:.2f}",
        f"{group.layer_f1:.2f}",
    )


def _listed(results: Sequence[Result]) -> str:
    return "\n".join(_description(result.case) for result in results)


def _description(case: Case) -> str:
    kind = ", ".join(filter(None, (case.rule, "held out" if case.is_held_out else "")))
    source = f" Accepted cause: {_plain(case.accepted)} ([report]({case.source}))" if case.source else ""
    return f"- `{case.name}`{f' ({kind})' if kind else ''}: {case.about}{source}"


def _plain(text: str) -> str:
    """Escapes characters that are special in Markdown."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def show_seeds(console: Console, alarms: Mapping[str, Mapping[str, Sequence[Finding]]]) -> bool:
    """Prints alarms by case over seeds; returns whether the share of runs with an alarm meets the target."""
    table = Table("healthy case", "runs", "runs with an alarm", title="New seeds")
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
    ahead = f"{one.median_lead:g} / {min(one.leads)}" if one.leads else "–"
    return (
        one.rule,
        str(one.sick),
        _fraction(one.found, one.sick),
        _fraction(one.right_layer, one.found),
        _fraction(one.true_cases, one.true_cases + one.false_cases),
        f"{one.false_cases} ({one.healthy_alarms})",
        late,
        ahead,
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


def _claims(result: Result) -> list[str]:
    return [f"found: {_told(finding)}" for finding in result.found if finding not in result.false_alarms]


def _told(finding: Finding) -> str:
    cause = f" [follows from {finding.root}]" if finding.root else ""
    return f"{finding.rule} ({finding.severity.value}, step {finding.opened_step}): {finding.message}{cause}"
