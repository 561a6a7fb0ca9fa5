"""The report of a run as a file, and statistics of values that were not finite."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tb_activations.events.reader import load
from tb_activations.plugin import answers
from tb_activations.plugin.not_finite import layer_values
from tb_activations.records.columns import LAYER_COLUMNS
from tb_activations.report.page import report_page
from tb_activations.report.stored import Judged, read
from tests.http.conftest import HOSTILE_RUN
from tests.live_server import Server
from tests.synthetic import write_run


def test_the_report_is_the_page_of_the_command_line(server: Server, log_dir: object) -> None:
    answer = server.get("report", run="sick")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''sick_health.html"
    (sick,) = (run for run in read(str(log_dir)) if isinstance(run, Judged) and run.title == "sick")
    assert answer.text == report_page([sick])


def test_a_hostile_name_cannot_leave_the_file_name(server: Server) -> None:
    answer = server.get("report", run=HOSTILE_RUN)
    assert answer.status == 200
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''hostile_b_2F_health.html"
    assert server.get("report", run="nothing").json["kind"] == "unknown_run"


@pytest.mark.parametrize(
    ("stat", "counts", "is_spoiled"),
    [
        ("gradient_norm", {"gradient_nonfinite": 1}, True),
        ("weight_norm", {"weight_nonfinite": 3}, True),
        ("std", {"nonfinite": 1}, False),
        ("std", {"nonfinite": 512}, True),
        ("gradient_norm", {"nonfinite": 512}, False),
    ],
)
def test_a_norm_of_nan_is_not_zero(
    tmp_path_factory: pytest.TempPathFactory, stat: str, counts: dict[str, int], is_spoiled: bool
) -> None:
    folder = tmp_path_factory.mktemp("run")
    write_run(folder, steps=2, units=16)
    run = load(folder)
    table = run.layer_table.copy()
    table[1, 0, LAYER_COLUMNS.index(stat)] = 0
    for name, count in counts.items():
        table[1, 0, LAYER_COLUMNS.index(name)] = count
    run = dataclasses.replace(run, layer_table=table)
    expected = np.inf if is_spoiled else 0
    assert layer_values(run, stat)[1, 0] == expected
    assert answers.matrix(run, stat, 10).data[0, 1] == expected
    assert answers.series(run, run.layers[0], [stat], 10).data[0, 1] == expected
