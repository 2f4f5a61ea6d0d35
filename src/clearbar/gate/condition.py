"""Conditions over named numbers, `usd_per_good > 0.30 and calls >= 100`, in three-valued truth.

    numbers, names, ( ), + - * /, > >= < <= ==, and, or, not

Unknown is None. A part that is unknown makes the whole unknown only where it would decide:
`calls > 9 or worth_usd < 1` holds at ten calls whatever the worth.

Never here: `eval`. Python's parser makes the tree; what is not on the list above is refused.
"""

from __future__ import annotations

import ast
import keyword
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError, nearest

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_LENGTH: Final = 500
MAX_DEPTH: Final = 50
MAX_NUMBER: Final = 10**15

Numbers = Mapping[str, float | None]
_Number = Callable[[Numbers], float | None]
_Truth = Callable[[Numbers], bool | None]

_WORDS: Final = frozenset({"and", "or", "not"})
_LANGUAGE: Final = "write names, numbers, ( ), + - * /, > >= < <= ==, and, or, not"
_ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISON: Final[Mapping[type[ast.cmpop], Callable[[float, float], bool]]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read and checked."""

    text: str
    names: frozenset[str]
    """The numbers that it names; at least one."""
    _truth: _Truth = field(repr=False, compare=False)

    def holds(self, numbers: Numbers) -> bool | None:
        """Return whether it holds; None when a number that it needs is unknown."""
        return self._truth(numbers)


def read_condition(text: str, names: Collection[str]) -> Condition:
    """Return the condition that `text` writes over `names`.

    Raises:
        ClearbarError: when it writes none; the message says the column, the hint marks it.
    """
    text = " ".join(text.split())
    if len(text) > MAX_LENGTH:
        raise ClearbarError(f"a condition has at most {MAX_LENGTH} characters, not {len(text)}")
    tree = _parse(text)
    truth = _Reader(text, names).truth(tree, 1)
    named = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    if not named:
        raise _fault(text, 0, "names nothing", f"name one of: {', '.join(names)}")
    return Condition(text, named, truth)


def _parse(text: str) -> ast.expr:
    # Only ASCII passes, so that the parser's byte offsets are columns; only plain numbers, so that
    # it warns of none; and no operator or keyword but those that the reader knows.
    if stray := re.search(r"\*\*|//|<<|>>|[^A-Za-z0-9_.+\-*/<>=() ]", text):
        raise _fault(text, stray.start(), f'"{stray[0]}" is not understood', _LANGUAGE)
    for word in re.finditer(r"[\w.]+", text):
        plain = re.fullmatch(r"[A-Za-z_]\w*|\d+(\.\d+)?", word[0])
        if not plain or (keyword.iskeyword(word[0]) and word[0] not in _WORDS):
            raise _fault(text, word.start(), f'"{word[0]}" is neither a name nor a number')
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        offset = min(max(error.offset or 1, 1), len(text) + 1) - 1
        raise _fault(text, offset, "not understood", _LANGUAGE) from error


def _fault(text: str, offset: int, what: str, way_out: str = "") -> ClearbarError:
    caret = f"{text}\n{' ' * offset}^"
    return ClearbarError(
        f'"{text}", column {offset + 1}: {what}', f"{caret}\n{way_out}" if way_out else caret
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns a tree into functions of the numbers; refuses what may not stand in it."""

    text: str
    names: Collection[str]

    def truth(self, node: ast.expr, depth: int) -> _Truth:
        self.check_depth(node, depth)
        match node:
            case ast.BoolOp(op=op, values=values):
                parts = [self.truth(value, depth + 1) for value in values]
                return _any_of(parts) if isinstance(op, ast.Or) else _all_of(parts)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _opposite(self.truth(operand, depth + 1))
            case ast.Compare(left=left, ops=ops, comparators=others):
                numbers = [self.number(each, depth + 1) for each in (left, *others)]
                compares = [_COMPARISON[type(op)] for op in ops]
                pairs = zip(compares, pairwise(numbers), strict=True)
                return _all_of([_compared(compare, *pair) for compare, pair in pairs])
            case _:
                raise self.fault(node, "a condition is needed here", "compare: > 0.30")

    def number(self, node: ast.expr, depth: int) -> _Number:
        self.check_depth(node, depth)
        match node:
            case ast.Name(id=name) if name in self.names:
                return lambda numbers: numbers.get(name)
            case ast.Name(id=name):
                close = nearest(name, self.names)
                way_out = "" if close else f"known: {', '.join(self.names)}"
                raise self.fault(node, f'"{name}" is not known.{close}', way_out)
            case ast.Constant(value=int() | float() as value):
                if value > MAX_NUMBER:
                    raise self.fault(node, "the number is too large", f"at most {MAX_NUMBER:,}")
                return lambda _: float(value)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _calculated(operator.mul, lambda _: -1.0, self.number(operand, depth + 1))
            case ast.BinOp(left=left, op=op, right=right):
                parts = self.number(left, depth + 1), self.number(right, depth + 1)
                return _calculated(_ARITHMETIC[type(op)], *parts)
            case _:
                raise self.fault(node, "a number is needed here", _LANGUAGE)

    def check_depth(self, node: ast.expr, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self.fault(node, f"nested more than {MAX_DEPTH} deep", "write it shorter")

    def fault(self, node: ast.expr, what: str, way_out: str) -> ClearbarError:
        return _fault(self.text, node.col_offset, what, way_out)


def _any_of(parts: list[_Truth]) -> _Truth:
    def truth(numbers: Numbers) -> bool | None:
        found = {part(numbers) for part in parts}
        return True if True in found else None if None in found else False

    return truth


def _all_of(parts: list[_Truth]) -> _Truth:
    def truth(numbers: Numbers) -> bool | None:
        found = {part(numbers) for part in parts}
        return False if False in found else None if None in found else True

    return truth


def _opposite(part: _Truth) -> _Truth:
    def truth(numbers: Numbers) -> bool | None:
        found = part(numbers)
        return None if found is None else not found

    return truth


def _compared(compare: Callable[[float, float], bool], left: _Number, right: _Number) -> _Truth:
    def truth(numbers: Numbers) -> bool | None:
        a, b = left(numbers), right(numbers)
        return None if a is None or b is None else compare(a, b)

    return truth


def _calculated(
    calculate: Callable[[float, float], float], left: _Number, right: _Number
) -> _Number:
    def number(numbers: Numbers) -> float | None:
        a, b = left(numbers), right(numbers)
        if a is None or b is None:
            return None
        try:
            found = calculate(a, b)
        except ZeroDivisionError:
            return None
        return None if math.isnan(found) else found

    return number
