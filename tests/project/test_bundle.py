"""The built tab in `tb_activations/static` belongs to the sources in `frontend`; seen without Node.

Only where there are sources: an installed package has none, and nothing to compare.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"
STATIC = ROOT / "tb_activations" / "static"
INPUT_FILES = (".npmrc", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts")
INPUT_FOLDERS = ("scripts", "src")
MANIFEST = "BUILD.json"
OUTPUTS = {"index.js", "THIRD_PARTY_LICENSES.md"}
MAX_COMPRESSED = 100 * 1024
BUNDLED_PACKAGES = ("preact", "@preact/signals", "uplot", "d3-array", "d3-format")


def hashes(root: Path, files: list[Path]) -> dict[str, str]:
    return {file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def input_hashes(frontend: Path) -> dict[str, str]:
    files = [frontend / name for name in INPUT_FILES]
    for folder in INPUT_FOLDERS:
        files += [path for path in (frontend / folder).rglob("*") if path.is_file()]
    return hashes(frontend, files)


def output_hashes(static: Path) -> dict[str, str]:
    return hashes(static, [path for path in static.rglob("*") if path.is_file() and path.name != MANIFEST])


def manifest() -> dict[str, dict[str, str]]:
    content: dict[str, dict[str, str]] = json.loads((STATIC / MANIFEST).read_text("utf-8"))
    return content


def test_bundle_was_built_from_these_sources() -> None:
    assert manifest()["inputs"] == input_hashes(FRONTEND), "the tab's sources have changed: run `make bundle`"


def test_bundle_is_as_it_was_built() -> None:
    outputs = output_hashes(STATIC)
    assert set(outputs) == OUTPUTS
    assert manifest()["outputs"] == outputs, "tb_activations/static was changed by hand: run `make bundle`"


@pytest.mark.parametrize("change", ["edit", "add", "remove"])
def test_a_changed_source_is_noticed(tmp_path: Path, change: str) -> None:
    copy = tmp_path / "frontend"
    shutil.copytree(FRONTEND, copy, ignore=shutil.ignore_patterns("node_modules"))
    assert input_hashes(copy) == manifest()["inputs"]
    source = copy / "src" / "api.ts"
    if change == "edit":
        source.write_text(source.read_text("utf-8") + "\n", "utf-8")
    elif change == "add":
        source.with_name("new.ts").write_text("", "utf-8")
    else:
        source.unlink()
    assert input_hashes(copy) != manifest()["inputs"]


def test_a_change_by_hand_is_noticed(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(STATIC, tmp_path / "static"))
    with (copy / "index.js").open("a", encoding="utf-8") as file:
        file.write(" ")
    assert output_hashes(copy) != manifest()["outputs"]


def test_bundle_stays_small() -> None:
    assert len(gzip.compress((STATIC / "index.js").read_bytes(), 9)) <= MAX_COMPRESSED


def test_licenses_name_every_bundled_package() -> None:
    licenses = (STATIC / "THIRD_PARTY_LICENSES.md").read_text("utf-8")
    missing = [name for name in BUNDLED_PACKAGES if name not in licenses]
    assert not missing


def test_bundle_and_lock_file_name_no_package_host() -> None:
    lock = json.loads((FRONTEND / "package-lock.json").read_text("utf-8"))
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []


def test_bundle_needs_nothing_the_page_forbids() -> None:
    """TensorBoard's content security policy blocks other origins, inline scripts and blob workers."""
    text = (STATIC / "index.js").read_text("utf-8")
    for forbidden in ("eval(", "new Function", "new Worker", "innerHTML=`<script", "cdn."):
        assert forbidden not in text, forbidden
