"""The page of the documentation: how often the advice helps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.advice.result import Result
from benchmarks.cases.base import Case

GOAL = 0.8
"""Share of the sick cases that the advice must mend."""

Results = Sequence[tuple[Case, Result]]

HEAD = """# Whether the advice helps

`make advice` writes this page. For each sick case of [accuracy](accuracy.md), a script follows the advice of the first
correct finding and trains again. If that training has a finding, its advice is followed too, up to three trainings in
all, as a person would who looks again. The code is in `benchmarks/advice/`.

- The first correct finding: eight observed steps after the first warning or problem that the independent measurements
  confirm, the first confirmed one in the order of the verdict. Layers with the same finding are treated alike.
- What the advice names first is done, as a person would: an initializer, an activation, a learning rate, clipping, the
  scale of the data, another head or loss. Alternatives that it names later are not tried.
- Cured: the known cause of the case is undone, whatever the rules say. That training shows which loss a healthy one
  reaches. A case counts if a script can cure it; the others are listed with the reason.
- Healthy: no warning or problem of our rules at any step, no certain sickness by the measurements, and the network
  learns.
- Near: at least 95 % of the cured training's improvement over a network that learned nothing. Losses on scaled targets
  are compared with the best constant prediction of these targets.
- Mended: healthy and near. A case without a correct finding, or whose advice only a person can follow, is not mended.
- At once: the first of these trainings. Healthy, near and the loss are those of the last one.
- Control: for each change of all trainings, a random one of the same kind: another learning rate within a factor of a
  thousand, other layers initialized at another size, another activation, another scale of the data."""

COLUMNS = (
    "cases",
    "sick",
    "cured by script",
    "mended by the advice",
    "at once",
    "healthy",
    "near",
    "loss itself within 5 %",
    "control mended",
)


def is_goal_met(results: Results) -> bool:
    counted = _counted(results)
    return bool(counted) and sum(one.is_mended(one.advice_trial) for one in counted) >= GOAL * len(counted)


def summary(results: Results) -> str:
    """The table for the terminal."""
    return "\n".join(" | ".join(row) for row in [COLUMNS, *_rows(results)])


def markdown(results: Results, expected: int) -> str:
    """The page; `expected` is the number of sick cases, of which some may not have been tried yet."""
    left = expected - len(results)
    sections = [
        HEAD,
        *(
            [f"**Unfinished: {left} of {expected} sick cases have not been tried yet.** The order is random."]
            if left
            else []
        ),
        _grid(COLUMNS, _rows(results)),
        _judgement(results, left),
        "## Not mended",
        _listed(_failure(result) for _, result in results if _is_counted(result) and not _mended(result)),
        "## Mended",
        _listed(_success(result) for _, result in results if _is_counted(result) and _mended(result)),
        "## Mended by the control",
        _listed(
            f"`{result.case}`: {_plain('; '.join(result.control_changes))}"
            for _, result in results
            if _is_counted(result) and result.is_mended(result.control_trial)
        ),
        "## Cases that a script cannot cure",
        _listed(f"`{result.case}`: {_plain(_why(result))}" for _, result in results if not _is_counted(result)),
    ]
    return "\n\n".join(sections) + "\n"


def _judgement(results: Results, left: int) -> str:
    if left:
        return f"The goal is {GOAL:.0%} mended. So few cases do not decide whether it is reached."
    return f"The goal is {GOAL:.0%} mended. It is {'reached' if is_goal_met(results) else 'not reached'}."


def _rows(results: Results) -> list[tuple[str, ...]]:
    tuned = [(case, result) for case, result in results if not case.is_held_out]
    held_out = [(case, result) for case, result in results if case.is_held_out]
    return [_row("Held out", held_out), _row("Tuned", tuned), _row("All", results)]


def _row(title: str, results: Results) -> tuple[str, ...]:
    counted = _counted(results)
    whole = len(counted)
    return (
        title,
        str(len(results)),
        str(whole),
        _fraction(sum(map(_mended, counted)), whole),
        _fraction(sum(one.is_mended(one.first_trial) for one in counted), whole),
        _fraction(sum(one.advice_trial is not None and one.advice_trial.is_healthy for one in counted), whole),
        _fraction(sum(one.is_near(one.advice_trial) for one in counted), whole),
        _fraction(sum(one.is_as_low(one.advice_trial) for one in counted), whole),
        _fraction(sum(one.is_mended(one.control_trial) for one in counted), whole),
    )


def _counted(results: Results) -> list[Result]:
    return [result for _, result in results if _is_counted(result)]


def _is_counted(result: Result) -> bool:
    """Whether a script can cure the case."""
    return result.cure_trial is not None and not result.cure_trial.sick and result.cure_trial.has_learned


def _mended(result: Result) -> bool:
    return result.is_mended(result.advice_trial)


def _why(result: Result) -> str:
    if result.cure_trial is None:
        return result.reason
    left = ", ".join(result.cure_trial.sick[:3])
    return (
        f"the changes that a script can make leave {left}" if left else "so changed, it does not learn in its few steps"
    )


def _failure(result: Result) -> str:
    return f"`{result.case}`: {_plain(_what_is_left(result))} [{_plain(result.finding)}; {_plain(_followed(result))}]"


def _what_is_left(result: Result) -> str:
    trial = result.advice_trial
    if trial is None:
        return result.reason or "the changed program does not run"
    parts = []
    if trial.findings:
        parts.append(f"our rules find {_few(trial.findings)}")
    if trial.sick:
        parts.append(f"the measurements show {_few(trial.sick)}")
    if not trial.has_learned:
        parts.append("it does not learn")
    if not result.is_near(trial) and result.cure_trial is not None:
        parts.append(f"loss {trial.loss:.3g}, cured {result.cure_trial.loss:.3g}")
    return ", ".join(parts)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _success(result: Result) -> str:
    return f"`{result.case}`: {_plain(_followed(result))} [{_plain(result.finding)}]"


def _followed(result: Result) -> str:
    trainings = f" ({result.rounds} trainings)" if result.rounds > 1 else ""
    return ("; ".join(result.changes) or "nothing changed") + trainings


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) or "None."


def _plain(text: str) -> str:
    """Escapes characters that are special in Markdown."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def _grid(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _fraction(part: int, whole: int) -> str:
    return f"{part / whole:.0%} ({part}/{whole})" if whole else "–"
