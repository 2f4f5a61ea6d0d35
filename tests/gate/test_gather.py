"""From a card to the facts: windows, months, growth and kill rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from tests.gate.made import AS_OF, FIRST_DAY, POLICY, WORKFLOW, card, days

from clearbar.core.period import Period, last_days
from clearbar.gate.gather import budget_month, days_needed, facts_of
from clearbar.gate.kill_rule import FACTS
from clearbar.gate.policy import decide
from clearbar.gate.window import known_window, window_facts

if TYPE_CHECKING:
    from clearbar.own.card import DayFacts, WorkflowCard


def with_kill_rule(text: str, **changed: object) -> WorkflowCard:
    return card(replace(WORKFLOW, kill_rules=(text,)), **changed)


def test_a_healthy_card_is_funded() -> None:
    assert decide(facts_of(card(), POLICY, AS_OF)).decision == "fund"


def test_the_facts_of_a_window_are_those_that_kill_rules_may_name() -> None:
    assert list(window_facts(days(28), FIRST_DAY, AS_OF)) == list(FACTS)


def test_a_window_is_measured_as_a_whole() -> None:
    facts = window_facts(days(28), FIRST_DAY, AS_OF)
    assert facts["cost_usd"] == 280
    assert facts["usd_per_good"] == pytest.approx(280 / (28 * 66))
    assert facts["return_usd"] == 28 * 70
    assert facts["share_unpriced"] == 0
    assert facts["known_days"] == 90


def test_quotients_of_nothing_are_unknown() -> None:
    idle = days(28, calls=0, tokens=0, cost_usd=Decimal(0), outcomes=0, good=0.0, worth_usd=None)
    facts = window_facts(idle, None, AS_OF)
    unknown = {name for name, value in facts.items() if value is None}
    assert unknown == {
        "known_days",
        "mean_score",
        "return_usd",
        "share_unpriced",
        "tokens_per_call",
        "usd_per_call",
        "usd_per_good",
        "usd_per_outcome",
        "worth_usd",
    }


def test_worth_is_unknown_when_some_outcomes_have_none() -> None:
    part = (*days(14), *days(14, worth_usd=None))
    assert window_facts(part, FIRST_DAY, AS_OF)["worth_usd"] is None


def test_the_share_of_unpriced_calls_is_unknown_where_nobody_counted() -> None:
    assert window_facts(days(7, calls_unpriced=None), FIRST_DAY, AS_OF)["share_unpriced"] is None


def test_a_window_that_is_longer_than_the_workflow_is_known_is_unknown() -> None:
    assert known_window(days(60), 28, AS_OF - timedelta(days=27), AS_OF) is None
    assert known_window(days(60), 28, None, AS_OF) is None


def test_a_window_with_a_day_missing_is_unknown() -> None:
    assert known_window(days(27), 28, FIRST_DAY, AS_OF) is None
    assert known_window(days(28), 28, FIRST_DAY, AS_OF) == days(28)


def test_a_kill_rule_that_holds_states_the_figures_that_it_names() -> None:
    verdict = decide(
        facts_of(with_kill_rule("usd_per_good > 0.1 and tokens > 9 for 28d"), POLICY, AS_OF)
    )
    assert verdict.decision == "kill"
    assert verdict.reasons[0].fact == (
        '"usd_per_good > 0.1 and tokens > 9 for 28d": tokens is 924,000, usd_per_good is $0.15'
    )


def test_a_good_outcome_has_no_price_limit_when_every_outcome_failed() -> None:
    failed = days(60, good=0.0, worth_usd=None)
    rule = replace(WORKFLOW, kill_rules=("usd_per_good > 100 for 28d",))
    [result] = facts_of(card(rule, days=failed[30:]), POLICY, AS_OF, history=failed).kill_rules
    assert result.holds is True
    assert result.fact.endswith("usd_per_good has no end, for no outcome was good")


def test_a_kill_rule_that_does_not_hold_is_false() -> None:
    [result] = facts_of(with_kill_rule("mean_score < 0.5 for 4w"), POLICY, AS_OF).kill_rules
    assert result.holds is False
    assert result.fact == '"mean_score < 0.5 for 4w": mean_score is 0.9429'


def test_a_kill_rule_over_more_days_than_are_known_is_unknown() -> None:
    [result] = facts_of(with_kill_rule("calls > 1 for 61d"), POLICY, AS_OF).kill_rules
    assert result.holds is None
    assert "cannot be judged" in result.fact


def test_a_longer_history_lets_a_longer_kill_rule_be_judged() -> None:
    long = with_kill_rule("calls > 1 for 61d")
    [result] = facts_of(long, POLICY, AS_OF, history=days(61)).kill_rules
    assert result.holds is True


def test_a_fact_that_is_unknown_is_named_as_such() -> None:
    young = with_kill_rule("share_unpriced > 0.5 for 30d", days=days(30, calls_unpriced=None))
    [result] = facts_of(young, POLICY, AS_OF).kill_rules
    assert result.holds is None
    assert result.fact.endswith("share_unpriced is not known")


def test_as_many_days_are_needed_as_the_longest_window_has() -> None:
    assert days_needed(WORKFLOW, POLICY) == 60
    assert days_needed(replace(WORKFLOW, kill_rules=("calls > 1 for 91d",)), POLICY) == 91


def test_outcomes_are_counted_in_the_policy_s_window() -> None:
    assert facts_of(card(), POLICY, AS_OF).outcomes_in_window == 30 * 70


def test_a_workflow_younger_than_the_outcome_window_has_unknown_outcomes() -> None:
    young = card(first_day=date(2026, 10, 20), days=days(30, outcomes=0, good=0.0))
    assert facts_of(young, POLICY, AS_OF).outcomes_in_window is None


def test_the_budget_month_is_that_of_the_last_whole_day() -> None:
    assert budget_month(date(2026, 11, 1)) == Period(date(2026, 10, 1), date(2026, 11, 1))
    assert budget_month(date(2026, 11, 2)) == Period(date(2026, 11, 1), date(2026, 11, 2))


def wobbling(end: date, tokens: int) -> tuple[DayFacts, ...]:
    """Thirty days of which no two are quite alike."""
    return tuple(
        replace(day, tokens=tokens + 97 * (index % 5), good=66.0 + index % 3)
        for index, day in enumerate(days(30, end))
    )


def test_tokens_that_grow_while_outcomes_stay_flat_pause_the_workflow() -> None:
    start = last_days(30, AS_OF).start
    grown = card(days=wobbling(AS_OF, 60_000), previous_days=wobbling(start, 33_000))
    verdict = decide(facts_of(grown, POLICY, AS_OF))
    assert [reason.rule for reason in verdict.reasons] == ["tokens_up_outcomes_flat"]


def test_a_launch_is_no_growth() -> None:
    launched = card(first_day=last_days(30, AS_OF).start, days=days(30, tokens=60_000))
    assert facts_of(launched, POLICY, AS_OF).growth is None


@pytest.mark.parametrize("before", [(), days(30, last_days(30, AS_OF).start, good=0.0)])
def test_there_is_no_growth_from_nothing(before: tuple[DayFacts, ...]) -> None:
    assert facts_of(card(previous_days=before), POLICY, AS_OF).growth is None


def test_a_workflow_that_spends_no_more_is_not_unmeasured() -> None:
    ended = card(days=days(30, cost_usd=Decimal(0), calls=0, outcomes=0))
    facts = facts_of(ended, POLICY, AS_OF)
    assert facts.spending
    assert facts.outcomes_in_window is None
