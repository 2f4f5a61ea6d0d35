"""What agreements cost by the day: every fee adds up exactly, and what is not used is seen."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.spend.charge import Origin
from clearbar.spend.prices.agreements import Agreements, Commitment, Credit, Plan, SelfHosted
from clearbar.spend.prices.planned_lines import (
    AGREED_NAMES,
    AgreedUse,
    PaidUse,
    PlannedLine,
    agreement_in,
    planned_lines,
    shares,
)

EXACT = Context(prec=100)
NOVEMBER = date(2026, 11, 1)
SEPTEMBER = date(2026, 9, 1)
OCTOBER = date(2026, 10, 1)
ORIGINS = {
    1: Origin(source="claude_code", provider="anthropic", workflow="reviews"),
    2: Origin(source="claude_code", provider="anthropic", workflow="fixes"),
    3: Origin(source="litellm", provider="openai", team="search"),
}


def plan(**values: Any) -> Agreements:
    given_: dict[str, Any] = {
        "name": "seats",
        "provider": "anthropic",
        "start": OCTOBER,
        "usd_per_month": Decimal(200),
    }
    return Agreements(plans=(Plan(**(given_ | values)),))


def commitment(**values: Any) -> Agreements:
    given_: dict[str, Any] = {
        "name": "ptu",
        "provider": "azure",
        "service_tier": "provisioned",
        "start": OCTOBER,
        "end": date(2026, 10, 2),
        "usd_per_hour": Decimal(1),
        "units": 50,
    }
    return Agreements(commitments=(Commitment(**(given_ | values)),))


def use(name: str, day: date = OCTOBER, origin_id: int = 1, **values: Any) -> AgreedUse:
    given_: dict[str, Any] = dict.fromkeys(("list_usd", "cost_usd"), Decimal(0))
    given_ |= {"calls": 1, "tokens": 0}
    return AgreedUse(name, origin_id, day, **(given_ | values))


def lines(
    agreements: Agreements,
    *uses: AgreedUse,
    paid: tuple[PaidUse, ...] = (),
    until: date = NOVEMBER,
) -> list[PlannedLine]:
    return planned_lines(agreements, uses, paid, ORIGINS, until)


def dollars(*amounts: int) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, amounts))


def total(found: list[PlannedLine], status: str | None = None) -> Decimal:
    amount = Decimal(0)
    for line in found:
        if status is None or line.status == status:
            amount = EXACT.add(amount, line.cost_usd)
    return amount


def test_a_months_fee_is_the_sum_of_its_days_exactly() -> None:
    found = lines(plan(seats=7, usd_per_month=Decimal("19.99")))
    assert total(found) == Decimal("139.93")
    assert {line.day for line in found} == {OCTOBER + timedelta(days=n) for n in range(31)}


def test_seats_that_nobody_uses_are_unused_in_full() -> None:
    found = lines(plan())
    assert total(found, "unused") == 200


def test_used_and_unused_share_of_a_plan_add_up_to_its_fee() -> None:
    found = lines(plan(), use("plan:seats", list_usd=Decimal("50.5")))
    assert (total(found, "used"), total(found, "unused")) == (Decimal("50.5"), Decimal("149.5"))


def test_a_plan_that_is_worth_more_than_its_fee_has_no_unused_share() -> None:
    found = lines(plan(), use("plan:seats", list_usd=Decimal(900)))
    assert (total(found, "used"), total(found, "unused")) == dollars(200, 0)


def test_a_quiet_weekend_in_a_busy_month_is_not_unused() -> None:
    found = lines(plan(), use("plan:seats", day=date(2026, 10, 5), list_usd=Decimal(200)))
    assert total(found, "unused") == 0


def test_a_month_that_is_not_over_costs_only_its_days_so_far() -> None:
    found = lines(plan(usd_per_month=Decimal(31)), until=date(2026, 10, 11))
    assert total(found) == 10


def test_a_plan_that_begins_within_a_month_costs_by_the_day() -> None:
    found = lines(plan(usd_per_month=Decimal(31), start=date(2026, 10, 30)))
    assert total(found) == 2


def test_use_before_a_plan_is_not_measured_against_it() -> None:
    begins = plan(usd_per_month=Decimal(31), start=date(2026, 10, 30))
    found = lines(begins, use("plan:seats", list_usd=Decimal(500)))
    assert total(found, "unused") == 2


def test_a_fee_that_stands_in_a_bill_has_no_line() -> None:
    assert lines(plan(usd_per_month=None), use("plan:seats", list_usd=Decimal(5))) == []


def test_use_without_a_known_list_value_leaves_the_fee_one_line() -> None:
    found = lines(plan(), use("plan:seats", tokens=1_000))
    assert {line.status for line in found} == {""}
    assert total(found) == 200


def test_an_undivided_fee_stands_under_the_plan_itself() -> None:
    [origin] = {line.origin for line in lines(plan(), use("plan:seats", list_usd=Decimal(999)))}
    assert (origin.source, origin.service, origin.provider) == ("plan", "seats", "anthropic")


def test_what_is_not_used_stands_under_a_name_of_its_own() -> None:
    [origin] = {line.origin for line in lines(plan())}
    assert (origin.source, origin.service) == ("plan-unused", "seats")


def test_every_line_of_an_agreement_has_a_name_in_reports() -> None:
    found = [
        *lines(plan(), use("plan:seats", list_usd=Decimal(5))),
        *lines(commitment(), use("commitment:ptu", list_usd=Decimal(5))),
        *lines(machine()),
        *lines(machine(), use("self-hosted:llama", cost_usd=Decimal(80))),
        *lines(Agreements(credits=(credit(),)), paid=(paid(1, "20"),)),
    ]
    assert {line.origin.source for line in found} == set(AGREED_NAMES)


def test_a_plan_of_one_team_stands_under_that_team() -> None:
    found = lines(plan(only=(("source", "claude_code"), ("team", "platform"), ("project", "a*"))))
    assert {(line.origin.team, line.origin.project) for line in found} == {("platform", "")}


def test_a_divided_fee_goes_to_those_who_used_it_by_list_value() -> None:
    divided = plan(split="list_value")
    found = lines(
        divided,
        use("plan:seats", list_usd=Decimal(300)),
        use("plan:seats", origin_id=2, list_usd=Decimal(100)),
    )
    by_origin = {line.origin.workflow: line.cost_usd for line in found}
    assert by_origin == {"reviews": 150, "fixes": 50}


def test_a_divided_fee_leaves_what_nobody_used_to_the_plan() -> None:
    found = lines(plan(split="list_value"), use("plan:seats", list_usd=Decimal(80)))
    unused = [line for line in found if line.status == "unused"]
    assert total(unused) == 120
    assert {line.origin.labels for line in unused} == {"|commitment_status=unused|"}


def test_provisioned_capacity_is_used_by_tokens_where_it_is_measured() -> None:
    measured = commitment(tokens_per_hour=1_000_000)
    found = lines(measured, use("commitment:ptu", tokens=300_000_000))
    assert (total(found, "used"), total(found, "unused")) == dollars(300, 900)


def test_provisioned_capacity_is_used_by_list_value_elsewhere() -> None:
    found = lines(commitment(), use("commitment:ptu", list_usd=Decimal(480)))
    assert (total(found, "used"), total(found, "unused")) == dollars(480, 720)


def test_capacity_of_one_day_cannot_be_used_on_another() -> None:
    two_days = commitment(end=date(2026, 10, 3))
    found = lines(two_days, use("commitment:ptu", list_usd=Decimal(2_400)))
    assert (total(found, "used"), total(found, "unused")) == dollars(1_200, 1_200)


def test_a_divided_commitment_goes_by_tokens_where_it_is_measured_by_them() -> None:
    divided = commitment(split="list_value", tokens_per_hour=1_000_000)
    found = lines(
        divided,
        use("commitment:ptu", tokens=900_000_000),
        use("commitment:ptu", origin_id=2, tokens=300_000_000),
    )
    assert [line.cost_usd for line in found] == [900, 300]


def test_a_commitment_of_a_bill_has_no_line() -> None:
    assert lines(commitment(usd_per_hour=None)) == []


def machine(**values: Any) -> Agreements:
    given_: dict[str, Any] = {
        "name": "llama",
        "model": "llama-*",
        "usd_per_gpu_hour": Decimal("3.13"),
        "gpus": 1,
        "input_tokens_per_second": Decimal(850),
        "output_tokens_per_second": Decimal(850),
        "utilisation": Decimal("0.3"),
        "hours_per_day": Decimal(24),
        "start": OCTOBER,
        "end": date(2026, 10, 2),
    }
    return Agreements(self_hosted=(SelfHosted(**(given_ | values)),))


def test_calls_and_the_rest_add_up_to_what_the_machines_cost() -> None:
    found = lines(machine(), use("self-hosted:llama", cost_usd=Decimal(20)))
    assert [(line.cost_usd, line.status) for line in found] == [(Decimal("55.12"), "unused")]


def test_machines_that_worked_more_than_declared_are_corrected_downwards() -> None:
    found = lines(machine(), use("self-hosted:llama", cost_usd=Decimal(80)))
    assert [(line.cost_usd, line.category) for line in found] == [(Decimal("-4.88"), "adjustment")]


def test_machines_whose_hours_are_not_declared_have_no_line() -> None:
    assert lines(machine(hours_per_day=None)) == []


def credit(**values: Any) -> Credit:
    given_: dict[str, Any] = {"name": "start", "usd": Decimal(30), "start": OCTOBER}
    return Credit(**(given_ | values))


def paid(day: int, cost: str, origin_id: int = 3) -> PaidUse:
    return PaidUse(origin_id, date(2026, 10, day), Decimal(cost))


def test_a_credit_lasts_until_it_is_used_up() -> None:
    given_ = Agreements(credits=(credit(),))
    found = lines(given_, paid=(paid(3, "25"), paid(1, "20"), paid(5, "7")))
    assert [(line.day.day, line.cost_usd) for line in found] == [
        (1, Decimal(-20)),
        (3, Decimal(-10)),
    ]
    assert {line.category for line in found} == {"credit"}


def test_a_credit_takes_nothing_off_what_it_is_not_for() -> None:
    given_ = Agreements(credits=(credit(provider="anthropic"), credit(only=(("team", "ml"),))))
    assert lines(given_, paid=(paid(3, "25"),)) == []


def test_a_credit_ends_on_its_last_day() -> None:
    given_ = Agreements(credits=(credit(start=date(2026, 10, 2), end=date(2026, 10, 4)),))
    found = lines(given_, paid=tuple(paid(day, "1") for day in range(1, 6)))
    assert [line.day.day for line in found] == [2, 3]


def test_two_credits_never_take_the_same_dollar() -> None:
    given_ = Agreements(credits=(credit(), credit(name="more", usd=Decimal(50))))
    found = lines(given_, paid=(paid(1, "40"),))
    assert [(line.name, line.cost_usd) for line in found] == [
        ("credit:start", Decimal(-30)),
        ("credit:more", Decimal(-10)),
    ]


def test_a_negative_line_of_a_bill_is_no_ground_for_a_credit() -> None:
    assert lines(Agreements(credits=(credit(),)), paid=(paid(1, "-5"),)) == []


@given(
    st.decimals(min_value=0, max_value=10**9, places=4),
    st.lists(st.decimals(min_value=0, max_value=10**6, places=6), min_size=1, max_size=40),
)
def test_shares_add_up_to_the_total_exactly(total_: Decimal, weights: list[Decimal]) -> None:
    parts = shares(total_, weights)
    whole = Decimal(0)
    for part in parts:
        whole = EXACT.add(whole, part)
    assert whole == (total_ if any(weights) else 0)
    assert all(part >= 0 for part in parts)


@given(
    st.decimals(min_value=1, max_value=10**6, places=2),
    st.integers(1, 400),
    st.lists(
        st.tuples(
            st.integers(0, 60), st.integers(1, 3), st.decimals(min_value=0, max_value=900, places=9)
        ),
        max_size=20,
    ),
    st.sampled_from(["none", "list_value"]),
)
def test_a_plan_costs_its_fee_whatever_was_used(
    fee: Decimal, seats: int, used: list[tuple[int, int, Decimal]], split: Any
) -> None:
    uses = [
        use("plan:seats", SEPTEMBER + timedelta(days=day), origin_id, list_usd=value)
        for day, origin_id, value in used
    ]
    two_months = plan(start=SEPTEMBER, usd_per_month=fee, seats=seats, split=split)
    assert total(lines(two_months, *uses)) == EXACT.multiply(fee * seats, Decimal(2))


@pytest.mark.parametrize(
    ("price_id", "name"),
    [
        ("plan:team", "plan:team"),
        ("anthropic/claude-sonnet-4-5#0+plan:team", "plan:team"),
        ("anthropic/claude-sonnet-4-5#0+plan:team+b", "plan:team+b"),
        ("anthropic/claude-sonnet-4-5#0", None),
        ("openai/gpt-4o#0+override:1", None),
    ],
)
def test_an_agreement_is_known_by_the_id_of_a_price(price_id: str, name: str | None) -> None:
    assert agreement_in(price_id, ["plan:team", "plan:team+b"]) == name
