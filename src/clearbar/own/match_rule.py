"""Reads the match rules of a workflow: which charges are its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError, nearest
from clearbar.core.toml_kinds import GLOB, as_table, list_of
from clearbar.core.toml_table import Kind, Place
from clearbar.own.workflow import MatchRule
from clearbar.spend.charge import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

_GLOBS: Final = list_of(GLOB, or_one=True)


def _match_rule(value: object, place: Place) -> MatchRule:
    conditions: dict[str, tuple[str, ...]] = {}
    for field, globs, where in _conditions(as_table(value), place):
        if field in conditions:
            where.fault(f"{field} is declared twice in one rule")
        conditions[field] = _read_globs(globs, where)
    if not value:
        raise ClearbarError("a rule without a condition", 'for every charge: { source = "*" }')
    return MatchRule(tuple(conditions.items()), place.line)


def _conditions(table: dict[str, object], place: Place) -> Iterator[tuple[str, object, Place]]:
    """Yield field, globs and place; a label is one quoted key, or two with a dot between."""
    for key, each in table.items():
        where = place.at(key)
        if key == "label" and isinstance(each, dict):
            yield from ((f"label.{name}", globs, where.at(name)) for name, globs in each.items())
        elif key in DIMENSIONS or (key.startswith("label.") and key != "label."):
            yield key, each, where
        else:
            way_out = nearest(key, DIMENSIONS) or f" Known: {', '.join(DIMENSIONS)}, label.KEY."
            where.fault(f"no dimension of a charge.{way_out}")


def _read_globs(value: object, place: Place) -> tuple[str, ...]:
    if value == []:
        place.fault("a list without a glob takes nothing")
    return place.read(lambda: _GLOBS.read(value, place)) or ()


MATCH_RULES: Final = list_of(Kind("match rule", _match_rule))
