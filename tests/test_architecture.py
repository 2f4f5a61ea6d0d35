"""The shape of the house: floors, sizes, and that nothing happens at import."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from clearbar.spend.sources import SOURCES

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "src" / "clearbar"
FILES: Final = sorted(SOURCE.rglob("*.py"))
MAX_LINES: Final = 400
MAX_FUNCTION_LINES: Final = 70
MEDIAN_FUNCTION_LINES: Final = 12


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def function_lines(path: Path) -> dict[str, int]:
    """Return the length of each function of a file, in lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return {each.name: (each.end_lineno or each.lineno) - each.lineno + 1 for each in found}


@pytest.mark.slow
def test_every_floor_imports_only_downward() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_file_is_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_function_is_short_enough_to_be_seen_at_once(path: Path) -> None:
    assert max(function_lines(path).values(), default=0) <= MAX_FUNCTION_LINES


def test_most_functions_are_very_short() -> None:
    lengths = sorted(length for path in FILES for length in function_lines(path).values())
    assert lengths[len(lengths) // 2] < MEDIAN_FUNCTION_LINES


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_file_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


WATCH: Final = """
import sys
allowed = tuple(sys.argv[1].split("|"))
def watch(event, values):
    if event.startswith(("socket.", "subprocess.", "os.system", "os.mkdir", "os.remove")):
        print(event, file=sys.stderr)
    if event == "open" and isinstance(values[0], str) and not values[0].startswith(allowed):
        print(event, values[0], file=sys.stderr)
sys.addaudithook(watch)
import importlib
for name in sys.argv[2:]:
    importlib.import_module(name)
"""


def test_no_module_does_anything_at_import() -> None:
    allowed = "|".join({str(ROOT), sys.prefix, sys.base_prefix, "/proc/", "/usr/", "/etc/"})
    names = [module_of(path) for path in FILES]
    names = [name for name in names if not name.endswith(("__main__", "spend.spark"))]
    command = [sys.executable, "-c", WATCH, allowed, *names]
    alone = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=alone)
    assert not done.stderr


def test_every_source_file_is_a_source() -> None:
    files = {path.stem for path in (SOURCE / "spend" / "sources").glob("[a-z]*.py")}
    assert files == {source.NAME for source in SOURCES}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.NAME))
def test_every_source_has_samples(source: object) -> None:
    folder = ROOT / "tests" / "spend" / "sources" / str(vars(source)["NAME"])
    assert list(folder.glob("*.in.*"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.NAME))
def test_every_source_says_what_it_reads_and_how_it_counts(source: object) -> None:
    said = vars(source)
    assert all(said[name] for name in ("TITLE", "WHERE", "CONVENTION", "PARSER_VERSION"))
