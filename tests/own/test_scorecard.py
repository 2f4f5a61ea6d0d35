from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.period import ALL, Period
from clearbar.own.card import CoveredCalls, Defence, Estimate, Scorecard, TierNeed, WorkflowCard
from clearbar.own.card_json import (
    ESTIMATE_DOCS,
    FIELD_DOCS,
    USAGE_DOCS,
    scorecard_json,
)
from clearbar.own.card_saving import measured
from clearbar.own.outcome import DailyOutcomes
from clearbar.own.scorecard import build
from clearbar.own.workflow import UNATTRIBUTED, Bar, Metric, Workflow
from clearbar.spend.usage import USAGE_FIELDS, Usage
from clearbar.tools.tool import Tier

PERIOD = Period(date(2026, 10, 1), date(2026, 11, 1))
AS_OF = date(2026, 11, 1)
FIRST = PERIOD.start
LEVEL = 0.95

COMPLETE = Workflow(
    "support",
    owner="support-lead@example.com",
    purpose="Draft replies",
    metric=Metric("resolved", "ticket", "outcomes/support.csv"),
    bar=Bar(at_least=0.92, text="resolved >= 0.92"),
    worth_usd=Decimal("1.20"),
    budget_usd_month=Decimal(1200),
    next_step="Trial a small model",
    kill_rules=("usd_per_good > 0.30 for 28d",),
)
SAVING = measured(
    Estimate(0.25, 0.2, 0.3, LEVEL, 240),
    0.8,
    requests=(60, 600),
    conversations=(40, 200),
    days=30,
)
DEFENCE = Defence(
    "support", "support-lead@example.com", date(2026, 9, 1), date(2026, 12, 1), "it pays"
)


def spent(usd: str, calls: int = 1, unpriced: int = 0) -> Usage:
    return Usage(
        calls=calls,
        output_tokens=10 * calls,
        cost_usd=Decimal(usd),
        calls_priced=calls - unpriced,
        calls_unpriced=unpriced,
    )


def card_of(
    usage: Sequence[tuple[str, date, Usage]] = (),
    outcomes: Sequence[DailyOutcomes] = (),
    workflow: Workflow = COMPLETE,
    **more: Any,
) -> WorkflowCard:
    (card,) = scorecard_of(usage, outcomes, [workflow], **more).cards
    return card


def scorecard_of(
    usage: Sequence[tuple[str, date, Usage]] = (),
    outcomes: Sequence[DailyOutcomes] = (),
    workflows: Sequence[Workflow] = (COMPLETE,),
    *,
    period: Period = PERIOD,
    as_of: date = AS_OF,
    models: Sequence[tuple[str, str, str, Tier, Usage]] = (),
    defences: Mapping[str, Defence] | None = None,
    first_days: Mapping[str, date] | None = None,
) -> Scorecard:
    return build(
        period,
        as_of,
        workflows,
        daily_usage=usage,
        model_usage=models,
        outcomes=outcomes,
        month_usage={"support": Decimal(7)},
        first_days=first_days or {},
        defences={"support": DEFENCE} if defences is None else defences,
        level=LEVEL,
        quarantined=3,
        unattributed_origins=[("team=none", spent("1"))],
    )


def daily_spend(usd: str = "2", days: int = 31) -> list[tuple[str, date, Usage]]:
    return [("support", FIRST + timedelta(days=day), spent(usd)) for day in range(days)]


def daily_good(good: str = "4", outcomes: int = 5, days: int = 31) -> list[DailyOutcomes]:
    return [
        DailyOutcomes(
            "support", FIRST + timedelta(days=day), outcomes, float(good), None, Decimal(good)
        )
        for day in range(days)
    ]


def test_a_complete_workflow_has_no_gaps() -> None:
    assert card_of(daily_spend(), daily_good()).gaps == ()


def test_cost_per_good_outcome_is_cost_over_the_sum_of_scores() -> None:
    estimate = card_of(daily_spend(), daily_good()).cost_per_good_usd
    assert estimate is not None
    assert (estimate.value, estimate.level, estimate.n) == (0.5, LEVEL, 31)


def test_the_return_is_worth_minus_cost() -> None:
    card = card_of(daily_spend(), daily_good())
    assert card.worth_usd == Decimal("148.80")
    assert card.return_usd is not None
    assert card.return_usd.value == pytest.approx(86.80)


def test_an_outcome_that_states_its_worth_does_not_take_the_workflows() -> None:
    outcomes = [DailyOutcomes("support", FIRST, 3, 2.5, Decimal(10), Decimal("0.5"))]
    assert card_of(daily_spend(), outcomes).worth_usd == Decimal("10.60")


