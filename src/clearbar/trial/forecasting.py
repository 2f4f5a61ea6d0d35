"""What a trial would take, worked out before anything is asked. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from clearbar.tools.tool import Request
from clearbar.trial.forecast import ToolForecast, TrialForecast
from clearbar.trial.proof.feasible import feasibility
from clearbar.trial.proof.judge import Correction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from clearbar.tools.tool import Tool
    from clearbar.trial.prepare import Prepared
    from clearbar.trial.race.race import Candidate

    Ceiling = Callable[[Tool, Request], Decimal | None]

_COMPUTED: Final = ("rules", "classifier")


def forecast(prepared: Prepared, ceiling_of: Ceiling) -> TrialForecast:
    """Return what the trial would take, tool by tool in the order of trying.

    `ceiling_of` gives the most in USD that a call of a tool can cost; None where that is not known.
    """
    plan, trial = prepared.plan, prepared.trial
    ceilings = {name: _ceiling(prepared, tool, ceiling_of) for name, tool in trial.tools.items()}
    tested = [_tested(prepared, each, ceilings) for each in plan.tested]
    out = [_not_tested(each) for each in plan.candidates if each.refused]
    ceiling = _total(prepared, ceilings)
    if ceiling is not None and trial.max_usd is not None:
        ceiling = min(ceiling, trial.max_usd)
    return TrialForecast(
        workflow=trial.identity.workflow,
        bar=plan.bar,
        metric=trial.identity.metric,
        certify=plan.error.certify,
        cases=plan.cases,
        tools=(*tested, *out),
        ceiling_usd=trial.max_usd if ceiling is None else ceiling,
        budget_usd=trial.max_usd,
        warnings=trial.warnings,
    )


def _tested(
    prepared: Prepared, candidate: Candidate, ceilings: Mapping[str, Decimal | None]
) -> ToolForecast:
    plan = prepared.plan
    bar, error, disagreement = plan.bar, plan.error, plan.prior_disagreement
    if plan.judge_share is not None:
        correction = Correction(plan.judge_share)
        bar, error = correction.bar_of(bar), correction.error(error)
        disagreement = correction.disagreement(disagreement)
    found = feasibility(
        bar,
        plan.alpha,
        error,
        plan.cases,
        binary=plan.binary,
        disagreement=disagreement,
        usd_per_case=candidate.expected_usd,
    )
    likely = None if found.likely_cases is None else round(found.likely_cases)
    return ToolForecast(
        candidate.name,
        candidate.tier,
        candidate.expected_usd,
        found.least_cases,
        likely if found.least_cases is not None else None,
        _of_all_parts(candidate, ceilings),
        candidate.note,
    )


def _not_tested(candidate: Candidate) -> ToolForecast:
    note = f"not tried: {candidate.note}" if candidate.note else "not tried"
    return ToolForecast(candidate.name, candidate.tier, None, None, None, Decimal(0), note)


def _total(prepared: Prepared, ceilings: Mapping[str, Decimal | None]) -> Decimal | None:
    """Return the most that asking every tool every case can cost, tools of cascades once."""
    refused = {each.name for each in prepared.plan.candidates if each.refused}
    return _sum(usd for name, usd in ceilings.items() if name not in refused)


def _of_all_parts(candidate: Candidate, ceilings: Mapping[str, Decimal | None]) -> Decimal | None:
    parts = candidate.parts
    if parts is None:
        return ceilings[candidate.name]
    return _sum(ceilings[name] for name in (*parts.confidence_tools, parts.then))


def _ceiling(prepared: Prepared, tool: Tool, ceiling_of: Ceiling) -> Decimal | None:
    """Return the most that the cases can cost that have no answer of a tool yet."""
    if tool.kind in _COMPUTED:
        return Decimal(0)
    trial = prepared.trial
    asked = (
        case
        for case in trial.cases
        if tool.name not in case.answers and (tool.name, case.id) not in trial.recorded
    )
    return _sum(ceiling_of(tool, Request(case.input, trial.prompt)) for case in asked)


def _sum(costs: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum; None where a part is not known."""
    total = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total
