"""A case: files, what was agreed, and what is true of them. Only the standard library."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "cases"
FORMAT = 1
"""Of cases, and of what is given to a tool and printed by it. It rises with a change that would
make a case, or an adapter, that was right before it wrong."""
METERS = ("input", "cache_read", "cache_write", "output")
"""Disjoint: fresh input, read from a cache, written to a cache, output with all reasoning."""


class CaseError(Exception):
    """A case that is not written as the README says."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a tool is given at once, and what it has to say afterwards."""

    files: tuple[Path, ...]
    declared: Path | None
    """Prices, plans and rates that were agreed, as TOML."""
    expected: Totals | None
    """None where the tool is killed before it can answer."""
    charges: tuple[Charge, ...] = ()
    kill_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums. None is unknown in what is expected, and untold in what a tool printed."""

    calls: int | None = None
    tokens: dict[str, int] = field(default_factory=dict)
    cost_usd: Any = None
    unpriced_calls: int | None = None
    refused: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A quantity, its price, and their product."""

    meter: str
    quantity: str
    usd_per_million: str | None
    usd: str


@dataclass(frozen=True, slots=True)
class Charge:
    """One call, or one line of a bill."""

    model: str | None
    calls: int
    tokens: dict[str, int]
    cost_usd: str | None
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One way to be wrong."""

    name: str
    title: str
    kind: str
    """The class of failure; `classes.toml` lists them."""
    wrong: str
    seen: tuple[str, ...]
    formats: tuple[str, ...]
    convention: str
    arithmetic: str
    asks: str
    """`reading` needs a reader of the format, `pricing` only a function of one answer's usage."""
    needs: tuple[str, ...]
    decides: tuple[str, ...]
    """Figures of which a tool has to tell one, or the case says nothing about it."""
    exact: bool
    sums_only: bool
    """How a ledger shows the parts, such as a residual, is its own affair."""
    prices: str
    steps: tuple[Step, ...]


def cases(folder: Path = CASES) -> list[Case]:
    """Return all cases by name."""
    return [case_in(path.parent) for path in sorted(folder.glob("*/case.toml"))]


def case_in(folder: Path) -> Case:
    """Read a case; raise `CaseError` where something is missing."""
    told = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
    if told.get("format", 1) != FORMAT:
        raise CaseError(f"{folder}: its format is {told['format']}, and this runner's is {FORMAT}")
    try:
        steps = tuple(_step(folder, step) for step in told["step"])
        return Case(
            name=folder.name,
            title=told["title"],
            kind=told["class"],
            wrong=told["wrong"],
            seen=tuple(told["seen"]),
            formats=tuple(told["formats"]),
            convention=told["convention"],
            arithmetic=told["arithmetic"],
            asks=told["asks"],
            needs=tuple(told.get("needs", ())),
            decides=tuple(told["decides"]),
            exact=told.get("exact", False),
            sums_only=told.get("sums_only", False),
            prices=told.get("prices", ""),
            steps=steps,
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise CaseError(f"{folder}: {problem!r}") from problem


def totals_of(told: dict[str, Any]) -> Totals:
    """Return totals from JSON; raise `CaseError` where they have another form."""
    tokens = told.get("tokens") or {}
    if not isinstance(tokens, dict) or tokens.keys() - set(METERS):
        raise CaseError(f"tokens have to be of {', '.join(METERS)}")
    names = ("calls", "cost_usd", "unpriced_calls", "refused")
    return Totals(tokens=tokens, **{name: told.get(name) for name in names})


def charge_of(told: dict[str, Any]) -> Charge:
    """Return a charge from JSON."""
    lines = tuple(Line(**line) for line in told.get("lines", ()))
    tokens = {meter: int(told["tokens"].get(meter) or 0) for meter in METERS}
    return Charge(told["model"], told["calls"], tokens, told["cost_usd"], lines)


def _step(folder: Path, told: dict[str, Any]) -> Step:
    files = tuple(folder / name for name in told["files"])
    declared = folder / told["declared"] if "declared" in told else None
    for path in (*files, *([declared] if declared else [])):
        if not path.exists():
            raise CaseError(f"{path} is missing")
    if "kill_after_s" in told:
        return Step(files, declared, None, (), told["kill_after_s"])
    expected = json.loads((folder / told["expected"]).read_text(encoding="utf-8"))
    charges = tuple(map(charge_of, expected["charges"]))
    return Step(files, declared, totals_of(expected["totals"]), charges)
