"""The reference of the gateway: headers, refusals, the journal's lines and the metrics.

What the code says is read from the code; what it does not say stands in reference_words.toml, and
must tell of the same things.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

from clearbar import route
from clearbar.route.journal import entry
from clearbar.route.journal.entry import Ended, Held, Noted, Refused
from clearbar.route.operating.facts import AccountRow, AdminFacts
from clearbar.route.operating.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]

_CODE: Final = Path(cast("str", route.__file__)).parent
_HEADER: Final = re.compile(r"x-clearbar-[a-z-]*[a-z]")
_REFUSING: Final = frozenset({"Refusal", "Refused"})
_LINES: Final = {"H": Held, "E": Ended, "R": Refused, "N": Noted}


def gateway_parts(told: Mapping[str, Any], table: Table) -> list[str]:
    """Return the parts of the page.

    Raises:
        ValueError: when reference_words.toml and the code do not tell of the same things.
    """
    words = told["gateway"]
    return [
        words["text"].strip(),
        "## Headers of a request",
        words["metadata"].strip(),
        table(("header", "meaning"), _headers(words["headers_in"], words["headers_out"])),
        "## Headers of an answer",
        table(("header", "meaning"), _code_rows(words["headers_out"])),
        "## Refusals",
        words["refusals"].strip(),
        table(("code", "status", "what it means, and what to do"), _refusals(words["codes"])),
        "## Lines of the journal",
        words["journal"].strip(),
        *_journal(words["fields"], table),
        "## Metrics",
        words["metrics"].strip(),
        table(("metric", "kind", "labels", "meaning"), list(_metrics())),
    ]


def refusals_in_the_code() -> dict[str, set[int]]:
    """Return each code with which the gateway refuses, and its statuses where they stand there."""
    found: dict[str, set[int]] = {}
    for call in _calls():
        texts = [each.value for each in call.args if _is(each, str)]
        if _name(call) in _REFUSING and texts and re.fullmatch(r"[a-z_]+", texts[0]):
            found.setdefault(texts[0], set()).update(_statuses(call))
    return found


def headers_in_the_code() -> set[str]:
    """Return the headers of our own that the gateway reads or writes."""
    found = set()
    for node in _nodes():
        if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
            found |= set(_HEADER.findall(node.value.decode("latin-1")))
    return found


def _headers(read: Mapping[str, str], written: Mapping[str, str]) -> list[tuple[str, str]]:
    told = {name.removesuffix("-KEY") for name in (*read, *written)}
    if missing := headers_in_the_code() - told:
        raise ValueError(f"reference_words.toml tells nothing of the headers {sorted(missing)}")
    return _code_rows(read)


def _refusals(told: Mapping[str, Sequence[str]]) -> list[tuple[str, str, str]]:
    found = refusals_in_the_code()
    if missing := found.keys() - told.keys():
        raise ValueError(f"reference_words.toml tells nothing of the codes {sorted(missing)}")
    literals = {node.value for node in _nodes() if _is(node, str)}
    for code, (status, _) in told.items():
        stated = {int(each) for each in re.findall(r"\d+", status)}
        if code not in literals or not found.get(code, set()) <= stated:
            raise ValueError(f"the code {code} is not refused with {status} any more")
    return [(f"`{code}`", status, meaning) for code, (status, meaning) in told.items()]


def _journal(told: Mapping[str, str], table: Table) -> Iterator[str]:
    tree = ast.parse(inspect.getsource(entry))
    kinds = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for tag, kind in _LINES.items():
        node = kinds[kind.__name__]
        yield f"### {tag}: {kind.__name__.lower()}"
        yield inspect.cleandoc(ast.get_docstring(node) or "")
        yield table(("field", "type", "meaning"), list(_fields(node, told)))


def _fields(node: ast.ClassDef, told: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for place, line in enumerate(node.body):
        if not isinstance(line, ast.AnnAssign):
            continue
        name = ast.unparse(line.target)
        after = node.body[place + 1] if place + 1 < len(node.body) else None
        text = after.value.value if isinstance(after, ast.Expr) and _is(after.value, str) else ""
        meaning = told.get(f"{node.name}.{name}") or text or told.get(name)
        if meaning is None:
            raise ValueError(f"nothing tells what the field {name} of {node.name} means")
        yield f"`{name}`", f"`{ast.unparse(line.annotation)}`", meaning


def _metrics() -> Iterator[tuple[str, str, str, str]]:
    """Yield each metric, as a scrape of one call shows it."""
    metrics = Metrics(cast("AdminFacts", _OneCall()))
    held, ended = _call()
    metrics.calls([held], [(held, ended)])
    metrics.refused(Refused(0, "req", "no_key", 401))
    metrics.noted(Noted(0, "breaker_open", "small"))
    asyncio.run(metrics.refresh())
    for family in metrics.collect():
        labels = {name for sample in family.samples for name in sample.labels} - {"le", "version"}
        ending = {"counter": "_total", "info": "_info"}.get(family.type, "")
        listed = ", ".join(sorted(labels))
        yield f"`{family.name}{ending}`", family.type, listed, family.documentation


def _call() -> tuple[Held, Ended]:
    texts = ["call", 0, "req", 1, "passed", "chat", False, *["x"] * 14, (), 0]
    held = Held(*cast("Any", texts))
    return held, Ended("call", 0, "ok", 200, {"input_tokens": 1}, "reported", 1, priced=True)


class _OneCall:
    """A gateway of which only as much is known as the metrics ask."""

    version = "0"
    started_at = datetime(2026, 1, 1, tzinfo=UTC)

    async def look(self) -> None:
        """Know all there is already."""

    async def balances(self) -> list[AccountRow]:
        zero = {"limit_nusd": 0, "spent_nusd": 0, "held_nusd": 0}
        return [AccountRow(account="a", scope="team", name="a", per="month", **zero)]

    def ready(self) -> object:
        return SimpleNamespace(ready=True)

    def journal_lag_s(self) -> float:
        return 0.0

    def table(self) -> object:
        return SimpleNamespace(generation=1, tools={"small": None})

    def workers(self) -> list[object]:
        return [SimpleNamespace(alive=True, generation=1, restarts=0)]


def _code_rows(told: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(f"`{name}`", meaning) for name, meaning in told.items()]


def _nodes() -> Iterator[ast.AST]:
    for path in sorted(_CODE.rglob("*.py")):
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def _calls() -> Iterator[ast.Call]:
    return (node for node in _nodes() if isinstance(node, ast.Call))


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _statuses(call: ast.Call) -> set[int]:
    """Return the numbers that may be its status: what stands before or after its code."""
    near = [each for each in call.args[:2] if not _is(each, str)]
    numbers = [node.value for each in near for node in ast.walk(each) if _is(node, int)]
    return {number for number in numbers if number >= 400}  # noqa: PLR2004 - an error


def _is(node: ast.AST, kind: type) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is kind