def test_one_unknown_worth_makes_the_whole_worth_unknown() -> None:
    outcomes = [DailyOutcomes("support", FIRST, 3, 2.5, Decimal(10), Decimal("0.5"))]
    card = card_of(daily_spend(), outcomes, Workflow("support"))
    assert (card.worth_usd, card.return_usd) == (None, None)


def test_failures_are_worth_nothing_and_that_is_known() -> None:
    outcomes = [DailyOutcomes("support", FIRST, 3, 0.0, Decimal(0), Decimal(0))]
    assert card_of(daily_spend(), outcomes, Workflow("support")).worth_usd == 0


def test_without_outcomes_worth_and_return_are_unknown_not_zero() -> None:
    card = card_of(daily_spend())
    assert (card.worth_usd, card.return_usd, card.cost_per_good_usd) == (None, None, None)
    assert card.mean_score is None


def test_where_no_call_has_a_price_the_cost_per_good_outcome_is_unknown() -> None:
    card = card_of([("support", FIRST, spent("0", calls=4, unpriced=4))], daily_good())
    assert (card.cost_per_good_usd, card.return_usd) == (None, None)


def test_every_day_of_the_period_stands_in_order() -> None:
    days = card_of(daily_spend(days=1)).days
    assert [day.day for day in days] == [FIRST + timedelta(days=n) for n in range(31)]
    assert [day.calls for day in days[:2]] == [1, 0]


def test_a_quiet_day_is_worth_nothing_where_worth_is_declared() -> None:
    assert card_of(daily_spend()).days[0].worth_usd == 0


def test_the_period_before_is_kept_apart() -> None:
    before = ("support", FIRST - timedelta(days=1), spent("5"))
    card = card_of([before, *daily_spend("1")])
    assert card.usage.cost_usd == 31
    assert card.previous.cost_usd == 5
    assert len(card.previous_days) == 31
    assert card.trend == pytest.approx(5.2)


def test_rows_of_other_times_are_left_out() -> None:
    rows = [("support", date(2025, 1, 1), spent("5")), ("support", AS_OF, spent("7"))]
    assert scorecard_of(rows).total == Usage()


def test_days_before_the_first_charge_say_nothing() -> None:
    rows = [("support", FIRST + timedelta(days=day), spent("2")) for day in range(20, 31)]
    estimate = card_of(rows, daily_good()[20:]).cost_per_good_usd
    assert estimate is not None
    assert estimate.n == 11


def test_quiet_days_after_the_first_charge_count() -> None:
    rows = [("support", FIRST + timedelta(days=day), spent("2")) for day in range(20, 31)]
    card = card_of(rows, daily_good()[20:], first_days={"support": date(2026, 1, 1)})
    assert card.cost_per_good_usd is not None
    assert card.cost_per_good_usd.n == 31


def test_days_still_to_come_say_nothing() -> None:
    as_of = FIRST + timedelta(days=10)
    card = card_of(daily_spend(days=10), daily_good(days=10), as_of=as_of)
    assert card.cost_per_good_usd is not None
    assert card.cost_per_good_usd.n == 10


def test_models_stand_dearest_first_and_their_tiers_are_summed() -> None:
    models: list[tuple[str, str, str, Tier, Usage]] = [
        ("support", "openai", "gpt-4o-mini", "small", spent("1")),
        ("support", "anthropic", "claude-sonnet-4-5", "frontier", spent("5")),
        ("support", "google", "gemini-2.5-flash", "small", spent("2")),
    ]
    card = card_of(daily_spend(), models=models)
    assert [use.usage.cost_usd for use in card.models] == [5, 2, 1]
    assert card.tier_cost_usd == {"frontier": 5, "small": 3}


def test_the_dearest_card_is_first_and_a_workflow_without_spend_last() -> None:
    rows = [("b", FIRST, spent("1")), ("c", FIRST, spent("2"))]
    cards = scorecard_of(rows, (), [Workflow("a"), Workflow("b"), Workflow("c")]).cards
    assert [card.workflow.name for card in cards] == ["c", "b", "a"]


def test_calls_without_a_price_come_before_no_calls_at_all() -> None:
    rows = [("b", FIRST, spent("0", unpriced=1))]
    cards = scorecard_of(rows, (), [Workflow("a"), Workflow("b")]).cards
    assert [card.workflow.name for card in cards] == ["b", "a"]


def test_what_no_rule_took_is_no_workflow() -> None:
    scorecard = scorecard_of([(UNATTRIBUTED, FIRST, spent("4"))])
    assert scorecard.unattributed.cost_usd == scorecard.total.cost_usd == 4
    assert [card.workflow.name for card in scorecard.cards] == ["support"]


