"""What a reader of a replayed trial has to know of the records.

Never here: network, disk, clock, randomness.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from clearbar.trial.recorded.suspicion import RATE, easier_cases, suspicions, without_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from clearbar.tools.tool import Tier
    from clearbar.trial.race.race_plan import RacePlan
    from clearbar.trial.recorded.recorded_order import Recorded
    from clearbar.trial.recorded.recorded_score import RecordedScore
    from clearbar.trial.recorded.recorded_scores import RecordedScores

_AT_WORST = "counted as 0, or as 1 for the tool that others are compared with"


def warnings_of(
    scores: RecordedScores,
    recorded: Recorded,
    plan: RacePlan,
    tiers: Mapping[str, Tier],
    prices: Mapping[str, Decimal],
) -> tuple[str, ...]:
    """Return what is wrong or wanting, in words; the worst first."""
    return (
        *_suspicions(scores),
        *_easier(recorded, plan),
        *_failures(scores),
        *_rows(scores),
        *_coverage(recorded, plan),
        *_labels(scores.rows),
        *_clusters(scores, recorded),
        *_prices(scores, tiers, prices),
        *(f"{tool} took no tokens in any row" for tool in without_tokens(scores.rows)),
    )


def _suspicions(scores: RecordedScores) -> Iterator[str]:
    for each in suspicions(scores.rows):
        yield (
            f"{each}: this looks broken (chance at most {each.chance:.1g}, {RATE:g} being the "
            f"limit for all tools and categories together); {_AT_WORST}"
        )


def _easier(recorded: Recorded, plan: RacePlan) -> Iterator[str]:
    total = len(recorded.order)
    rate = RATE / max(len(plan.candidates), 1)
    for tool in (each.name for each in plan.candidates if each.cases):
        if recorded.cases_of((tool,)) == total:
            continue
        if means := easier_cases(recorded.rows, recorded.order, tool, rate):
            yield (
                f"{tool} was given the easier cases: other tools score {means[0]:.1%} on those "
                f"that it has and {means[1]:.1%} on those that it lacks; what is found of it holds "
                "for cases like its own, not for all"
            )


def _failures(scores: RecordedScores) -> Iterator[str]:
    asked: defaultdict[str, int] = defaultdict(int)
    failed: defaultdict[str, int] = defaultdict(int)
    for row in scores.rows:
        asked[row.tool] += 1
        failed[row.tool] += row.status == "error" and row.label is None
    for tool in sorted(asked):
        if failed[tool]:
            yield f"{tool} failed on {failed[tool]} of {asked[tool]} cases: {_AT_WORST}"


def _rows(scores: RecordedScores) -> Iterator[str]:
    if scores.problems:
        first = scores.problems[0]
        place = f" (the first in line {first.line}: {first.what})" if first.line else ""
        count = len(scores.problems)
        yield f"{count} row{'s' if count > 1 else ''} could not be used{place}"
    for tool, count in sorted(scores.missing.items()):
        cases = f"{count} case{'s' if count > 1 else ''}"
        yield f"{tool} was asked {cases} and has no usable score of them: {_AT_WORST}"


def _coverage(recorded: Recorded, plan: RacePlan) -> Iterator[str]:
    total = len(recorded.order)
    for candidate in plan.candidates:
        cases = total if candidate.cases is None else candidate.cases
        if cases < total:
            shared = (
                "" if plan.against in {None, candidate.name} else f" together with {plan.against}"
            )
            yield (
                f"{candidate.name} has scores{shared} for {cases} of {total} cases: "
                "it is judged by these alone"
            )


def _labels(rows: tuple[RecordedScore, ...]) -> Iterator[str]:
    labelled = [row for row in rows if row.label is not None]
    both = [row for row in labelled if row.score is not None]
    changed = sum(row.score != row.label for row in both)
    if changed and len(labelled) < len(rows):
        yield (
            f"{changed} of {len(both)} labels differ from the scores that they stand above: the "
            f"{len(rows) - len(labelled)} scores without a label may be as wrong"
        )


def _clusters(scores: RecordedScores, recorded: Recorded) -> Iterator[str]:
    cases = len({row.case for row in scores.rows})
    if len(recorded.order) < cases:
        yield f"{cases} cases share {len(recorded.order)} clusters: one case of each is used"


def _prices(
    scores: RecordedScores, tiers: Mapping[str, Tier], prices: Mapping[str, Decimal]
) -> Iterator[str]:
    rows: defaultdict[str, int] = defaultdict(int)
    priced: defaultdict[str, int] = defaultdict(int)
    costs: set[str] = set()
    for row in scores.rows:
        rows[row.tool] += 1
        priced[row.tool] += row.cost_usd is not None
        if row.cost_usd:
            costs.add(row.tool)
    if not prices:
        yield "no tool has a price: which is the cheapest is not known; tried by tier and name"
    for tool in sorted(rows):
        if priced[tool] and tool not in costs and tiers[tool] != "none":
            taken = "taken as free" if prices.get(tool) == 0 else "taken as not recorded"
            yield f"{tool} costs 0 in every row: {taken}"
        elif tool in costs and priced[tool] < rows[tool]:
            some = f"{priced[tool]} of {rows[tool]}"
            yield f"{tool} has a cost in {some} rows: its price is their mean"
