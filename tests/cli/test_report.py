"""`tb-activations report`: the content of each format, and where it is written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tb_activations import load
from tb_activations.records.formatting import measured
from tests.cli.conftest import PLAN, Call
from tests.synthetic import write_run


def test_text_shows_every_finding_below_its_root(sick: Path, call: Call) -> None:
    answer = call("report", sick)
    assert (answer.status, answer.err) == (0, "")
    text_of = re.sub(r"\s+", " ", answer.out)
    for finding in load(sick).findings:
        for text in (finding.message, finding.advice, finding.might_be_wrong, finding.layer):
            assert text in text_of
        assert f"threshold {measured(finding.threshold, finding.unit)}" in text_of
        assert f"since step {finding.since_step}" in text_of
    evidence = "share of units dead = 100% (threshold 50%); 28 observed steps; 896 samples; "
    assert evidence + "confirmed at step 120, still present at step 390" in text_of
    assert "units 0, 1, 2, 3" in text_of
    assert text_of.index("PROBLEM dense_2") < text_of.index("Consequences (2)") < text_of.index("WARNING dense_0")
    assert text_of.count("Source: synthetic") == 1


def test_text_shows_loss_learning_rate_and_health_timeline(sick: Path, call: Call) -> None:
    answer = call("report", sick)
    assert re.search(r"^Loss: +[▁-█]+  \d\.\d+ to \d\.\d+, lowest .* at step \d+, highest", answer.out, re.MULTILINE)
    assert re.search(r"^Learning rate: +[▁-█]+  0.001 throughout$", answer.out, re.MULTILINE)
    assert re.search(r"^dense_2  ·{12}▲{28}$", answer.out, re.MULTILINE)
    assert re.search(r"^dense_0  ·{12}◆{28}$", answer.out, re.MULTILINE)
    assert "3 other layers without findings at any step" in answer.out


def test_a_healthy_run_names_what_was_checked(healthy: Path, call: Call) -> None:
    answer = call("report", healthy)
    assert answer.status == 0
    assert "✓ No problems found in 6 layers; 3 rules checked." in answer.out
    assert "Rules: 3 checked (Dead units, Vanishing gradient, NaN or infinity)" in answer.out


def test_missing_data_is_reported(tmp_path: Path, call: Call) -> None:
    write_run(tmp_path, plan=PLAN, steps=2, sick=False)
    assert "1 checked (NaN or infinity); 2 waiting for more steps (Dead units, Vanishing gradient)" in (
        call("report", tmp_path).out
    )


def test_json_holds_the_run_as_documented(sick: Path, call: Call) -> None:
    answer = call("report", sick, "--format", "json")
    report = json.loads(answer.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    run, stored = report["runs"][0], load(sick)
    assert report["format"] == 1
    documented = (Path(__file__).parents[2] / "docs/report.md").read_text("utf-8")
    members = {*report, *run, *run["verdict"], *run["findings"][0], *run["training"]["loss"]}
    assert {name for name in members if f"`{name}`" not in documented} == set()
    assert [finding["id"] for finding in run["findings"]] == [finding.id for finding in stored.findings]
    assert [finding["root"] for finding in run["findings"]] == [None, *[stored.findings[0].id] * 2]
    assert run["verdict"]["layer"] == "dense_2"
    assert run["layers"][2]["outcomes"] == {"dead_units": "problem", "vanishing_gradient": "ok", "nonfinite": "ok"}
    loss = stored.step_stat("loss")
    assert run["training"]["loss"]["last"] == float(loss[-1])
    assert run["training"]["loss"]["lowest_step"] == stored.steps[loss.argmin()]
    assert run["training"]["loss_scale"] is None


def test_several_runs_and_what_cannot_be_read(
    sick: Path, healthy: Path, newer: Path, tmp_path: Path, call: Call
) -> None:
    answer = call("report", tmp_path)
    assert answer.status == 0
    overview, reports = answer.out.split("\n\n", 1)
    assert overview.startswith("3 runs: 1 with problems, 1 OK, 1 cannot be read\n▲ sick ")
    assert [line.split()[:2] for line in overview.splitlines()[1:] if not line.startswith(" ")] == [
        ["▲", "sick"],
        ["✓", "healthy"],
        ["!", "newer"],
    ]
    assert "newer: cannot be read: the run has schema version 99" in reports
    assert reports.index("✓ No problems") < reports.index("newer: ") < reports.index("▲ dense_2: ")
    runs = json.loads(call("report", tmp_path, "--format", "json").out)["runs"]
    assert [(run["name"], run["readable"]) for run in runs] == [("healthy", True), ("newer", False), ("sick", True)]
    assert "schema version 99" in runs[1]["reason"]


def test_one_run_has_no_overview(sick: Path, call: Call) -> None:
    assert call("report", sick).out.startswith("sick  synthetic, 6 layers")


def test_json_since_a_step_has_the_news_only(sick: Path, call: Call) -> None:
    everything = json.loads(call("report", sick, "--format", "json").out)
    assert "since" not in everything
    opened = {finding["opened_step"] for finding in everything["runs"][0]["findings"]}
    assert opened == {120}
    for since, expected in ((0, 3), (120, 3), (121, 0), (10_000, 0)):
        report = json.loads(call("report", sick, "--format", "json", "--since", str(since)).out)
        (run,) = report["runs"]
        assert report["since"] == since
        assert len(run["findings"]) == expected
        assert (run["last_step"], run["verdict"]) == (390, everything["runs"][0]["verdict"])
        loss = run["training"]["loss"]
        assert (loss is None) if since > 390 else (loss["first_step"] >= since)


def test_since_is_for_json_and_takes_a_step(sick: Path, call: Call) -> None:
    answer = call("report", sick, "--since", "3")
    assert (answer.status, answer.err) == (2, "Cannot report: --since needs --format json, got --format text\n")
    for bad in ("-1", "soon", "1.5"):
        answer = call("report", sick, "--format", "json", f"--since={bad}")
        assert answer.status == 2
        assert f"argument --since: must be a whole number >= 0, got {bad}" in answer.err


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_output_goes_into_the_file(form: str, sick: Path, tmp_path: Path, call: Call) -> None:
    printed = call("report", sick, "--format", form).out
    answer = call("report", sick, "--format", form, "--output", tmp_path / "report")
    assert answer == (0, "", "")
    assert (tmp_path / "report").read_text("utf-8") == printed
    assert not any(line.endswith(" ") for line in printed.splitlines() if form == "text")


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_nothing_to_report_gives_two(form: str, tmp_path: Path, call: Call) -> None:
    answer = call("report", tmp_path, "--format", form)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith(f"Cannot report: no Layer Health run in {tmp_path}")


def test_only_unreadable_runs_give_two(damaged: Path, call: Call) -> None:
    assert call("report", damaged).status == 2
    answer = call("report", damaged, "--format", "json")
    assert answer.status == 2
    assert "cannot be read" in answer.err


def test_an_output_that_cannot_be_written_gives_two(sick: Path, tmp_path: Path, call: Call) -> None:
    answer = call("report", sick, "--output", tmp_path / "nowhere" / "report.txt")
    assert answer.status == 2
    assert answer.err.startswith("Cannot report: ")


def test_a_damaged_end_is_reported(sick: Path, call: Call) -> None:
    file = next(sick.glob("*tfevents*"))
    content = bytearray(file.read_bytes())
    content[len(content) * 3 // 4] ^= 0xFF
    file.write_bytes(content)
    answer = call("report", sick)
    assert answer.status == 0
    assert re.search(r"Data issue: .* is damaged; read up to there", re.sub(r"\s+", " ", answer.out))
    assert answer.err == ""


def test_names_cannot_control_the_terminal(hostile: Path, call: Call) -> None:
    out = call("report", hostile).out
    assert "<img src=x onerror=alert(1)>" in out
    assert all(character.isprintable() for line in out.splitlines() for character in line)


def test_reporting_does_not_import_tensorflow(sick: Path) -> None:
    program = "import sys; from tb_activations.cli.main import main; main(['report', sys.argv[1], '--format', 'html']);"
    program += "sys.exit(int(bool({'tensorflow', 'keras'} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", program, str(sick)], check=False, stdout=subprocess.DEVNULL)
    assert done.returncode == 0


def test_a_closed_pipe_is_not_an_error(sick: Path) -> None:
    command = f"{sys.executable} -m tb_activations report {sick} --format html | head -c 10"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_an_output_without_unicode_is_not_an_error(sick: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tb_activations", "report", str(sick)],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
    )
    assert b"? PROBLEM dense_2" in done.stdout
