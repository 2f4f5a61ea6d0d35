"""Recorded evidence that looks broken: made visible, never averaged in.

Three signs are looked for. A tool that scores next to nothing in one category, where the others do
well and where it does well itself elsewhere; a tool that was given the easier cases; and a tool
whose calls all took no tokens.

The rule for a category: the tool's mean score there is so far below half of the others' that it
would be as low with a probability of at most `RATE` shared over all tools and categories, if its
true mean there were half of the others' or more (Hoeffding 1963, exact for any scores in [0, 1]
that are independent). So in a file without such a category, one is named with a probability of at
most `RATE`. A real weakness may look the same: only a person can tell.

Never here: network, disk, clock, randomness.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clearbar.trial.recorded.recorded_scores import worth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clearbar.trial.recorded.recorded_score import RecordedScore

RATE: Final = 0.001
ELSEWHERE: Final = 0.8
"""Elsewhere the tool scores at least this share of what the others do."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A tool whose evidence in one category looks broken."""

    tool: str
    category: str
    n: int
    mean: float
    others: float
    """Mean score of the other tools in the category."""
    elsewhere: float
    """Mean score of the tool in all other categories."""
    chance: float
    """Bound of the probability of so low a mean, if half of the others' were its due."""

    def __str__(self) -> str:
        return (
            f"{self.tool} scores {self.mean:.1%} on {self.n} cases of {self.category}, where other "
            f"tools score {self.others:.1%} and it scores {self.elsewhere:.1%} elsewhere"
        )


@dataclass(slots=True)
class _Sum:
    n: int = 0
    total: float = 0.0

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value

    def without(self, *others: _Sum) -> _Sum:
        n = self.n - sum(other.n for other in others)
        return _Sum(n, self.total - sum(other.total for other in others))

    @property
    def mean(self) -> float:
        return min(max(self.total / self.n, 0.0), 1.0) if self.n else 0.0


def place_of(row: RecordedScore) -> str | None:
    """Return what a row is compared within: its category, else its cluster."""
    return row.cluster if row.category is None else row.category


def suspicions(rows: Iterable[RecordedScore], rate: float = RATE) -> tuple[Suspicion, ...]:
    """Return the tools and categories whose scores look broken, the least likely first."""
    cells: defaultdict[tuple[str, str], _Sum] = defaultdict(_Sum)
    for row in rows:
        value, place = worth(row), place_of(row)
        if value is not None and place is not None and row.status == "ok":
            cells[row.tool, place].add(value)
    places: defaultdict[str, _Sum] = defaultdict(_Sum)
    tools: defaultdict[str, _Sum] = defaultdict(_Sum)
    everything = _Sum()
    for (tool, place), cell in cells.items():
        for whole in (places[place], tools[tool], everything):
            whole.n += cell.n
            whole.total += cell.total
    found = []
    for (tool, place), cell in cells.items():
        others = places[place].without(cell)
        elsewhere = tools[tool].without(cell)
        others_elsewhere = everything.without(places[place], elsewhere)
        chance = _chance(cell, others.mean / 2) * len(places) * len(tools)
        does_well = elsewhere.n and elsewhere.mean >= ELSEWHERE * others_elsewhere.mean
        if chance <= rate and does_well:
            found.append(
                Suspicion(tool, place, cell.n, cell.mean, others.mean, elsewhere.mean, chance)
            )
    return tuple(sorted(found, key=lambda each: (each.chance, each.tool, each.category)))


def easier_cases(
    rows: Mapping[tuple[str, str], RecordedScore],
    cases: Sequence[str],
    tool: str,
    rate: float = RATE,
) -> tuple[float, float] | None:
    """Return what others score on the cases that a tool has and on those that it lacks.

    None unless the first is higher by more than chance: cases that are left out at random differ
    as much with a probability of at most `rate` (Hoeffding 1963, for two means of [0, 1]).
    """
    theirs: defaultdict[str, _Sum] = defaultdict(_Sum)
    for (who, case), row in rows.items():
        value = worth(row)
        if who != tool and value is not None and row.status == "ok":
            theirs[case].add(value)
    has, lacks = _Sum(), _Sum()
    for case in cases:
        if case in theirs:
            (has if (tool, case) in rows else lacks).add(theirs[case].mean)
    if not (has.n and lacks.n and has.mean > lacks.mean):
        return None
    chance = math.exp(-2 * (has.mean - lacks.mean) ** 2 / (1 / has.n + 1 / lacks.n))
    return (has.mean, lacks.mean) if chance <= rate else None


def without_tokens(rows: Sequence[RecordedScore]) -> tuple[str, ...]:
    """Return the tools whose recorded tokens are zero in every row."""
    most: dict[str, int] = {}
    for row in rows:
        if row.input_tokens is not None or row.output_tokens is not None:
            tokens = (row.input_tokens or 0) + (row.output_tokens or 0)
            most[row.tool] = max(most.get(row.tool, 0), tokens)
    return tuple(sorted(tool for tool, tokens in most.items() if not tokens))


def _chance(cell: _Sum, due: float) -> float:
    """Return the bound of the probability of a mean this low where `due` is the true one."""
    mean = cell.mean
    if mean >= due:
        return 1.0
    return math.exp(-cell.n * (_part(mean, due) + _part(1 - mean, 1 - due)))


def _part(share: float, of: float) -> float:
    return share * math.log(share / of) if share else 0.0
