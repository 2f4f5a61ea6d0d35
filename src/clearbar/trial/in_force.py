"""What the certificates of a workflow mean today: tool in use, tools that clear, leak. Pure.

Evidence about something that has changed since says nothing: of a stale certificate nothing holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from clearbar.own.card import Estimate, TierNeed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from clearbar.own.card import ModelUse, WorkflowCard
    from clearbar.tools.tool import Tier, Tool
    from clearbar.trial.trial import Certificate, Finding

_DAYS_A_MONTH: Final = 30
_VERSION_SIGNS: Final = ("-", "@", ":")
"""What may stand between the name of a model as asked for and its version as reported."""


@dataclass(frozen=True, slots=True)
class ToolInUse:
    """What a trial found of the tool in use."""

    name: str
    clears: bool | None
    """None while undecided."""
    score: Estimate
    """Over cases; of a relative bar the difference to the tool that it names, which is itself."""
    usd_per_case: Decimal | None
    """None where it is not known."""
    tier: Tier = "unknown"


@dataclass(frozen=True, slots=True)
class CertifiedTool:
    """A tool that a trial certified: it clears the workflow's bar."""

    name: str
    since: date
    """The day of the first of an unbroken line of certificates."""
    usd_per_case: Decimal | None
    tier: Tier = "unknown"


@dataclass(frozen=True, slots=True)
class InForce:
    """The last certificate of a workflow, and what follows from it."""

    certificate: Certificate
    stale: tuple[str, ...]
    """What has changed since, in words; empty while it holds."""
    tool_in_use: ToolInUse | None
    """None where it was not tried, or is not known."""
    certified: tuple[CertifiedTool, ...]
    """Cheapest first, those of unknown price last."""


def in_force(
    certificates: Sequence[Certificate],
    stale: tuple[str, ...],
    models: Sequence[ModelUse],
    tools: Mapping[str, Tool],
) -> InForce:
    """Return what a workflow's certificates, oldest first and at least one, say today."""
    last = certificates[-1]
    used = _tool_in_use(last, models, tools)
    clearing = [finding for finding in last.findings if _stands(finding, last)]
    certified = tuple(
        CertifiedTool(each.tool, _since(each.tool, certificates), each.usd_per_case, each.tier)
        for each in sorted(clearing, key=_price_order)
    )
    return InForce(last, stale, None if used is None else _measured(used, last), certified)


def tier_need(known: InForce, card: WorkflowCard, tools: Mapping[str, Tool]) -> TierNeed:
    """Return which tier the workflow needs, and what the difference to the one in use costs.

    The leak is what the tool in use cost over the card's period, as the ledger says, times the
    share that the cheapest certified tool would have saved per case, for a month of 30 days.
    """
    cheapest = known.certified[0] if known.certified else None
    used = known.tool_in_use
    return TierNeed(
        tier=None if cheapest is None else cheapest.tier,
        tool=None if cheapest is None else cheapest.name,
        used_tier=None if used is None else used.tier,
        used_tool=None if used is None else used.name,
        leak_usd_month=_leak(known, card, tools),
        decided_on=known.certificate.decided_at.date(),
        stale=known.stale,
    )


def _stands(finding: Finding, certificate: Certificate) -> bool:
    """Return whether it may be used: it cleared, or it is what a relative bar compares with."""
    return finding.outcome == "clears" or (
        finding.reason == "incumbent" and finding.tool == certificate.identity.bar.of
    )


def tool_use(models: Sequence[ModelUse], tools: Iterable[Tool]) -> tuple[str, ModelUse] | None:
    """Return the tool in use as the ledger knows it: that of the dearest model that is a tool's."""
    listed = list(tools)
    for use in models:
        for tool in listed:
            if _is_of(use.model, tool):
                return tool.name, use
    return None


def _tool_in_use(
    certificate: Certificate, models: Sequence[ModelUse], tools: Mapping[str, Tool]
) -> Finding | None:
    found = certificate.finding_of
    known = tool_use(models, (tools[name] for name in found if name in tools))
    return found.get(known[0] if known else certificate.incumbent or "")


def _is_of(model: str, tool: Tool) -> bool:
    if not tool.model:
        return False
    reported, asked = model.lower(), tool.model.lower()
    return reported == asked or (
        reported.startswith(asked) and reported[len(asked)] in _VERSION_SIGNS
    )


def _measured(finding: Finding, certificate: Certificate) -> ToolInUse:
    clears = {"clears": True, "fails": False}.get(finding.outcome)
    score = Estimate(finding.mean or 0.0, finding.low, finding.high, finding.level, finding.n)
    return ToolInUse(
        finding.tool,
        True if _stands(finding, certificate) else clears,
        score,
        finding.usd_per_case,
        finding.tier,
    )


def _since(tool: str, certificates: Sequence[Certificate]) -> date:
    cleared = takewhile(lambda each: _cleared(tool, each), reversed(certificates))
    return [each.decided_at.date() for each in cleared][-1]


def _cleared(tool: str, certificate: Certificate) -> bool:
    finding = certificate.finding_of.get(tool)
    return finding is not None and _stands(finding, certificate)


def _price_order(finding: Finding) -> tuple[bool, Decimal, str]:
    return finding.usd_per_case is None, finding.usd_per_case or Decimal(0), finding.tool


def _leak(known: InForce, card: WorkflowCard, tools: Mapping[str, Tool]) -> Decimal | None:
    used = known.tool_in_use
    if known.stale or used is None or not known.certified or not used.usd_per_case:
        return None
    cheapest = known.certified[0]
    if cheapest.usd_per_case is None:
        return None
    saved = max(used.usd_per_case - cheapest.usd_per_case, Decimal(0)) / used.usd_per_case
    tool = tools.get(used.name)
    uses = [use for use in card.models if tool is not None and _is_of(use.model, tool)]
    spent = sum((use.usage.cost_usd for use in uses), Decimal(0)) if uses else card.usage.cost_usd
    return spent * saved * _DAYS_A_MONTH / max(len(card.days), 1)
