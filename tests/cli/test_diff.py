import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tb_activations.cli.main import COMMANDS, main
from tb_activations.testing import Tolerances
from tests.cli.conftest import Call, opened_event_files
from tests.synthetic import Plan, write_newer_schema, write_run

PLAN = Plan(layers=4, steps=5, units=2)


def test_equal_runs_give_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "a", plan=PLAN)
    write_run(tmp_path / "b", plan=PLAN, start_time=1.0)
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert capsys.readouterr().out == "Equal at 5 steps within rtol=1e-05, atol=1e-08\n"


def test_different_runs_give_one_and_everything_that_differs(tmp_path: Path, call: Call) -> None:
    write_run(tmp_path / "a", plan=PLAN)
    write_run(tmp_path / "b", plan=PLAN, seed=1)
    answer = call("diff", tmp_path / "a", tmp_path / "b")
    assert (answer.status, answer.err) == (1, "")
    first, second, *more = answer.out.splitlines()
    assert first.startswith("First: step 0, layer 'dense_0': mean expected ")
    assert second.startswith("Different: ")
    assert second.endswith("compared 5 steps")
    assert "Largest:" in more
    assert len(answer.out.splitlines()) <= 40


def test_json_has_the_differences_of_every_run(tmp_path: Path, call: Call) -> None:
    for folder, seed in (("a", 0), ("b", 1)):
        write_run(tmp_path / folder, name="same", plan=PLAN)
        write_run(tmp_path / folder, name="other", plan=PLAN, seed=seed)
        write_run(tmp_path / folder, name=f"only_{folder}", plan=PLAN)
    answer = call("diff", tmp_path / "a", tmp_path / "b", "--format", "json")
    assert answer.status == 1
    report = json.loads(answer.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert (report["equal"], report["missing"], report["added"]) == (False, ["only_a"], ["only_b"])
    assert {run["name"]: run["equal"] for run in report["runs"]} == {"other": False, "same": True}
    (other,) = [run for run in report["runs"] if not run["equal"]]
    assert other["first"]["step"] == 0
    text = call("diff", tmp_path / "a", tmp_path / "b").out
    assert "run 'only_a' is only in the expected folder" in text
    assert "run 'other', step 0, layer 'dense_0': mean expected " in text


def test_html_has_charts_of_what_differs_and_nothing_else(tmp_path: Path, call: Call) -> None:
    write_run(tmp_path / "a", name="one", plan=PLAN)
    write_run(tmp_path / "b", name="two", plan=PLAN, seed=1)
    answer = call("diff", tmp_path / "a", tmp_path / "b", "--format", "html", "--output", tmp_path / "page.html")
    assert answer == (1, "", "")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<svg" in page
    assert "dense_0" in page
    assert "<script" not in page
    equal = call("diff", tmp_path / "a", tmp_path / "a", "--format", "html")
    assert equal.status == 0
    assert "<svg" not in equal.out
    assert ": equal</bdi></h1>" in equal.out


def test_what_is_included_and_matched_can_be_chosen(tmp_path: Path, call: Call) -> None:
    write_run(tmp_path / "a", plan=PLAN)
    write_run(tmp_path / "b", plan=PLAN, seed=1)
    lax = ("--rtol", "1", "--atol", "1000")
    assert call("diff", tmp_path / "a", tmp_path / "b", *lax).status == 0
    answer = call("diff", tmp_path / "a", tmp_path / "b", *lax, "--include", "histograms", "--format", "json")
    assert json.loads(answer.out)["runs"][0]["aspects"] == ["histograms"]
    for bad in (("--include", "sloths"), ("--match", "hour"), ("--format", "xml")):
        unknown = call("diff", tmp_path / "a", tmp_path / "b", *bad)
        assert unknown.status == 2
        assert "choose from" in unknown.err


def test_tolerances_can_come_from_a_file(tmp_path: Path, call: Call) -> None:
    write_run(tmp_path / "a", plan=PLAN)
    write_run(tmp_path / "b", plan=PLAN, seed=1)
    file = tmp_path / "tolerances.json"
    file.write_text(json.dumps(Tolerances.of(1, 1000).to_json()))
    assert call("diff", tmp_path / "a", tmp_path / "b", "--tolerances", file).status == 0
    for content in ("{", "[]", "{}", '{"default": [-1, 0], "statistics": {}, "layers": {}}'):
        file.write_text(content)
        answer = call("diff", tmp_path / "a", tmp_path / "b", "--tolerances", file)
        assert (answer.status, answer.out) == (2, "")
        assert "argument --tolerances: cannot read tolerances from" in answer.err


def test_tolerances_decide(tmp_path: Path) -> None:
    write_run(tmp_path / "a", plan=PLAN, sick=False)
    write_run(tmp_path / "b", plan=PLAN, sick=False, seed=1)
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b"), "--rtol", "0.1", "--atol", "1000"]) == 0


def test_brackets_in_names_are_not_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "a", name="[bold]x[/bold]", plan=PLAN)
    write_run(tmp_path / "a", name="y", plan=PLAN)
    write_run(tmp_path / "b", name="y", plan=PLAN)
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 1
    assert "'[bold]x[/bold]'" in capsys.readouterr().out


def test_what_cannot_be_compared_gives_two_and_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "a", plan=PLAN)
    write_newer_schema(tmp_path / "new", "run")
    (tmp_path / "empty").mkdir()
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "empty")]) == 2
    assert main(["diff", str(tmp_path / "nothing"), str(tmp_path / "a")]) == 2
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err
    assert f"Cannot compare: no Layer Health run in {tmp_path / 'empty'} or below it: no event files" in error
    assert f"Cannot compare: there is no folder {tmp_path / 'nothing'}" in error
    assert "schema version 99" in error


def test_folders_elsewhere_and_files_give_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_run(tmp_path / "a", plan=PLAN)
    assert main(["diff", str(tmp_path / "a"), f"file://{tmp_path / 'a'}"]) == 0
    assert main(["diff", str(tmp_path / "a"), "gs://bucket/a"]) == 2
    assert main(["diff", str(file), str(tmp_path / "a")]) == 2
    error = capsys.readouterr().err
    assert "Cannot compare: gs://bucket/a is not a local folder" in error
    assert f"Cannot compare: {file} is a file; give its folder: {tmp_path / 'a'}" in error


def test_many_runs_are_opened_twice_each_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path / "one", plan=PLAN)
    for index in range(20):
        shutil.copytree(tmp_path / "one", tmp_path / "many" / str(index))
    opened = opened_event_files(monkeypatch)
    assert main(["diff", str(tmp_path / "many"), str(tmp_path / "many")]) == 0
    # Both sides: once for the names, once for the values.
    assert set(Counter(opened).values()) == {4}


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "much"])
def test_a_bad_tolerance_gives_two_and_names_itself(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["diff", "a", "b", f"--rtol={text}"])
    assert caught.value.code == 2
    assert "--rtol" in capsys.readouterr().err


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    write_run(tmp_path / "a", plan=PLAN)
    command = [sys.executable, "-m", "tb_activations", "diff", str(tmp_path / "a"), str(tmp_path / "a")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("Equal")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)


def test_comparing_does_not_import_tensorflow(tmp_path: Path) -> None:
    write_run(tmp_path / "a", plan=PLAN)
    program = "import sys; from tb_activations.cli.main import main; main(['diff', sys.argv[1], sys.argv[1]]);"
    program += "sys.exit(int(bool({'tensorflow', 'keras'} & set(sys.modules))))"
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path / "a")], check=False).returncode == 0
