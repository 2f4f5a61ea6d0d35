"""A trial decided from recorded scores alone: nothing is asked, nothing is spent.

The race is that of a live trial, over the same kind of random order, so the certificate says as
much as if the answers had been bought one by one. What is recorded can be worse than what is asked:

- A tool is judged by the cases that it has a score for (a relative bar: that both have).
- Where asking failed, where no usable score stands in the row, or the evidence of a category looks
  broken (`suspicion`), the score is taken at its worst: 0 for a candidate, 1 for the tool that it
  is compared with. So nothing is certified on broken evidence. A tool that fails because of it,
  and not without it, is undecided.
- A price of zero in every row is no price, unless the tool is no model.

Never here: network, disk, clock, randomness (the order follows from the seed and the cases' names).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError, UnknownName, nearest
from clearbar.trial.identity import prompt_digest
from clearbar.trial.race.lane import Lane, can_clear
from clearbar.trial.race.race import Candidate, Graded, Race, RacePlan
from clearbar.trial.race.race_findings import findings
from clearbar.trial.recorded.recorded_order import ABSENT, Recorded, recorded_order
from clearbar.trial.recorded.recorded_scores import rows_digest, worth
from clearbar.trial.recorded.recorded_warnings import warnings_of
from clearbar.trial.trial import ZERO_USD, Certificate, Identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from clearbar.own.workflow import Bar, Workflow
    from clearbar.tools.tool import Tier
    from clearbar.trial.plan import TrialPlan
    from clearbar.trial.recorded.recorded_score import RecordedScore
    from clearbar.trial.recorded.recorded_scores import RecordedScores
    from clearbar.trial.trial import Error, Finding

RECORDED: Final = "recorded scores"
"""What stands in the place of a grader."""
_TURNED: Final = frozenset({("fails", "evidence"), ("undecided", "futile"), ("undecided", "cases")})


def replay(
    scores: RecordedScores,
    bar: Bar,
    error: Error,
    seed: int,
    *,
    now: datetime,
    incumbent: str | None = None,
    tiers: Mapping[str, Tier] | None = None,
    prices: Mapping[str, Decimal] | None = None,
    workflow: str = "",
) -> Certificate:
    """Return the certificate that the recorded scores give.

    `tiers`: of the tools, where they are known. `prices`: USD a case in use, which stand above the
    mean recorded cost.

    Raises:
        ClearbarError: when nothing is recorded.
        UnknownName: when the tool that the bar compares with, or the one in use, has no score.
    """
    if not scores.rows:
        raise ClearbarError(f"{scores.name or 'the table'} holds no scores", _first(scores))
    scored = {row.tool for row in scores.rows}
    tools = sorted(scored | set(scores.missing))
    for tool in (bar.of, incumbent):
        if tool is not None and tool not in tools:
            raise UnknownName(f'no scores of "{tool}".{nearest(tool, tools)}')
    known: dict[str, Tier] = {tool: (tiers or {}).get(tool, "unknown") for tool in tools}
    unscored = (row for row in scores.unscored if row.tool in scored)
    recorded = recorded_order((*scores.rows, *unscored), seed)
    costs = recorded_prices(scores.rows, known) | dict(prices or {})
    plan = _plan(recorded, tools, bar, error, known, costs, incumbent)
    race = run_through(plan, recorded)
    found = tuple(_undoubted(race, recorded, finding) for finding in findings(race))
    return Certificate(
        identity=_identity(scores, recorded, tools, bar, error, seed, workflow),
        findings=found,
        winner=race.winner,
        incumbent=plan.against or incumbent,
        decided_at=now,
        calls=0,
        spent_usd=ZERO_USD,
        warnings=warnings_of(scores, recorded, plan, known, costs),
    )


def _first(scores: RecordedScores) -> str:
    """Return what is wrong with the first row that is not used; empty where there is none."""
    if not scores.problems:
        return ""
    first = scores.problems[0]
    place = "a row" if first.line is None else f"line {first.line}"
    return f"{len(scores.problems)} not used; {place}: {first.what}"


def recorded_prices(rows: Sequence[RecordedScore], tiers: Mapping[str, Tier]) -> dict[str, Decimal]:
    """Return the mean recorded cost of each tool that has one.

    Zero in every row is a price for what is no model, and for what may be none: a tool of unknown
    tier that took no tokens, beside others that cost something.
    """
    costs: defaultdict[str, list[Decimal]] = defaultdict(list)
    tokens: set[str] = set()
    for row in rows:
        if row.cost_usd is not None:
            costs[row.tool].append(row.cost_usd)
        if row.input_tokens or row.output_tokens:
            tokens.add(row.tool)
    prices = {tool: sum(usd, Decimal(0)) / len(usd) for tool, usd in costs.items()}
    some = any(prices.values())
    return {
        tool: usd
        for tool, usd in prices.items()
        if usd
        or tiers[tool] == "none"
        or (some and tiers[tool] == "unknown" and tool not in tokens)
    }


def run_through(plan: RacePlan, recorded: Recorded) -> Race:
    """Return the finished race over what is recorded."""
    race = Race(plan)
    while asks := race.wanted(1):
        for ask in asks:
            race.give(ask, recorded.graded(ask.tool, ask.index))
    return race


def _plan(
    recorded: Recorded,
    tools: Sequence[str],
    bar: Bar,
    error: Error,
    tiers: Mapping[str, Tier],
    prices: Mapping[str, Decimal],
    incumbent: str | None,
) -> RacePlan:
    against = None if bar.within is None else bar.of or incumbent
    values = [worth(row) for row in recorded.rows.values()]
    binary = all(value is None or value in {0, 1} for value in values)
    candidates = []
    for tool in tools:
        cases = recorded.cases_of({tool, against or tool})
        possible = can_clear(bar, error.certify, error, cases, binary=binary)
        why = "no number of cases can" if bar.at_least == 1 else f"{cases} cases cannot"
        candidates.append(
            Candidate(
                name=tool,
                tier=tiers[tool],
                usd_per_case=prices.get(tool),
                cases=cases,
                refused=None if possible else "cases",
                note="" if possible else f"{why} clear the bar",
            )
        )
    return RacePlan(tuple(candidates), bar, error, len(recorded.order), binary, incumbent)


def _undoubted(race: Race, recorded: Recorded, finding: Finding) -> Finding:
    """Return the finding, undecided where the tool fails only because of evidence in doubt."""
    if (finding.outcome, finding.reason) not in _TURNED or not finding.n:
        return finding
    if not (said := "; ".join(_worst_texts(race.plan, recorded, finding.tool))):
        return finding
    if _decision_without(race, recorded, finding.tool) == "fails":
        return replace(finding, note="; ".join(filter(None, (finding.note, said))))
    note = "; ".join(filter(None, (finding.note, f"{said}, and it may clear without them")))
    return replace(finding, outcome="undecided", reason="broken", note=note)


def _worst_texts(plan: RacePlan, recorded: Recorded, tool: str) -> Iterator[str]:
    """Yield how many answers of a tool, and of what it is compared with, count at their worst."""
    for name, counted in ((tool, 0), (plan.against, 1)):
        rows = [row for (who, _), row in recorded.rows.items() if who == name]
        if worst := sum(recorded.is_worst(row) for row in rows):
            of = "" if name == tool else f" of {name}"
            yield (
                f"{worst} of {len(rows)} answers{of} failed, have no score or look broken; "
                f"they count as {counted}"
            )


def _decision_without(race: Race, recorded: Recorded, tool: str) -> str:
    """Return the outcome of a tool when the cases whose evidence is in doubt are left out."""
    plan = race.plan
    names = {tool, plan.against or tool}
    answers: dict[tuple[str, int], Graded] = {}
    for index in range(plan.cases):
        for name in names:
            graded = recorded.graded(name, index)
            answers[name, index] = ABSENT if graded.failed else graded
    candidate = next(each for each in plan.candidates if each.name == tool)
    lane = Lane(plan, candidate, answers)
    lane.feed()
    return lane.decided[0] if lane.decided else "undecided"


def _identity(
    scores: RecordedScores,
    recorded: Recorded,
    tools: Sequence[str],
    bar: Bar,
    error: Error,
    seed: int,
    workflow: str,
) -> Identity:
    by_tool: defaultdict[str, list[RecordedScore]] = defaultdict(list)
    for row in scores.rows:
        by_tool[row.tool].append(row)
    return Identity(
        workflow=workflow or scores.name,
        bar=bar,
        metric="score",
        grader=RECORDED,
        prompt_digest=prompt_digest(""),
        cases_digest=scores.digest,
        cases=len(recorded.order),
        cases_from=scores.name,
        tools={tool: rows_digest(by_tool[tool]) for tool in tools},
        error=error,
        seed=seed,
    )


def recorded_today(before: Identity, workflow: Workflow, plan: TrialPlan | None) -> Identity | None:
    """Return what a trial from recorded scores would be about now; None if it was none.

    The scores stay what they were: only the bar and the error rates may have changed since.
    """
    if before.grader != RECORDED or workflow.bar is None:
        return None
    error = before.error if plan is None else plan.error(workflow.stakes)
    return replace(before, bar=workflow.bar, error=error)
