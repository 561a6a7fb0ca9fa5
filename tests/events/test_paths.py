from __future__ import annotations

from pathlib import Path

import pytest

from tb_activations import load
from tb_activations.events.errors import RemotePathError
from tb_activations.events.paths import local_path
from tb_activations.events.reader import run_names
from tests.synthetic import write_run


@pytest.mark.parametrize("address", ["file://{}", "file:{}", "FILE://{}", "file://localhost{}", "{}"])
def test_addresses_of_local_folders(tmp_path: Path, address: str) -> None:
    assert local_path(address.format(tmp_path)) == tmp_path
    write_run(tmp_path, steps=2)
    assert len(load(address.format(tmp_path)).steps) == 2


def test_a_path_that_pathlib_has_changed(tmp_path: Path) -> None:
    assert local_path(Path(f"file://{tmp_path}")) == tmp_path
    with pytest.raises(RemotePathError, match=r"tensorboard --logdir gs://bucket/logs"):
        local_path(Path("gs://bucket/logs"))


def test_escapes_in_an_address_count_where_there_is_no_such_folder(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    assert local_path(f"file://{tmp_path}/a%20b") == tmp_path / "a b"
    (tmp_path / "a%20b").mkdir()
    assert local_path(f"file://{tmp_path}/a%20b") == tmp_path / "a%20b"


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_run(tmp_path / "logs", steps=2)
    assert local_path("~/logs") == tmp_path / "logs"
    assert (run_names("~/logs"), len(load("~/logs").steps)) == (["."], 2)
    assert local_path("~nobody-of-this-name/logs") == Path("~nobody-of-this-name/logs")


@pytest.mark.parametrize(
    "address", ["gs://bucket/logs", "s3://bucket", "hdfs://host:9000/logs", "https://host/logs", "abfss://c@a/logs"]
)
def test_what_lies_elsewhere_is_refused_with_what_to_do(address: str) -> None:
    for read in (load, run_names):
        with pytest.raises(RemotePathError) as caught:
            read(address)
        assert str(caught.value).startswith(f"{address} is not a local folder, and {address.split(':')[0]}:// cannot")
        assert "Copy the run to a local folder" in str(caught.value)


def test_another_machine_in_a_file_address_is_refused() -> None:
    with pytest.raises(RemotePathError, match=r"folder on the machine 'logs'.* such as file:///logs/run or logs/run"):
        local_path("file://logs/run")


def test_a_local_folder_with_the_name_of_a_store_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "gs:" / "bucket", steps=2)
    assert len(load("gs://bucket").steps) == 2


def test_a_colon_makes_no_address(tmp_path: Path) -> None:
    write_run(tmp_path / "12:30", steps=2)
    assert len(load(tmp_path / "12:30").steps) == 2
    assert local_path("lr:1/run") == Path("lr:1/run")


def test_an_empty_text_is_no_folder() -> None:
    with pytest.raises(ValueError, match="is empty"):
        load("")
