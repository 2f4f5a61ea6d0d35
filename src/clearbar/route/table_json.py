"""A table of routes as JSON, and back with every field checked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, TypeVar, cast, get_args, get_type_hints

import msgspec

from clearbar.core.errors import ClearbarError
from clearbar.gate.verdict import Decision
from clearbar.route.protocols import asked_by
from clearbar.route.route import (
    Budget,
    Capture,
    Cascade,
    GatewayKey,
    GatewaySettings,
    Route,
    RouteTable,
)
from clearbar.tools.tool import CostModel, DataClass, Tool

T = TypeVar("T")
Reader = Callable[[Any], object]

_NAMES: Final = {
    each.__name__: each
    for each in (date, datetime, Decimal, Mapping, Tool, GatewayKey, Route, Capture, Cascade)
} | {"Decision": Decision, "DataClass": DataClass}
"""What the annotations of the nouns name without importing it."""
_COSTS: Final[tuple[type[CostModel], ...]] = get_args(CostModel)


def table_json(table: RouteTable) -> dict[str, object]:
    """Return a table as JSON values; money and numbers of cost are text."""
    return cast("dict[str, object]", msgspec.to_builtins(table))


def read_table(values: object) -> RouteTable:
    """Return the table that `table_json` made values of.

    Raises:
        ClearbarError: when they are not of a table, or what it names is not in it.
    """
    try:
        table = _made(RouteTable, values, _OF_A_TABLE)
    except (msgspec.ValidationError, TypeError, ValueError, ArithmeticError) as error:
        raise ClearbarError("it holds no table of routes", "it is made anew") from error
    _check(table)
    return table


def _check(table: RouteTable) -> None:
    """Find what no table that was made here can hold."""
    named = [(name, each.workflow) for name, each in table.routes.items()]
    named += [(name, each.name) for name, each in table.tools.items()]
    named += [(name, each.key_id) for name, each in table.keys.items()]
    wrong = [name for name, own in named if name != own]
    wanted = {name for each in table.routes.values() for name in _tools_of(each)}
    wanted |= {part for each in table.tools.values() for part in asked_by(each)}
    wanted |= set(table.settings.upstreams)
    if wrong or not wanted <= table.tools.keys():
        raise ClearbarError("its names do not belong together", "it is made anew")


def _tools_of(route: Route) -> tuple[str, ...]:
    return tuple(each for each in (route.tool, route.old_tool, *route.fallbacks) if each)


def _made(kind: type[T], values: object, readers: Mapping[str, Reader] | None = None) -> T:
    """Return the noun of these fields: all of them there, none unknown, each of its type."""
    special = readers or {}
    checked = msgspec.convert(values, _mirror(cast("Hashable", kind), frozenset(special)))
    read = msgspec.structs.asdict(checked)
    for name, reader in special.items():
        read[name] = reader(read[name])
    return kind(**read)


@cache
def _mirror(kind: Hashable, special: frozenset[str]) -> type[msgspec.Struct]:
    """Return a struct that checks a noun's fields at once, but for the special ones."""
    noun = cast("type[Any]", kind)
    hints = get_type_hints(noun, localns=_NAMES)
    typed = [
        (each.name, Any if each.name in special else hints[each.name]) for each in fields(noun)
    ]
    return msgspec.defstruct(noun.__name__, typed, forbid_unknown_fields=True)


def _maybe(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else read(value)


def _each(read: Callable[[Any], T]) -> Callable[[Any], dict[str, T]]:
    return lambda values: {
        name: read(each) for name, each in msgspec.convert(values, dict[str, Any]).items()
    }


def _route(values: object) -> Route:
    return _made(Route, values, _OF_A_ROUTE)


def _tool(values: object) -> Tool:
    return _made(Tool, values, _OF_A_TOOL)


def _cost(values: object) -> CostModel:
    """Return the cost model that has these fields: no two have one in common."""
    given = msgspec.convert(values, dict[str, Any])
    kinds = [kind for kind in _COSTS if given.keys() == {each.name for each in fields(kind)}]
    if len(kinds) != 1:
        raise ValueError("no cost model")
    return _made(kinds[0], given)


def _budgets(values: object) -> tuple[Budget, ...]:
    return tuple(_made(Budget, each) for each in msgspec.convert(values, list[Any]))


_OF_A_TOOL: Final[Mapping[str, Reader]] = {
    "cost": _cost,
    "settings": lambda values: msgspec.convert(values, dict[str, Any]),
}
_OF_A_ROUTE: Final[Mapping[str, Reader]] = {
    "cascade": _maybe(lambda values: _made(Cascade, values)),
    "capture": _maybe(lambda values: _made(Capture, values)),
}
_OF_A_TABLE: Final[Mapping[str, Reader]] = {
    "routes": _each(_route),
    "tools": _each(_tool),
    "keys": _each(lambda values: _made(GatewayKey, values)),
    "budgets": _budgets,
    "settings": lambda values: _made(GatewaySettings, values),
}