def test_a_workflow_that_is_used_but_not_declared_says_so() -> None:
    first, _ = scorecard_of([("ghost", FIRST, spent("1"))]).cards
    assert first.workflow.name == "ghost"
    assert first.gaps[0] == "not declared in clearbar.toml"


def test_gaps_are_gravest_first() -> None:
    usage = [("support", FIRST, spent("1", calls=1200, unpriced=1200))]
    assert card_of(usage, (), Workflow("support"), defences={}).gaps == (
        "no owner",
        "no metric",
        "no bar",
        "no outcomes in the period",
        "unpriced calls: 1,200",
        "never defended",
        "no worth",
        "no next step",
        "no kill rule",
    )


def test_a_defence_holds_until_the_day_on_which_it_expires() -> None:
    day = DEFENCE.expires
    last = Period(day - timedelta(days=31), day)
    held = card_of(period=last, as_of=day - timedelta(days=1))
    expired = card_of(period=last, as_of=day)
    assert held.gaps == ("no outcomes in the period",)
    assert expired.gaps == ("no outcomes in the period", "defence expired on 2026-12-01")


def test_of_all_time_the_days_run_from_the_first_to_the_last_known() -> None:
    rows = [("support", FIRST, spent("1")), ("support", FIRST + timedelta(days=3), spent("1"))]
    card = card_of(rows, period=ALL)
    assert (len(card.days), card.previous, card.previous_days) == (4, Usage(), ())


def test_of_all_time_nothing_known_has_no_days() -> None:
    assert card_of(period=ALL).days == ()


names = st.sampled_from(["support", "letters", "ghost", UNATTRIBUTED])
costs = st.decimals(0, 10**9, places=24, allow_nan=False)
rows = st.lists(
    st.tuples(
        names,
        st.integers(-40, 40).map(lambda n: FIRST + timedelta(days=n)),
        st.builds(
            Usage, *(costs if name == "cost_usd" else st.integers(0, 99) for name in USAGE_FIELDS)
        ),
    )
)


@given(rows)
def test_the_parts_add_up_to_the_total_exactly(found: list[tuple[str, date, Usage]]) -> None:
    scorecard = scorecard_of(found, (), [COMPLETE, Workflow("letters")])
    with localcontext(prec=60):
        parts = sum((card.usage for card in scorecard.cards), scorecard.unattributed)
        lines = sum((usage for _, day, usage in found if day in PERIOD), Usage())
        days = sum((day.cost_usd for card in scorecard.cards for day in card.days), Decimal(0))
        assert scorecard.total == parts == lines
        assert days + scorecard.unattributed.cost_usd == scorecard.total.cost_usd


def test_each_json_field_is_documented_and_each_documented_field_is_there() -> None:
    models: list[tuple[str, str, str, Tier, Usage]] = [("support", "p", "m", "small", spent("1"))]
    scorecard = scorecard_of(daily_spend(), daily_good(), models=models)
    need = TierNeed("none", "rules", "small", "m", Decimal(3), FIRST, ("the prompt changed",))
    scorecard = replace(
        scorecard,
        cards=tuple(
            replace(each, need=need, saving=SAVING, covered=CoveredCalls(2, Decimal(1)))
            for each in scorecard.cards
        ),
    )
    recurring = {*ESTIMATE_DOCS, *USAGE_DOCS}
    paths = set(paths_of(scorecard_json(scorecard)))
    own = (".days[].", ".covered.")
    leaves = {
        path
        for path in paths
        if path.rpartition(".")[2] not in recurring or any(part in path for part in own)
    }
    assert leaves - {"period", "cards[].tier_cost_usd.small"} == set(FIELD_DOCS)


def test_the_recurring_json_fields_are_documented() -> None:
    card = scorecard_json(scorecard_of(daily_spend(), daily_good()))["cards"][0]
    assert list(card["usage"]) == list(USAGE_DOCS)
    assert list(card["cost_per_good_usd"]) == list(ESTIMATE_DOCS)


def test_json_keeps_money_exact_and_what_is_unknown_null() -> None:
    card = scorecard_json(scorecard_of([("support", FIRST, spent("0.000000000001"))]))["cards"][0]
    assert card["usage"]["cost_usd"] == "0.000000000001"
    assert card["worth_usd"] is None
    assert card["first_day"] is None


def test_json_is_plain() -> None:
    value = scorecard_json(scorecard_of(daily_spend(), daily_good(), defences={}))
    assert msgspec.json.decode(msgspec.json.encode(value)) == value


def paths_of(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else str(key)
            yield here
            yield from paths_of(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from paths_of(inner, f"{path}[]")
