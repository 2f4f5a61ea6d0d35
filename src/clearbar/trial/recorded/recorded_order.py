"""Recorded scores as a race needs them: by tool and case, in one fixed random order.

Never here: network, disk, clock, randomness (the order follows from the seed and the cases' names).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clearbar.trial.cases import split
from clearbar.trial.race.race_plan import Graded
from clearbar.trial.recorded.recorded_scores import worth
from clearbar.trial.recorded.suspicion import place_of, suspicions
from clearbar.trial.trial import Case

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clearbar.trial.recorded.recorded_score import RecordedScore

ABSENT: Final = Graded(None, None, bought=False, absent=True)
"""What stands where nothing is recorded."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Recorded scores as a race needs them."""

    rows: Mapping[tuple[str, str], RecordedScore]
    """(tool, case) -> row; one case of each cluster."""
    order: tuple[str, ...]
    """The cases, in their fixed random order."""
    suspects: frozenset[tuple[str, str]]
    """(tool, category or cluster) whose scores are taken at their worst."""

    def graded(self, tool: str, index: int) -> Graded:
        """Return the answer to a case; an absent one where nothing is recorded."""
        row = self.rows.get((tool, self.order[index]))
        if row is None:
            return ABSENT
        labels = int(row.label is not None)
        if self.is_worst(row):
            return Graded(None, row.cost_usd, failed=True, bought=False)
        return Graded(worth(row), row.cost_usd, bought=False, labels=labels)

    def is_worst(self, row: RecordedScore) -> bool:
        """Say whether a row's score is taken at its worst; what a person has labelled is not."""
        doubted = row.status != "ok" or (row.tool, place_of(row)) in self.suspects
        return doubted and row.label is None

    def cases_of(self, tools: Iterable[str]) -> int:
        """Return how many cases all of these tools have."""
        names = tuple(tools)
        return sum(all((tool, case) in self.rows for tool in names) for case in self.order)


def recorded_order(rows: Sequence[RecordedScore], seed: int) -> Recorded:
    """Return the rows by tool and case, one case of each cluster, in the order of the seed."""
    clusters: dict[str, str | None] = {}
    for row in rows:
        clusters[row.case] = row.cluster or clusters.get(row.case)
    cases = [Case(id=case, input="", cluster=cluster) for case, cluster in clusters.items()]
    order = tuple(case.id for case in split(cases, seed).certify)
    chosen = set(order)
    return Recorded(
        rows={(row.tool, row.case): row for row in rows if row.case in chosen},
        order=order,
        suspects=frozenset((each.tool, each.category) for each in suspicions(rows)),
    )
