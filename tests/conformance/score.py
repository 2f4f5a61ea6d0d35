"""What a tool printed against what is true. Pure, and only the standard library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from .case import METERS, CaseError, totals_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .case import Case, Charge, Step, Totals

NOISE = Decimal("1e-9")
"""By how much of itself a cost that was printed as a JSON number may be off: binary fractions."""
_COUNTS = ("calls", "unpriced_calls", "refused")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a tool did on a case."""

    case: str
    outcome: str
    """`passed`, `failed` or `not applicable`."""
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a tool says that it can do."""

    reads: frozenset[str]
    """Formats."""
    needs: frozenset[str] = frozenset()
    """Which `needs` of cases it can meet: `state`, `price`, `plan` and so on."""
    asks: frozenset[str] = frozenset({"reading", "pricing"})


def missing(case: Case, tool: Abilities) -> str | None:
    """Return why a case is not applicable to a tool, or None."""
    if unread := sorted(set(case.formats) - tool.reads):
        return f"does not read {', '.join(unread)}"
    if case.asks not in tool.asks:
        return f"is not for {case.asks}"
    if unmet := sorted(set(case.needs) - tool.needs):
        return f"cannot take {', '.join(unmet)}"
    return None


def untold(case: Case, printed: dict[str, Any]) -> str | None:
    """Return why what a tool printed does not decide a case, or None."""
    told = {name for name in printed if name != "tokens" or printed[name]}
    return None if told & set(case.decides) else f"tells no {' and no '.join(case.decides)}"


def differences(case: Case, step: Step, printed: dict[str, Any]) -> list[str]:
    """Return where a tool is wrong, and by how much. What it did not print is not judged."""
    expected = step.expected
    if expected is None:
        return []
    told = totals_of(printed)
    found = _of_counts(expected, told)
    if "cost_usd" in printed:
        found += _of_cost(expected.cost_usd, told.cost_usd, exact=case.exact)
    if not found and "charges" in printed and not case.sums_only:
        found += _of_charges(step.charges, printed["charges"], exact=case.exact)
    return found


def _of_counts(expected: Totals, told: Totals) -> list[str]:
    pairs = [(name, getattr(expected, name), getattr(told, name)) for name in _COUNTS]
    pairs += [
        (f"{name} tokens", expected.tokens.get(name, 0), told.tokens.get(name)) for name in METERS
    ]
    return [
        f"{name}: {said:,}, not {true:,} ({said - true:+,})"
        for name, true, said in pairs
        if None not in (said, true) and said != true
    ]


def _of_cost(true: Any, said: Any, *, exact: bool) -> list[str]:
    if true is None or said is None:
        known = (
            "unknown" if true is None else f"${true}",
            "unknown" if said is None else f"${said}",
        )
        return [] if true is said else [f"cost: {known[1]}, not {known[0]}"]
    try:
        right, cost = Decimal(true), Decimal(str(said))
    except InvalidOperation:
        return [f"cost: {said!r} is no amount"]
    noise = NOISE * abs(right) if isinstance(said, float) and not exact else Decimal(0)
    if abs(cost - right) <= noise:
        return []
    by = f", {cost / right:.4g} times" if right else ""
    return [f"cost: ${said}, not ${true} ({cost - right:+f}{by})"]


def _of_charges(expected: Iterable[Charge], told: list[Any], *, exact: bool) -> list[str]:
    """Return the charges that are missing, and those that are none; their order is nobody's."""
    if not all(isinstance(one, dict) for one in told):
        raise CaseError("each of the charges has to be an object")
    rest, found = list(told), []
    for charge in expected:
        same = (at for at, one in enumerate(rest) if _is_told(charge, one, exact=exact))
        at = next(same, None)
        if at is None:
            found.append(f"no charge of {_words(charge)}")
        else:
            del rest[at]
    return found + [f"a charge that is none: {json.dumps(one)}" for one in rest]


def _is_told(charge: Charge, told: dict[str, Any], *, exact: bool) -> bool:
    """Return whether a tool's charge is this one; what it does not tell is not compared."""
    tokens = told.get("tokens") or {}
    return (
        ("model" not in told or _name(charge.model) == _name(told["model"]))
        and told.get("calls") in {None, charge.calls}
        and all(tokens.get(meter) in {None, charge.tokens[meter]} for meter in METERS)
        and not ("cost_usd" in told and _of_cost(charge.cost_usd, told["cost_usd"], exact=exact))
    )


def _name(model: str | None) -> str:
    return (model or "").rpartition("/")[2]


def _words(charge: Charge) -> str:
    cost = "unknown cost" if charge.cost_usd is None else f"${charge.cost_usd}"
    tokens = ", ".join(f"{number:,} {meter}" for meter, number in charge.tokens.items() if number)
    return "; ".join(filter(None, (charge.model or "no model", tokens, cost)))
