"""Code, comments and documentation keep to the word list."""

from __future__ import annotations

import pytest

from tests.project.words import LIST, ROOT, files, parse, scan

WORDS = parse(LIST.read_text("utf-8"))


def test_no_file_uses_a_listed_phrase() -> None:
    hits = [
        f"{path.relative_to(ROOT)}:{hit.line}: {hit.found!r} -> {hit.replacement}"
        for path in files()
        for hit in scan(path.read_text("utf-8"), WORDS)
    ]
    assert not hits, "\n".join(hits)


def test_the_scan_reads_code_styles_pages_and_the_makefile() -> None:
    read = {str(path.relative_to(ROOT)) for path in files()}
    expected = {
        "Makefile",
        "README.md",
        "setup.py",
        "docs/rules.md",
        "frontend/src/api.ts",
        "frontend/src/main.tsx",
        "frontend/src/styles/base.css",
        "tb_activations/report/templates/report.html",
        "tests/project/test_words.py",
    }
    assert expected <= read
    assert not any(name.startswith("tb_activations/static") for name in read)


# "~" keeps the phrases of these examples out of this file.
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("It will g~o on.", 1),
        ("first\nIt will G~o On.", 2),
        ("# It will g~o\n    # on.", 1),
        ("judging.g~o_on(spec)", 1),
        ("the initial~isation", 1),
        ("activeColo~ur", 1),
    ],
)
def test_the_scan_can_fail(text: str, line: int) -> None:
    assert [hit.line for hit in scan(text.replace("~", ""), WORDS)] == [line]


@pytest.mark.parametrize("text", ["an ongoing run", "it continues", "aria-labelledby", "still_lea~rnt"])
def test_other_words_are_left_alone(text: str) -> None:
    assert scan(text.replace("~", ""), WORDS) == []


def test_every_listed_phrase_is_found() -> None:
    for word in WORDS:
        assert [hit.replacement for hit in scan(f"x {' '.join(word.parts)} x", [word])] == [word.replacement]


def test_lines_that_repeat_stored_text_are_exempt_up_to_the_next_blank_one() -> None:
    text = "# words: as ~stored\nnormal~ised\n\nnormal~ised\n".replace("~", "")
    assert [hit.line for hit in scan(text, WORDS)] == [4]


@pytest.mark.parametrize("line", ["no arrow", "phrase ->", " -> replacement"])
def test_a_line_without_a_replacement_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="phrase -> replacement"):
        parse(line)


def test_phrases_are_listed_once() -> None:
    phrases = [word.phrase for word in WORDS]
    assert len(phrases) == len(set(phrases))
