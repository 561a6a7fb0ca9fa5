"""Names of sibling folders."""

from __future__ import annotations

import itertools

import pytest

from tb_activations.recording.folder.siblings import Siblings


def siblings(folder: str, *names: str, is_room: bool = True) -> tuple[list[str], list[str], list[str]]:
    """The newest five siblings, the first two free names, and the folders that were listed."""
    asked: list[str] = []

    def listed(path: str) -> list[str]:
        asked.append(path)
        return list(names)

    found = Siblings(folder, listed, is_room)
    return found.newest(5), list(itertools.islice(found.free(), 2)), asked


@pytest.mark.parametrize(
    ("folder", "parent", "first"),
    [
        ("/logs/run", "/logs/", "/logs/run-2"),
        ("/logs/run-1", "/logs/", "/logs/run-1-2"),
        ("/logs", "/", "/logs-2"),
        ("/", "/", "/run-2"),
        ("gs://bucket/run", "gs://bucket/", "gs://bucket/run-2"),
        ("gs://bucket/a/b", "gs://bucket/a/", "gs://bucket/a/b-2"),
        ("gs://bucket", "gs://bucket", "gs://bucket/run-2"),
        ("ram://run", "ram://run", "ram://run/run-2"),
    ],
)
def test_a_sibling_has_the_same_parent(folder: str, parent: str, first: str) -> None:
    newest, free, asked = siblings(folder)
    assert (newest, free[0], asked) == ([], first, [parent])


def test_siblings_are_inside_a_folder_without_room_next_to_it() -> None:
    assert siblings("/mount", "run-2", is_room=False) == (
        ["/mount/run-2"],
        ["/mount/run-3", "/mount/run-4"],
        ["/mount"],
    )


def test_the_newest_come_first_and_the_next_number_is_free() -> None:
    names = [f"run-{number}/" for number in (2, 10, 9, 3, 4, 5)]
    newest, free, _ = siblings("/logs/run", *names)
    assert newest == [f"/logs/run-{number}" for number in (10, 9, 5, 4, 3)]
    assert free == ["/logs/run-11", "/logs/run-12"]


def test_other_names_are_no_siblings() -> None:
    others = [
        "run",
        "run-",
        "run-1",
        "run-0",
        "run-02",
        "run-2x",
        "run-20240101",
        "xrun-2",
        "run-2-2",
        "r.n-7",
        "run-²",
    ]
    assert siblings("/logs/run", *others)[:2] == ([], ["/logs/run-2", "/logs/run-3"])
    assert siblings("/logs/r.n", "ran-4")[0] == []


def test_the_search_for_a_free_folder_ends() -> None:
    assert len(list(Siblings("/logs/run", lambda path: []).free())) == 100
