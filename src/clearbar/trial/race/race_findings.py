"""What a race has found, tool by tool.

Never here: network, disk, clock, randomness.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from clearbar.trial.race.tally import Tally
from clearbar.trial.trial import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from clearbar.trial.proof.sequential import Decision
    from clearbar.trial.race.lane import Lane
    from clearbar.trial.race.race import Race
    from clearbar.trial.race.race_plan import Candidate


def findings(race: Race) -> tuple[Finding, ...]:
    """Return one finding for each candidate, in the order in which they are tried."""
    return tuple(_findings(race))


def _findings(race: Race) -> Iterator[Finding]:
    by_name = {candidate.name: candidate for candidate in race.plan.candidates}
    owners = _owners(race)
    for candidate in race.plan.tested:
        yield _finding(race, candidate, owners)
    for candidate in race.plan.dearer:
        yield _untried(race, candidate, ("undecided", "dearer"), owners)
    for candidate in race.plan.candidates:
        if candidate.refused is not None and candidate.name != race.plan.against:
            yield _untried(race, candidate, ("undecided", candidate.refused), owners)
    if race.plan.against is not None:
        yield _untried(race, by_name[race.plan.against], ("undecided", "incumbent"), owners)


def _finding(race: Race, candidate: Candidate, owners: dict[str, str]) -> Finding:
    lane = race.lanes.get(candidate.name)
    if lane is None:
        decision = race.settled.get(candidate.name, ("undecided", "cases"))
        return _untried(race, candidate, decision, owners)
    test, usd = lane.test, race.prices.of(lane)
    low, high = test.interval() if test.n else (None, None)
    outcome, reason = lane.decided or ("undecided", "cases")
    more = test.more_cases() if outcome == "undecided" and test.n else None
    spent = _spent(race, candidate.name, owners)
    measured = None if candidate.parts else race.prices.measured_usd(candidate.name)
    return Finding(
        tool=candidate.name,
        tier=candidate.tier,
        outcome=outcome,
        reason=reason,
        n=test.n,
        mean=test.mean,
        low=low,
        high=high,
        level=test.level,
        alpha=race.plan.alpha,
        log_for=test.log_for,
        log_for_needed=test.log_for_needed,
        log_against=test.log_against,
        log_against_needed=test.log_against_needed,
        usd_per_case=usd if measured is None else measured,
        calls=spent.calls,
        spent_usd=spent.spent_usd,
        spent_unpriced_calls=spent.unpriced_calls,
        labels=spent.labels,
        more_cases=more,
        more_usd=_more_usd(race, lane, more),
        note=_note(race, candidate, lane),
        path=lane.path(),
        threshold=lane.threshold,
    )


def _untried(
    race: Race, candidate: Candidate, decision: Decision, owners: dict[str, str]
) -> Finding:
    plan, spent = race.plan, _spent(race, candidate.name, owners)
    measured = race.prices.measured_usd(candidate.name)
    outcome, reason = decision
    shares = candidate in plan.tested
    return Finding(
        tool=candidate.name,
        tier=candidate.tier,
        outcome=outcome,
        reason=reason,
        n=0,
        mean=None,
        low=None,
        high=None,
        level=max(1 - 2 * plan.alpha, 0.0),
        alpha=plan.alpha if shares else 0.0,
        log_for=0.0,
        log_for_needed=-math.log(plan.alpha),
        log_against=0.0,
        log_against_needed=-math.log(plan.error.drop),
        usd_per_case=candidate.expected_usd if measured is None else measured,
        calls=spent.calls,
        spent_usd=spent.spent_usd,
        spent_unpriced_calls=spent.unpriced_calls,
        labels=spent.labels,
        note=_note(race, candidate, None),
    )


def _owners(race: Race) -> dict[str, str]:
    """Return under which candidate each tool's calls are told: its own, else a cascade's."""
    owners = {candidate.name: candidate.name for candidate in race.plan.candidates}
    for candidate in race.plan.tested:
        if candidate.parts is not None:
            for tool in (*candidate.parts.confidence_tools, candidate.parts.then):
                owners.setdefault(tool, candidate.name)
    return owners


def _spent(race: Race, name: str, owners: dict[str, str]) -> Tally:
    total = Tally()
    for tally in (race.tallies[tool] for tool, owner in owners.items() if owner == name):
        total.calls += tally.calls
        total.spent_usd += tally.spent_usd
        total.unpriced_calls += tally.unpriced_calls
        total.labels += tally.labels
    return total


def _more_usd(race: Race, lane: Lane, more: int | None) -> Decimal | None:
    """Return what so many more cases would cost, with the answers of the tool in use.

    At what a case has cost so far; before one has, at what is expected.
    """
    measured = race.prices.measured_usd(lane.candidate.name)
    usd = race.prices.of(lane) if measured is None else measured
    if more is None or usd is None:
        return None
    against = race.plan.against
    if against is None or (lane.candidate.parts and lane.candidate.parts.then == against):
        return usd * more
    against_usd = race.prices.measured_usd(against)
    if against_usd is None:
        return None
    answered = max(each.reached for each in race.lanes.values())
    return usd * more + against_usd * max(lane.at + more - answered, 0)


def _note(race: Race, candidate: Candidate, lane: Lane | None) -> str:
    said = [candidate.note, race.notes.get(candidate.name, "")]
    if candidate.expected_usd is None and candidate.name != race.plan.against:
        some = any(each.expected_usd is not None for each in race.plan.candidates)
        said.append("price not known" + (": tried last among its tier" if some else ""))
    if lane is not None and candidate.parts is not None:
        said.append(_threshold(race, lane))
    return "; ".join(text for text in said if text)


def _threshold(race: Race, lane: Lane) -> str:
    parts, accepted, threshold = lane.candidate.parts, lane.accepted(), lane.threshold
    if parts is None or threshold is None or accepted is None:
        return "no confidences of other cases: no threshold can be set"
    usd = race.prices.of(lane)
    said = (
        f"{parts.first} answers where its confidence is at least {threshold:.3g} "
        f"({accepted:.0%} of cases), else {parts.then}"
    )
    if usd is not None:
        said += f"; {usd:.3g} USD a case"
    cleared = lane.decided is not None and lane.decided[0] == "clears"
    if cleared and race.winner != lane.candidate.name:
        said += "; not cheaper than another tool that does"
    return said
