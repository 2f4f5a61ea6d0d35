"""Callables of the workspace and of what is installed answer, or fail by their type only."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.tools.asking import answer_of, ask, failure_of

from clearbar.core.errors import ClearbarError
from clearbar.tools.tool import Answer, Tool

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
import time
from decimal import Decimal

def shout(text): return text.upper()
def sure(text): return text, 0.75
def unsure(text): return text, 1
def none(text): return None
def too_sure(text): return text, 1.5
def not_a_number(text): return text, float("nan")
def true(text): return text, True
def exact(text): return text, Decimal("0.5")
def three(text): return text, 0.5, 1
def fails(text): raise KeyError("the secret " + text)
def ends(text): raise SystemExit(text)
def slow(text): time.sleep(0.5); return text
async def later(text): return text
class Tools:
    @staticmethod
    def lower(text): return text.lower()
word = "no callable"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "desk_tools.py").write_text(MODULE)
    return tmp_path


def python(function: str, **fields: Any) -> Tool:
    return Tool("fn", "python", function=function, **fields)


def test_a_callable_of_the_workspace_answers(folder: Path) -> None:
    answer = answer_of(python("desk_tools:shout"), folder=folder)
    assert (answer.text, answer.confidence, answer.usage) == ("HELLO", None, None)
    assert answer.latency_ms is not None


def test_an_installed_callable_answers(tmp_path: Path) -> None:
    assert answer_of(python("string:capwords"), "ab cd", folder=tmp_path).text == "Ab Cd"


def test_a_callable_may_stand_in_a_class(folder: Path) -> None:
    assert answer_of(python("desk_tools:Tools.lower"), "ABC", folder=folder).text == "abc"


@pytest.mark.parametrize(("name", "confidence"), [("sure", 0.75), ("unsure", 1.0)])
def test_a_callable_may_say_how_sure_it_is(folder: Path, name: str, confidence: float) -> None:
    answer = answer_of(python(f"desk_tools:{name}"), folder=folder)
    assert (answer.text, answer.confidence) == ("hello", confidence)


@pytest.mark.parametrize("name", ["none", "too_sure", "not_a_number", "true", "exact", "three"])
def test_what_is_neither_text_nor_text_with_a_confidence_is_a_failure(
    folder: Path, name: str
) -> None:
    failure = failure_of(python(f"desk_tools:{name}"), folder=folder)
    assert "neither text nor" in failure.what
    assert not failure.retry


@pytest.mark.parametrize(("name", "kind"), [("fails", "KeyError"), ("ends", "SystemExit")])
def test_an_exception_is_named_by_its_type_only(folder: Path, name: str, kind: str) -> None:
    failure = failure_of(python(f"desk_tools:{name}"), "parcel 4711", folder=folder)
    assert (failure.what, failure.retry) == (f"the function raised {kind}", False)


def test_a_slow_callable_is_left_behind(folder: Path) -> None:
    started = time.monotonic()
    failure = failure_of(python("desk_tools:slow", timeout_s=0.05), folder=folder)
    assert (failure.what, failure.retry) == ("no answer within 0.05 s", True)
    assert time.monotonic() - started < 0.4
    time.sleep(0.6)  # it ends after the loop that had waited for it, and harms nobody


def test_a_callable_that_ends_late_is_not_heard(folder: Path) -> None:
    tools = [python("desk_tools:slow", timeout_s=0.3)]
    found = ask(tools[0], "a", "b", folder=folder)
    assert not [each for each in found if isinstance(each, Answer)]


@pytest.mark.parametrize(
    "name", ["desk_tools:nothing", "no_such_module:f", "desk_tools:", ":f", "desk_tools", ""]
)
def test_a_callable_that_is_not_there_is_the_declarations_fault(folder: Path, name: str) -> None:
    with pytest.raises(ClearbarError, match='the tool "fn" cannot be imported'):
        ask(python(name), "hello", folder=folder)


@pytest.mark.parametrize("name", ["word", "later"])
def test_what_is_no_plain_callable_is_the_declarations_fault(folder: Path, name: str) -> None:
    with pytest.raises(ClearbarError, match="no plain callable"):
        ask(python(f"desk_tools:{name}"), "hello", folder=folder)


def test_a_module_that_fails_while_it_is_imported_is_named_by_the_type(tmp_path: Path) -> None:
    (tmp_path / "broken_tools.py").write_text("raise RuntimeError('the secret')")
    with pytest.raises(ClearbarError, match="imported: RuntimeError") as raised:
        ask(python("broken_tools:f"), "hello", folder=tmp_path)
    assert "secret" not in str(raised.value)


def test_a_module_that_ends_the_program_while_it_is_imported_does_not(tmp_path: Path) -> None:
    (tmp_path / "leaving_tools.py").write_text("import sys; sys.exit(3)")
    with pytest.raises(ClearbarError, match="imported: SystemExit"):
        ask(python("leaving_tools:f"), "hello", folder=tmp_path)


def test_each_workspace_has_its_own_module_of_a_name(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place / "parts").mkdir(parents=True)
        (tmp_path / place / "parts" / "__init__.py").write_text("")
        (tmp_path / place / "parts" / "say.py").write_text(f"def f(text): return '{place}'")
    said = [
        answer_of(python("parts.say:f"), folder=tmp_path / place).text
        for place in ("one", "two", "one", "one")
    ]
    assert said == ["one", "two", "one", "one"]


def test_a_module_may_import_another_of_the_workspace_when_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "late_part.py").write_text("WORD = 'found'")
    (tmp_path / "late_tools.py").write_text(
        "def f(text):\n    from late_part import WORD\n    return WORD"
    )
    assert answer_of(python("late_tools:f"), folder=tmp_path).text == "found"


def test_the_workspace_does_not_come_before_what_is_installed_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "front_tools.py").write_text("def f(text): return text")
    answer_of(python("front_tools:f"), folder=tmp_path)
    assert sys.path[0] != str(tmp_path)
