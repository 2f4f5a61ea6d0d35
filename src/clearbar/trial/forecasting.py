"""What a trial would take, worked out before anything is asked. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from clearbar.trial.forecast import ToolForecast, TrialForecast
from clearbar.trial.proof.feasible import feasibility
from clearbar.trial.proof.judge import Correction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.tools.tool import Tool
    from clearbar.trial.prepare import Prepared
    from clearbar.trial.race.race import Candidate

_COMPUTED: Final = ("rules", "classifier")


def forecast(prepared: Prepared) -> TrialForecast:
    """Return what the trial would take, tool by tool in the order of trying."""
    plan, trial = prepared.plan, prepared.trial
    tested = [_tested(prepared, each) for each in plan.tested]
    out = [_not_tested(each) for each in plan.candidates if each.refused]
    ceiling = _total(prepared)
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


def _tested(prepared: Prepared, candidate: Candidate) -> ToolForecast:
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
        _asked_usd(prepared, candidate.name),
        candidate.note,
    )


def _not_tested(candidate: Candidate) -> ToolForecast:
    note = f"not tried: {candidate.note}" if candidate.note else "not tried"
    return ToolForecast(candidate.name, candidate.tier, None, None, None, Decimal(0), note)


def _total(prepared: Prepared) -> Decimal | None:
    """Return what asking every tool every case would cost, tools of cascades once."""
    names = {each.name for each in prepared.plan.candidates if each.refused}
    costs = [_asked_usd(prepared, name) for name in prepared.trial.tools if name not in names]
    known = [each for each in costs if each is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None


def _asked_usd(prepared: Prepared, name: str) -> Decimal | None:
    """Return what the cases cost that have no answer of a tool yet."""
    tools: Mapping[str, Tool] = prepared.trial.tools
    if name in tools and tools[name].kind in _COMPUTED:
        return Decimal(0)
    asked = sum(name not in case.answers for case in prepared.trial.cases)
    candidate = next((each for each in prepared.plan.candidates if each.name == name), None)
    price = None if candidate is None else candidate.expected_usd
    if not asked:
        return Decimal(0)
    return None if price is None else price * asked
