from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.route.budgets.account import Accounts, accounts_of, works_of
from clearbar.route.route import SCOPES, Budget, Caller

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CALLER = Caller(workflow="support", key="k1", team="care", user="ada", task="t1", run="r1")


def ids(*budgets: Budget, caller: Caller = CALLER, at: datetime = NOON) -> list[str]:
    return [account.id for account in accounts_of(budgets, caller, at)]


def test_an_account_is_of_a_scope_a_name_and_a_period() -> None:
    assert ids(Budget("workflow", "support", Decimal(5))) == ["workflow:support/2026-11"]
    assert ids(Budget("key", "k1", Decimal(5), "day")) == ["key:k1/2026-11-22"]
    assert ids(Budget("run", "*", Decimal(5), "run")) == ["run:r1/run"]
    assert ids(Budget("organisation", "", Decimal(5))) == ["organisation:/2026-11"]


def test_a_budget_of_another_name_is_not_the_callers() -> None:
    assert ids(Budget("team", "sales", Decimal(5))) == []


def test_a_star_gives_each_name_an_account_of_its_own() -> None:
    users = [Caller("support", "k1", user=name) for name in ("ada", "ben")]
    star = Budget("user", "*", Decimal(5))
    assert [ids(star, caller=it) for it in users] == [["user:ada/2026-11"], ["user:ben/2026-11"]]


def test_what_the_caller_does_not_name_has_no_account() -> None:
    assert ids(Budget("task", "*", Decimal(5), "run"), caller=Caller("support", "k1")) == []


def test_a_budget_of_a_name_stands_before_the_star() -> None:
    star, named = Budget("user", "*", Decimal(5)), Budget("user", "ada", Decimal(9))
    (account,) = accounts_of([star, named], CALLER, NOON)
    assert account.limit_nusd == 9 * 10**9


def test_a_star_of_another_period_stands_beside_a_named_budget() -> None:
    star, named = Budget("user", "*", Decimal(5), "day"), Budget("user", "ada", Decimal(9))
    assert ids(star, named) == ["user:ada/2026-11", "user:ada/2026-11-22"]


def test_of_two_budgets_of_the_same_account_the_lower_one_counts() -> None:
    twice = [Budget("team", "care", Decimal(usd)) for usd in (5, 3, 4)]
    assert [it.limit_nusd for it in accounts_of(twice, CALLER, NOON)] == [3 * 10**9]


def test_a_month_begins_at_midnight_utc_wherever_the_clock_stands() -> None:
    evening = datetime(2026, 11, 30, 20, tzinfo=timezone(timedelta(hours=-8)))
    assert ids(Budget("workflow", "support", Decimal(5)), at=evening) == [
        "workflow:support/2026-12"
    ]


def test_limits_are_rounded_down_and_thresholds_up() -> None:
    budget = Budget("team", "care", Decimal("0.0000000019"), warn_at=(0.5, 0.9, 0.5), drain_at=0.95)
    (account,) = accounts_of([budget], CALLER, NOON)
    assert account[1:] == (1, (1,), 1)


def test_a_share_is_taken_of_the_decimal_that_was_written() -> None:
    (account,) = accounts_of([Budget("team", "care", Decimal(100), warn_at=(0.7,))], CALLER, NOON)
    assert account.warn_nusd == (70 * 10**9,)


@pytest.mark.parametrize("name", ["a" * 300, "nul\x00", "half \ud800", "line\n"])
def test_a_name_that_no_database_would_take_becomes_a_digest(name: str) -> None:
    (only,) = ids(Budget("user", "*", Decimal(5)), caller=Caller("support", "k1", user=name))
    assert only.startswith("user:sha256-")
    assert only.isprintable()
    assert len(only) < 100


def test_accounts_remember_what_they_computed_for_a_day_and_no_longer() -> None:
    accounts = Accounts([Budget("team", "care", Decimal(5), "day")])
    first = accounts.of(CALLER, NOON)
    assert accounts.of(CALLER, NOON + timedelta(hours=1)) is first
    (next_day,) = accounts.of(CALLER, NOON + timedelta(days=1))
    assert next_day.id == "team:care/2026-11-23"
    assert accounts.of(CALLER, NOON) == first


def test_without_budgets_there_are_no_accounts() -> None:
    assert Accounts([]).of(CALLER, NOON) == ()


def test_a_clients_invented_names_do_not_fill_the_memory() -> None:
    accounts = Accounts([Budget("user", "*", Decimal(5))])
    for number in range(10_000):
        accounts.of(Caller("support", "k1", user=f"u{number}"), NOON)
    assert len(accounts._known) <= 4096


def test_a_task_and_a_run_are_the_works_of_a_caller() -> None:
    assert works_of(CALLER) == ("task:t1", "run:r1")
    assert works_of(Caller("support", "k1")) == ()


names = st.text(max_size=5)
budgets = st.builds(
    Budget,
    st.sampled_from(SCOPES),
    st.one_of(st.just("*"), names),
    st.decimals(0, 10**6, places=2),
    st.sampled_from(["month", "day", "run"]),
)
callers = st.builds(Caller, names, names, names, names, names, names)


@given(st.lists(budgets), callers, st.datetimes(timezones=st.just(UTC)))
def test_each_account_stands_once_and_always_in_the_same_order(
    declared: list[Budget], caller: Caller, at: datetime
) -> None:
    found = ids(*declared, caller=caller, at=at)
    assert found == sorted(set(found))
    assert found == ids(*reversed(declared), caller=caller, at=at)


@given(callers, callers)
def test_two_callers_share_an_account_only_where_they_share_the_name(
    one: Caller, other: Caller
) -> None:
    stars = [Budget(scope, "*", Decimal(1)) for scope in SCOPES if scope != "organisation"]
    shared = {it.id for it in accounts_of(stars, one, NOON)} & {
        it.id for it in accounts_of(stars, other, NOON)
    }
    same = [it for it in SCOPES[1:] if getattr(one, it) and getattr(one, it) == getattr(other, it)]
    assert len(shared) == len(same)
