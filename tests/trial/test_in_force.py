"""What certificates mean today: who is in use, who may replace it, what the difference costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest
from tests.gate.made import WORKFLOW, card, days

from clearbar.own.card import ModelUse
from clearbar.own.workflow import Bar
from clearbar.spend.usage import Usage
from clearbar.tools.tool import Tool
from clearbar.trial.in_force import in_force, tier_need
from clearbar.trial.trial import Certificate, Error, Finding, Identity

if TYPE_CHECKING:
    from clearbar.own.card import TierNeed, WorkflowCard
    from clearbar.trial.in_force import InForce
    from clearbar.trial.trial import Outcome, Reason

DECIDED: Final = datetime(2026, 10, 20, 9, tzinfo=UTC)
TOOLS: Final = {
    "rules": Tool("rules", "rules", "none"),
    "haiku": Tool("haiku", "anthropic", "small", model="claude-haiku-4-5"),
    "opus": Tool("opus", "anthropic", "frontier", model="claude-opus-4-6"),
}
PRICES: Final = {"rules": Decimal(0), "haiku": Decimal("0.004"), "opus": Decimal("0.040")}
ABSOLUTE: Final = Bar(at_least=0.9, text="resolved >= 0.9")
RELATIVE: Final = Bar(within=0.03, of="opus", text="within 0.03 of opus")


def finding(tool: str, outcome: Outcome, reason: Reason = "evidence") -> Finding:
    return Finding(
        tool=tool,
        tier=TOOLS[tool].tier,
        outcome=outcome,
        reason=reason,
        n=200,
        mean=0.95,
        low=0.92,
        high=0.97,
        level=0.9,
        alpha=0.025,
        log_for=4.0,
        log_for_needed=3.7,
        log_against=-4.0,
        log_against_needed=2.3,
        usd_per_case=PRICES[tool],
        calls=200,
        spent_usd=PRICES[tool] * 200,
    )


def certificate(
    *findings: Finding, bar: Bar = ABSOLUTE, incumbent: str | None = None, days_ago: int = 0
) -> Certificate:
    return Certificate(
        identity=Identity(
            workflow=WORKFLOW.name,
            bar=bar,
            metric="resolved",
            grader="exact",
            prompt_digest="p",
            cases_digest="c",
            cases=1000,
            cases_from="cases.jsonl",
            tools={each.tool: "d" for each in findings},
            error=Error(0.05, 0.1),
            seed=0,
        ),
        findings=findings,
        winner=next((each.tool for each in findings if each.outcome == "clears"), None),
        incumbent=incumbent,
        decided_at=DECIDED - timedelta(days=days_ago),
        calls=sum(each.calls for each in findings),
        spent_usd=sum((each.spent_usd for each in findings), Decimal(0)),
    )


def used(model: str, cost_usd: int) -> ModelUse:
    return ModelUse("anthropic", model, "frontier", Usage(calls=100, cost_usd=Decimal(cost_usd)))


CLEARED: Final = (finding("rules", "fails"), finding("haiku", "clears"), finding("opus", "clears"))
OPUS: Final = (used("claude-opus-4-6-20260205", 600),)


def said(*certificates: Certificate, models: tuple[ModelUse, ...] = OPUS) -> InForce:
    return in_force(certificates, (), models, TOOLS)


def month_card(models: tuple[ModelUse, ...] = OPUS) -> WorkflowCard:
    return replace(card(), models=models, days=days(30))


def need_of(known: InForce, models: tuple[ModelUse, ...] = OPUS) -> TierNeed:
    return tier_need(known, month_card(models), TOOLS)


def test_the_tool_in_use_is_the_one_whose_model_the_ledger_knows_by_name_and_version() -> None:
    tool = said(certificate(*CLEARED)).tool_in_use
    assert tool is not None
    assert (tool.name, tool.clears, tool.usd_per_case) == ("opus", True, Decimal("0.040"))


def test_the_dearest_model_of_a_known_tool_is_the_one_in_use() -> None:
    models = (used("gpt-5", 700), used("claude-haiku-4-5", 600), used("claude-opus-4-6", 5))
    tool = said(certificate(*CLEARED), models=models).tool_in_use
    assert tool is not None
    assert tool.name == "haiku"


@pytest.mark.parametrize("model", ["claude-opus-4-60", "", "gpt-5"])
def test_a_model_that_only_begins_alike_is_another(model: str) -> None:
    assert said(certificate(*CLEARED), models=(used(model, 1),)).tool_in_use is None


def test_what_the_ledger_knows_stands_before_what_the_trial_took_for_in_use() -> None:
    tool = said(certificate(*CLEARED, incumbent="haiku")).tool_in_use
    assert tool is not None
    assert tool.name == "opus"


def test_where_the_ledger_knows_no_model_of_a_tool_the_trial_s_own_tool_is_in_use() -> None:
    tool = said(certificate(*CLEARED, incumbent="haiku"), models=()).tool_in_use
    assert tool is not None
    assert tool.name == "haiku"


@pytest.mark.parametrize(("outcome", "clears"), [("fails", False), ("undecided", None)])
def test_a_tool_in_use_that_is_undecided_is_not_said_to_fail(
    outcome: Outcome,
    clears: bool | None,  # noqa: FBT001 - a parameter of the test
) -> None:
    tool = said(certificate(finding("opus", outcome))).tool_in_use
    assert tool is not None
    assert tool.clears is clears


def test_the_tool_that_a_relative_bar_names_clears_it_by_definition() -> None:
    compared = finding("opus", "undecided", "incumbent")
    known = said(certificate(finding("haiku", "fails"), compared, bar=RELATIVE, incumbent="opus"))
    assert [each.name for each in known.certified] == ["opus"]
    assert known.tool_in_use is not None
    assert known.tool_in_use.clears is True


def test_certified_tools_stand_cheapest_first_and_unknown_prices_last() -> None:
    unknown = replace(finding("rules", "clears"), usd_per_case=None)
    known = said(certificate(unknown, *CLEARED[1:]))
    assert [each.name for each in known.certified] == ["haiku", "opus", "rules"]


def test_a_tool_is_certified_since_the_first_of_an_unbroken_line_of_certificates() -> None:
    cleared, failed = certificate(*CLEARED), certificate(finding("haiku", "fails"), days_ago=40)
    earlier = [certificate(*CLEARED, days_ago=each) for each in (60, 30, 10)]
    known = said(earlier[0], failed, *earlier[1:], cleared)
    assert known.certified[0].since == date(2026, 9, 20)


def test_a_tool_that_was_not_in_an_earlier_trial_is_certified_since_the_later_one() -> None:
    known = said(certificate(finding("opus", "clears"), days_ago=30), certificate(*CLEARED))
    assert known.certified[0].since == DECIDED.date()


def test_the_need_names_the_tier_of_the_cheapest_certified_tool_beside_the_one_in_use() -> None:
    need = need_of(said(certificate(*CLEARED)))
    assert (need.tier, need.tool) == ("small", "haiku")
    assert (need.used_tier, need.used_tool) == ("frontier", "opus")


def test_the_leak_is_what_the_tool_in_use_cost_times_the_share_that_the_cheapest_saves() -> None:
    assert need_of(said(certificate(*CLEARED))).leak_usd_month == Decimal(540)


def test_only_the_spend_on_the_tool_in_use_can_leak() -> None:
    models = (*OPUS, used("claude-haiku-4-5", 300))
    assert need_of(said(certificate(*CLEARED), models=models), models).leak_usd_month == 540


def test_where_the_tool_in_use_has_no_model_of_its_own_all_spend_is_its_spend() -> None:
    known = said(certificate(*CLEARED, incumbent="opus"), models=())
    assert need_of(known, ()).leak_usd_month == month_card().usage.cost_usd * Decimal("0.9")


def test_nothing_leaks_where_the_tool_in_use_is_the_cheapest_that_clears() -> None:
    known = said(certificate(finding("haiku", "fails"), finding("opus", "clears")))
    assert need_of(known).leak_usd_month == 0


def test_a_dearer_certified_tool_is_no_saving() -> None:
    known = said(certificate(finding("haiku", "undecided"), finding("opus", "clears")))
    models = (used("claude-haiku-4-5", 100),)
    known = in_force([known.certificate], (), models, TOOLS)
    assert need_of(known, models).leak_usd_month == 0


def test_without_a_certified_tool_neither_need_nor_leak_is_known() -> None:
    need = need_of(said(certificate(finding("opus", "fails"))))
    assert (need.tier, need.tool, need.leak_usd_month) == (None, None, None)


def test_without_a_known_tool_in_use_no_leak_is_claimed() -> None:
    need = need_of(said(certificate(*CLEARED), models=()), ())
    assert (need.tier, need.used_tool, need.leak_usd_month) == ("small", None, None)


def test_an_unknown_price_is_no_leak() -> None:
    unknown = replace(finding("haiku", "clears"), usd_per_case=None)
    assert need_of(said(certificate(unknown, finding("opus", "fails")))).leak_usd_month is None


def test_a_stale_certificate_claims_no_leak_and_says_what_changed() -> None:
    known = in_force([certificate(*CLEARED)], ("the prompt changed",), OPUS, TOOLS)
    need = need_of(known)
    assert (need.leak_usd_month, need.stale) == (None, ("the prompt changed",))
