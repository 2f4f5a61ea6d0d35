"""The table of rules: each is reachable, and one more never softens a verdict."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.gate.made import AS_OF, HEALTHY, USAGE, WORKFLOW, estimate

from clearbar.gate.facts import Drift, Facts, GrowthFacts, KillRuleResult
from clearbar.gate.gather import month_spend
from clearbar.gate.policy import RULES, decide, policy_table
from clearbar.gate.policy_settings import Policy
from clearbar.gate.verdict import SEVERITY
from clearbar.own.workflow import Bar
from clearbar.trial.in_force import CertifiedTool, ToolInUse

if TYPE_CHECKING:
    from clearbar.own.workflow import Stakes

GROWN: Final = GrowthFacts(estimate(0.8, 0.62, 1.0), estimate(0.01, -0.05, 0.07), 0.06)
IN_USE: Final = ToolInUse("claude-opus-4-6", True, estimate(0.95, 0.93, 0.97, 900), Decimal("0.04"))
SMALL: Final = CertifiedTool("gpt-5-mini", date(2026, 9, 1), Decimal("0.003"))
DRIFT: Final = Drift(
    "gpt-5-mini", date(2026, 10, 30), "gpt-5-mini scores 0.81, under its bar of 0.92"
)

CASES: Final[dict[str, dict[str, Any]]] = {
    "no_owner": {"workflow": {"owner": None}},
    "no_metric": {"workflow": {"metric": None}},
    "kill_rule": {"kill_rules": (KillRuleResult("a for 28d", True, '"a for 28d": a is 2'),)},
    "restricted_data": {"workflow": {"data_class": "restricted"}},
    "undefended": {"defence": None, "first_day": date(2026, 8, 3)},
    "unmeasured": {"outcomes_in_window": 0},
    "below_bar": {"tool_in_use": replace(IN_USE, clears=False), "certified": ()},
    "over_budget": {"month": month_spend(Decimal(901), AS_OF)},
    "loses_money": {"return_usd": estimate(-200.0, -300.0, -100.0)},
    "tokens_up_outcomes_flat": {"growth": GROWN},
    "cheaper_tool_ignored": {"tool_in_use": IN_USE, "certified": (SMALL,)},
    "drifted": {"drift": DRIFT},
    "earns_its_tier": {},
}
"""What, changed on a healthy workflow, makes exactly one rule hold."""


def changed(*cases: dict[str, Any]) -> Facts:
    facts = HEALTHY
    for case in cases:
        on_workflow = case.get("workflow", {})
        others = {key: value for key, value in case.items() if key != "workflow"}
        facts = replace(facts, workflow=replace(facts.workflow, **on_workflow), **others)
    return facts


def rules_of(facts: Facts) -> list[str]:
    return [reason.rule for reason in decide(facts).reasons]


def fact_of(facts: Facts) -> str:
    return decide(facts).reasons[0].fact


@pytest.mark.parametrize("rule", CASES)
def test_each_rule_can_be_the_only_one_that_holds(rule: str) -> None:
    assert rules_of(changed(CASES[rule])) == [rule]


def test_every_rule_of_the_table_has_a_case() -> None:
    assert {rule.name for rule in RULES} == {*CASES, "paused_too_long"}


def test_the_table_has_the_gravest_rules_first_and_funds_last() -> None:
    severities = [SEVERITY[rule.decision] for rule in RULES]
    assert severities == sorted(severities, reverse=True)
    assert [rule.name for rule in RULES if rule.decision == "fund"] == [
        "drifted",
        "earns_its_tier",
    ]


def test_rule_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES) == 14


@given(st.sets(st.sampled_from(sorted(CASES))), st.sampled_from(sorted(CASES)))
def test_one_more_matching_rule_never_softens_a_verdict(some: set[str], one: str) -> None:
    # Both of these set the tools that are certified: the later would undo the earlier.
    assume(not {"below_bar", "cheaper_tool_ignored"} <= {*some, one})
    others = [CASES[name] for name in sorted(some - {one})]
    before, after = decide(changed(*others)), decide(changed(*others, CASES[one]))
    assert SEVERITY[after.decision] >= SEVERITY[before.decision]


@given(st.sets(st.sampled_from(sorted(CASES)), min_size=1))
def test_the_first_reason_gives_the_verdict_and_the_rest_follow_in_table_order(
    some: set[str],
) -> None:
    verdict = decide(changed(*(CASES[name] for name in sorted(some))))
    found = [reason.rule for reason in verdict.reasons]
    assert found == [rule.name for rule in RULES if rule.name in found]
    assert verdict.decision == verdict.reasons[0].decision
    assert verdict.next_step == verdict.reasons[0].next_step


@pytest.mark.parametrize("rule", CASES)
def test_every_fact_has_a_number_and_every_next_step_says_who(rule: str) -> None:
    reason = decide(changed(CASES[rule])).reasons[0]
    assert any(character.isdigit() for character in reason.fact)
    assert reason.next_step.startswith(("support-lead@example.com ", "Whoever runs it "))


def test_a_workflow_without_an_owner_is_killed_with_the_money_and_the_grace_named() -> None:
    assert fact_of(changed(CASES["no_owner"])) == (
        "spent $300.00 in 30 days, and no owner is declared (grace of 14 days ended 2026-08-17)"
    )


@pytest.mark.parametrize(("first_day", "found"), [(19, ["earns_its_tier"]), (18, ["no_owner"])])
def test_grace_counts_from_the_first_day_of_spending(first_day: int, found: list[str]) -> None:
    facts = changed(CASES["no_owner"], {"first_day": date(2026, 10, first_day)})
    assert rules_of(facts) == found


def test_a_workflow_that_does_not_spend_needs_no_owner_yet() -> None:
    idle = replace(USAGE, calls=0, cost_usd=Decimal(0))
    assert rules_of(changed(CASES["no_owner"], {"usage": idle})) == ["earns_its_tier"]


def test_calls_of_unknown_price_count_as_spending() -> None:
    unpriced = replace(USAGE, cost_usd=Decimal(0), calls_unpriced=4000)
    assert fact_of(changed(CASES["no_owner"], {"usage": unpriced})).startswith(
        "made 4,000 calls without a known price in 30 days, and no owner"
    )


def test_unpriced_calls_are_named_beside_the_known_money() -> None:
    unpriced = replace(USAGE, calls_unpriced=7)
    assert "spent $300.00 in 30 days, beside 7 calls without a known price" in fact_of(
        changed(CASES["no_owner"], {"usage": unpriced})
    )


@pytest.mark.parametrize("holds", [None, False])
def test_a_kill_rule_that_is_unknown_or_does_not_hold_never_kills(*, holds: bool | None) -> None:
    facts = changed({"kill_rules": (KillRuleResult("a for 28d", holds, "a"),)})
    assert rules_of(facts) == ["earns_its_tier"]


def test_all_kill_rules_that_hold_are_named() -> None:
    results = tuple(KillRuleResult(text, True, f"{text} is 1") for text in ("a", "b"))
    assert fact_of(changed({"kill_rules": results})) == "a is 1; b is 1"


def paused(days: int) -> dict[str, Any]:
    return {"paused_since": AS_OF - timedelta(days=days)}


def test_a_pause_beyond_the_policy_kills() -> None:
    facts = changed(CASES["unmeasured"], paused(61))
    assert rules_of(facts) == ["paused_too_long", "unmeasured"]
    assert fact_of(facts) == "paused since 2026-09-01: 61 days, 60 are allowed"


def test_a_pause_within_the_policy_stays_a_pause() -> None:
    assert rules_of(changed(CASES["unmeasured"], paused(60))) == ["unmeasured"]


def test_a_long_pause_ends_when_nothing_asks_for_it_any_more() -> None:
    assert rules_of(changed(paused(61))) == ["earns_its_tier"]


def test_restricted_data_may_stay_in_house() -> None:
    inside = tuple(replace(use, provider="ollama") for use in HEALTHY.models)
    assert rules_of(changed(CASES["restricted_data"], {"models": inside})) == ["earns_its_tier"]


def test_restricted_data_outside_names_the_provider_the_calls_and_the_money() -> None:
    assert fact_of(changed(CASES["restricted_data"])) == (
        "restricted data went to anthropic in 4,000 calls worth $300.00, "
        "most of it to claude-sonnet-4-5"
    )


def test_a_provider_that_is_not_named_counts_as_outside() -> None:
    unnamed = tuple(replace(use, provider="", model="") for use in HEALTHY.models)
    assert "went to an unnamed provider" in fact_of(
        changed(CASES["restricted_data"], {"models": unnamed})
    )


def test_a_workflow_never_defended_is_due_one_review_period_after_its_first_day() -> None:
    assert fact_of(changed(CASES["undefended"])) == (
        "never defended since its first day, 2026-08-03; "
        "the first defence was due on 2026-11-01 (90 days)"
    )
    later = {"first_day": date(2026, 8, 4)}
    assert rules_of(changed(CASES["undefended"], later)) == ["earns_its_tier"]


def test_a_defence_that_expired_is_named_with_its_day() -> None:
    assert HEALTHY.defence
    spent = replace(HEALTHY.defence, expires=AS_OF)
    assert fact_of(changed({"defence": spent})) == (
        "support-lead@example.com last defended it on 2026-10-01, until 2026-11-01"
    )


def test_a_defence_holds_no_longer_than_the_review_period() -> None:
    facts = changed({"workflow": {"review_days": 31}})
    assert fact_of(facts) == (
        "support-lead@example.com last defended it on 2026-10-01; a defence holds for 31 days"
    )


@pytest.mark.parametrize(("stakes", "days"), [("high", 45), ("normal", 90), ("low", 180)])
def test_the_review_period_of_the_policy_depends_on_the_stakes(stakes: Stakes, days: int) -> None:
    assert changed({"workflow": {"stakes": stakes}}).review_days == days


def test_outcomes_are_not_missed_before_their_window_is_known() -> None:
    assert rules_of(changed({"outcomes_in_window": None})) == ["earns_its_tier"]


def test_a_tool_that_is_undecided_is_not_below_its_bar() -> None:
    undecided = {"tool_in_use": replace(IN_USE, clears=None), "certified": ()}
    assert rules_of(changed(undecided)) == ["earns_its_tier"]


def test_a_failing_tool_is_named_with_its_score_and_interval() -> None:
    assert fact_of(changed(CASES["below_bar"])) == (
        "claude-opus-4-6 scores 0.950 (95% interval 0.930 to 0.970) on 900 cases "
        "and fails the bar; no tool is certified"
    )


def test_a_failing_tool_without_an_interval_is_named_with_its_score() -> None:
    bare = ToolInUse("rule", False, estimate(0.5, None, None, 4), Decimal(0))
    assert "rule scores 0.500 on 4 cases" in fact_of(changed({"tool_in_use": bare}))


def test_outcomes_surely_below_an_absolute_bar_are_below_bar_before_any_trial() -> None:
    bar = {"bar": Bar(at_least=0.9, text="resolved >= 0.9")}
    low = changed({"workflow": bar, "mean_score": estimate(0.8, 0.75, 0.85)})
    assert fact_of(low) == (
        "outcomes score 0.800 (95% interval 0.750 to 0.850), below the bar of 0.9; "
        "no other tool is certified"
    )


@pytest.mark.parametrize("high", [0.9, 0.95, None])
def test_outcomes_that_may_clear_the_bar_are_not_below_it(high: float | None) -> None:
    bar = {"bar": Bar(at_least=0.9, text="resolved >= 0.9")}
    near = changed({"workflow": bar, "mean_score": estimate(0.8, 0.7, high)})
    assert decide(near).decision == "fund"


def test_a_failing_tool_with_a_certified_one_ready_is_not_below_bar() -> None:
    facts = changed(CASES["below_bar"], {"certified": (replace(SMALL, since=AS_OF),)})
    assert rules_of(facts) == ["earns_its_tier"]


def test_spend_beyond_the_budget_names_both() -> None:
    assert fact_of(changed(CASES["over_budget"])) == (
        "spent $901.00 in 2026-10 (31 of 31 days), beyond the budget of $900.00"
    )


def test_a_forecast_beyond_the_budget_names_both() -> None:
    month = month_spend(Decimal(300), date(2026, 11, 8))
    assert fact_of(changed({"month": month})) == (
        "spent $300.00 in 2026-11 (7 of 30 days); "
        "at this rate the month ends at $1,285.71, budget $900.00"
    )


def test_a_month_is_not_forecast_in_its_first_six_days() -> None:
    month = month_spend(Decimal(300), date(2026, 11, 7))
    assert month.forecast_usd is None
    assert rules_of(changed({"month": month})) == ["earns_its_tier"]


def test_spend_exactly_at_the_budget_is_within_it() -> None:
    assert rules_of(changed({"month": month_spend(Decimal(900), AS_OF)})) == ["earns_its_tier"]


def test_without_a_budget_nothing_is_over_it() -> None:
    facts = changed(CASES["over_budget"], {"workflow": {"budget_usd_month": None}})
    assert rules_of(facts) == ["earns_its_tier"]


@pytest.mark.parametrize("high", [0.0, 5.0, None])
def test_a_loss_that_is_not_certain_does_not_pause(high: float | None) -> None:
    assert rules_of(changed({"return_usd": estimate(-200.0, -300.0, high)})) == ["earns_its_tier"]


def test_a_certain_loss_is_stated_with_its_interval() -> None:
    assert fact_of(changed(CASES["loses_money"])) == (
        "worth minus cost is -$200.00 in 30 days (95% interval -$300.00 to -$100.00)"
    )


def test_the_growth_of_tokens_is_stated_with_its_power() -> None:
    assert fact_of(changed(CASES["tokens_up_outcomes_flat"])) == (
        "tokens grew +80% (at least +62%), good outcomes +1% (at most +7%), each bound with an "
        "error rate of 5%; outcomes that grew by 6% would have been seen with power 0.8"
    )


def test_where_no_outcome_is_good_any_more_no_power_is_stated() -> None:
    ended = replace(GROWN, good=estimate(-1.0, -1.0, -0.8), detectable_good=math.inf)
    assert fact_of(changed({"growth": ended})) == (
        "tokens grew +80% (at least +62%), good outcomes -100% (at most -80%), each bound with an "
        "error rate of 5%"
    )


@pytest.mark.parametrize(
    "growth",
    [
        replace(GROWN, tokens=estimate(0.8, 0.19, 1.5)),
        replace(GROWN, tokens=estimate(0.8, None, None)),
        replace(GROWN, good=estimate(0.01, -0.2, 0.3)),
        replace(GROWN, good=estimate(0.01, None, None)),
    ],
)
def test_growth_without_enough_power_never_pauses(growth: GrowthFacts) -> None:
    assert rules_of(changed({"growth": growth})) == ["earns_its_tier"]


def test_a_cheaper_tool_may_wait_for_the_grace_period() -> None:
    recent = replace(SMALL, since=AS_OF - timedelta(days=14))
    facts = changed({"tool_in_use": IN_USE, "certified": (recent,)})
    assert rules_of(facts) == ["earns_its_tier"]


def test_the_cheapest_certified_tool_is_the_one_named() -> None:
    dearer = CertifiedTool("gpt-5", date(2026, 9, 1), Decimal("0.02"))
    facts = changed({"tool_in_use": IN_USE, "certified": (dearer, SMALL)})
    assert fact_of(facts) == (
        "gpt-5-mini has been certified since 2026-09-01 at $0.0030 per case; "
        "claude-opus-4-6 costs $0.040"
    )
    assert decide(facts).next_step == "support-lead@example.com puts gpt-5-mini in force."


@pytest.mark.parametrize("priced", [IN_USE, replace(IN_USE, usd_per_case=None)])
def test_without_both_prices_no_tool_is_cheaper(priced: ToolInUse) -> None:
    unknown = replace(SMALL, usd_per_case=None) if priced is IN_USE else SMALL
    facts = changed({"tool_in_use": priced, "certified": (unknown,)})
    assert rules_of(facts) == ["earns_its_tier"]


def test_a_certified_tool_that_nothing_undercuts_is_said_to_earn_its_tier() -> None:
    itself = CertifiedTool(IN_USE.name, date(2026, 9, 1), IN_USE.usd_per_case)
    facts = changed({"tool_in_use": IN_USE, "certified": (itself,)})
    assert "claude-opus-4-6 is the cheapest tool that is certified to clear" in fact_of(facts)


def test_a_funded_workflow_says_what_it_brought_and_when_to_defend_it() -> None:
    verdict = decide(changed({"return_usd": estimate(2100.0, 1900.0, 2300.0)}))
    assert verdict.reasons[0].fact == (
        "spent $300.00 in 30 days, worth minus cost is $2,100.00; no rule holds against it"
    )
    assert verdict.next_step == (
        "support-lead@example.com defends it by 2026-12-30, within $900.00 a month."
    )


def test_a_funded_workflow_keeps_its_declared_next_step() -> None:
    facts = changed({"workflow": {"next_step": "Try a rule without a model"}})
    assert decide(facts).next_step == "Try a rule without a model"


def test_a_workflow_that_never_spent_has_nothing_to_do() -> None:
    idle = replace(USAGE, calls=0, cost_usd=Decimal(0))
    facts = changed({"usage": idle, "first_day": None, "defence": None})
    assert decide(facts).next_step.endswith("has nothing to do until it spends.")


def test_a_verdict_lapses_after_the_policy_s_days_and_sooner_at_high_stakes() -> None:
    assert decide(HEALTHY).lapses_on == AS_OF + timedelta(days=30)
    high = changed({"workflow": {"stakes": "high"}})
    assert decide(high).lapses_on == AS_OF + timedelta(days=15)


def test_even_the_shortest_verdict_holds_for_a_day() -> None:
    facts = changed({"workflow": {"stakes": "high"}, "policy": Policy(verdict_days=1)})
    assert decide(facts).lapses_on == AS_OF + timedelta(days=1)


def test_the_money_at_stake_is_thirty_days_at_the_rate_of_the_period() -> None:
    assert decide(changed({"period_days": 10})).at_stake_usd_month == Decimal(900)


def test_the_verdict_carries_workflow_and_owner() -> None:
    verdict = decide(HEALTHY)
    assert (verdict.workflow, verdict.owner) == (WORKFLOW.name, WORKFLOW.owner)


def test_the_docs_table_has_a_sentence_per_rule() -> None:
    table = policy_table()
    assert [name for _, name, _ in table] == [rule.name for rule in RULES]
    assert all(sentence.endswith(".") for _, _, sentence in table)


def test_the_docs_table_names_only_keys_that_the_policy_has() -> None:
    keys = {field.removesuffix("_days") for field in Policy.__dataclass_fields__}
    for _, _, sentence in policy_table():
        assert set(sentence.split("`")[1::2]) <= keys


def test_a_defence_holds_for_a_day_at_least() -> None:
    policy = Policy(review_days=1, stakes_review={"high": 0.1, "normal": 0.1, "low": 0.1})
    assert changed({"policy": policy}).review_days == 1


def test_an_alarm_names_the_tool_the_day_and_the_trial_that_is_due() -> None:
    reason = decide(changed(CASES["drifted"])).reasons[0]
    assert reason.fact == "since 2026-10-30: gpt-5-mini scores 0.81, under its bar of 0.92"
    assert reason.next_step.endswith("clearbar trial support-replies")


def test_a_workflow_is_funded_on_its_old_tool_while_an_alarm_stands() -> None:
    assert decide(changed(CASES["drifted"])).decision == "fund"


def test_nobody_is_paused_for_ignoring_a_cheaper_tool_that_fell() -> None:
    assert rules_of(changed(CASES["cheaper_tool_ignored"], CASES["drifted"])) == ["drifted"]


def test_another_cheaper_tool_is_still_ignored_while_an_alarm_stands() -> None:
    other = {"drift": replace(DRIFT, tool="gpt-5-nano")}
    assert rules_of(changed(CASES["cheaper_tool_ignored"], other)) == [
        "cheaper_tool_ignored",
        "drifted",
    ]
