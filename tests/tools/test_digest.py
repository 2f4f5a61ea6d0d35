"""A tool's digest changes with all that its answers depend on, and with nothing else."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import ClearbarError
from clearbar.tools import contents
from clearbar.tools.contents import contents_digest
from clearbar.tools.digest import tool_digest
from clearbar.tools.tool import GpuPrice, NoPrice, TokenPrice, Tool

if TYPE_CHECKING:
    from pathlib import Path

TOOL = Tool("a", "openai", model="m", settings={"temperature": 0.2, "stop": ["x"]})


def test_a_digest_is_64_hexadecimal_digits() -> None:
    assert len(tool_digest(TOOL)) == 64
    assert int(tool_digest(TOOL), 16)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "b"},
        {"kind": "anthropic"},
        {"model": "m-2"},
        {"provider": "azure"},
        {"url": "http://x/v1"},
        {"tier": "small"},
        {"cost": NoPrice("ours")},
        {"cost": TokenPrice(Decimal(1), Decimal(2))},
        {"cost": GpuPrice(Decimal(1), Decimal(2), Decimal(1))},
        {"data_class": "public"},
        {"settings": {"temperature": 0.2}},
        {"settings": {"temperature": 0.2, "stop": ["y"]}},
        {"command": ("a", "b")},
        {"function": "a:b"},
        {"file": "x"},
        {"first": "x"},
        {"then": "x"},
        {"agree_with": ("x",)},
        {"timeout_s": 5.0},
        {"version": "2"},
    ],
)
def test_a_change_of_what_it_is_changes_the_digest(changed: dict[str, Any]) -> None:
    assert tool_digest(replace(TOOL, **changed)) != tool_digest(TOOL)


@pytest.mark.parametrize(
    "changed",
    [
        {"line": 7},
        {"key_env": "OTHER"},
        {"concurrency": 9},
        {"requests_per_minute": 60},
        {"settings": {"stop": ("x",), "temperature": Decimal("0.20")}},
    ],
)
def test_where_and_how_fast_it_is_asked_changes_nothing(changed: dict[str, Any]) -> None:
    plain = replace(TOOL, settings={"temperature": Decimal("0.2"), "stop": ["x"]})
    assert tool_digest(replace(plain, **changed)) == tool_digest(plain)


def test_the_contents_of_its_files_and_the_parts_of_a_cascade_change_the_digest() -> None:
    digests = {
        tool_digest(TOOL),
        tool_digest(TOOL, "1"),
        tool_digest(TOOL, "2"),
        tool_digest(TOOL, parts=["1", "2"]),
        tool_digest(TOOL, parts=["2", "1"]),
    }
    assert len(digests) == 5


RULES = "[[rule]]\nlookup = 'known.csv'\n"


def test_an_edited_file_of_rules_or_table_of_them_is_another_tool(tmp_path: Path) -> None:
    rules, table = tmp_path / "rules.toml", tmp_path / "known.csv"
    rules.write_text(RULES)
    table.write_text("input,answer\nhello,greeting\n")
    tool = Tool("r", "rules", file="rules.toml")
    digests = [contents_digest(tool, tmp_path)]
    table.write_text("input,answer\nhello,other\n")
    digests.append(contents_digest(tool, tmp_path))
    rules.write_text(f"default = 'x'\n{RULES}")
    digests.append(contents_digest(tool, tmp_path))
    assert len({*digests, ""}) == 4


@pytest.mark.parametrize("kind", ["rules", "classifier"])
def test_a_missing_file_is_said(tmp_path: Path, kind: Any) -> None:
    with pytest.raises(ClearbarError):
        contents_digest(Tool("r", kind, file="none.toml"), tmp_path)


def test_a_script_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClearbarError, match="Is a directory") as raised:
        contents._digest(Tool("c", "command", command=("x",)), tmp_path)
    assert str(tmp_path) not in str(raised.value)


def test_an_edited_script_of_a_command_is_another_tool(tmp_path: Path) -> None:
    command = Tool("c", "command", command=("python3", "say.py", "", "a\0b", "x" * 5000))
    path = tmp_path / "say.py"
    assert contents_digest(command, tmp_path) == ""
    path.write_text("a")
    before = contents_digest(command, tmp_path)
    path.write_text("b")
    assert contents_digest(command, tmp_path) not in {"", before}


@pytest.mark.parametrize("home", ["desk/tools.py", "desk/tools/__init__.py"])
def test_an_edited_module_of_a_function_is_another_tool(tmp_path: Path, home: str) -> None:
    function, path = Tool("p", "python", function="desk.tools:f"), tmp_path / home
    assert contents_digest(function, tmp_path) == ""
    path.parent.mkdir(parents=True)
    path.write_text("a")
    before = contents_digest(function, tmp_path)
    path.write_text("b")
    assert contents_digest(function, tmp_path) not in {"", before}


def test_an_endpoint_has_no_files(tmp_path: Path) -> None:
    assert contents_digest(TOOL, tmp_path) == ""
