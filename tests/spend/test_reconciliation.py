"""How bills and logs agree: coverage, error, and what is missing."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.spend.told_rows import DAY, NEXT_DAY, bill, bucket, call

from clearbar.core.period import ALL, Period
from clearbar.spend.prices.agreements import SelfHosted
from clearbar.spend.reconciliation import Account, Reconciliation, compare
from clearbar.spend.reconciliation_words import FIELD_DOCS, missing, reconciliation_json
from clearbar.spend.reconciling.accounts import DeclaredAccount
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from clearbar.spend.prices.agreements import Only
    from clearbar.spend.reconciling.told import Told


def compared(*rows: Told) -> Reconciliation:
    return compare(rows, ALL)


def one(*rows: Told) -> Account:
    [account] = compared(*rows).accounts
    return account


def said(*rows: Told) -> list[str]:
    found = compared(*rows)
    return [what for account in found.accounts for what, _ in missing(account, found)]


def words(rows: list[Told], *machines: SelfHosted) -> list[str]:
    found = compare(rows, ALL, (), machines)
    return [what for account in found.accounts for what, _ in missing(account, found)]


def machine(model: str, only: Only = ()) -> SelfHosted:
    return SelfHosted(
        name="own",
        model=model,
        only=only,
        usd_per_gpu_hour=Decimal(3),
        gpus=1,
        input_tokens_per_second=Decimal(1000),
        output_tokens_per_second=Decimal(100),
        utilisation=Decimal("0.5"),
    )


def test_coverage_is_the_share_of_the_bill_that_logs_explain() -> None:
    found = one(bill("10"), call("8"), call("5", key=4, day=NEXT_DAY))
    assert [found.billed_usd, found.compared_usd, found.logged_usd] == [10, 8, 13]
    assert [found.coverage, found.residual_usd] == [0.8, 2]


def test_too_much_on_one_day_does_not_make_up_for_too_little_on_another() -> None:
    rows = [
        bill("10"),
        call("8"),
        bill("10", key=4, day=NEXT_DAY),
        call("12", key=5, day=NEXT_DAY),
    ]
    found = one(*rows)
    assert [found.coverage, found.residual_usd, found.error] == [1, 0, 0.2]


def test_without_a_bill_there_is_no_coverage() -> None:
    found = one(call("8"))
    assert (found.coverage, found.error, found.compared) == (None, None, [])
    assert said(call("8")) == ["there is no bill"]


def test_calls_without_a_provider_are_not_told_to_find_a_bill() -> None:
    found = compared(call("8", provider="", account=""))
    [(what, step)] = missing(found.accounts[0], found)
    assert what == "no log says who bills these calls: they count beside every bill"
    assert step.startswith("let the logs name the provider: ")
    assert "bill" not in step


def test_of_openrouter_no_bill_is_asked_for() -> None:
    [(what, step)] = missing(one(call("8", provider="openrouter")), compared())
    assert what == "no bill comes: its activity says what was charged"
    assert step == "where it is not read yet: clearbar spend pull openrouter"


def test_what_to_do_without_a_bill_is_to_pull_it() -> None:
    found = compared(call("8"), call("3", key=4, provider="acme"))
    steps = {each.provider: missing(each, found)[0][1] for each in found.accounts}
    assert steps["openai"] == "clearbar spend pull openai"
    assert steps["acme"] == "add its bill, or a FOCUS export of it: clearbar spend add FILE"


def test_days_without_logs_and_days_without_a_bill_are_named() -> None:
    rows = bill("10"), call("8", day=NEXT_DAY)
    assert said(*rows) == [
        "1 day (2026-09-02) without a bill, on which $8.00 is logged",
        "1 day (2026-09-01) without logs",
    ]


def test_of_many_days_the_first_are_named() -> None:
    rows = [call("8", day=DAY + timedelta(n)) for n in range(1, 6)]
    [what, _] = said(bill("10"), *rows)
    assert what.startswith("5 days (2026-09-02, 2026-09-03, 2026-09-04, ...) without a bill")


def test_models_that_are_billed_and_never_logged_are_named() -> None:
    rows = [
        bill("10", model="gpt-5-2025-08-07"),
        bill("1", key=4, model="o3"),
        call("10", model="gpt-5"),
    ]
    assert one(*rows).models_not_logged == ["o3"]
    assert said(*rows) == ["billed and never logged: o3"]


def test_what_only_aggregates_tell_of_is_logged_too() -> None:
    found = one(bill("10"), bucket("9"), call("4"))
    assert [found.compared_usd, found.aggregated_usd] == [9, 5]


def test_tax_and_credits_are_beside_the_usage() -> None:
    rows = bill("10"), bill("2", key=4, category="tax"), bill("-1", key=5, category="credit")
    found = one(*rows)
    assert [found.billed_usd, found.other_usd] == [10, 1]


def test_calls_of_an_unknown_account_are_of_the_only_one() -> None:
    found = one(bill("10", account="a"), call("8"))
    assert (found.name, found.coverage) == ("a", 0.8)


def test_calls_of_an_unknown_account_among_several_are_told() -> None:
    rows = bill("10", account="a"), call("2", key=4, account="b"), call("8", key=5)
    assert (
        "$8.00 is of an account that no log names; of it the bills of the others hold what"
        " they have room for"
    ) in said(*rows)


def test_two_names_of_one_account_are_suspected() -> None:
    rows = bill("10", account="org-1"), call("10", account="Acme")
    found = compared(*rows)
    steps = {what: step for each in found.accounts for what, step in missing(each, found)}
    what = (
        '"org-1" has a bill of the same days, beyond its own logs: if it is this account, they have'
        " two names, and $10.00 counts twice"
    )
    assert steps[what].splitlines()[1:] == [
        "[[account]]",
        'name = "Acme"',
        'provider = "openai"',
        'aliases = ["org-1"]',
    ]


def test_a_bill_that_its_own_logs_explain_is_no_other_accounts() -> None:
    rows = bill("10", account="org-1"), call("10", account="org-1"), call("9", 4, account="Acme")
    assert said(*rows) == ["there is no bill"]


def test_a_bill_of_other_days_is_no_other_accounts() -> None:
    rows = bill("10", account="org-1"), call("9", account="Acme", day=NEXT_DAY)
    assert "two names" not in " ".join(said(*rows))


def test_a_name_is_proposed_to_the_account_that_is_declared() -> None:
    rows = bill("10", account="org-1"), call("10", account="Acme")
    declared = (DeclaredAccount(name="Acme", aliases=("acme-inc",), provider="openai"),)
    found = compare(rows, ALL, declared)
    steps = [step for each in found.accounts for _, step in missing(each, found)]
    assert (
        "if they are one, write into clearbar.toml:\n"
        '"org-1" among the aliases of [[account]] "Acme"'
    ) in steps


def test_a_second_bill_of_the_same_days_is_told() -> None:
    rows = bill("10"), bill("11", key=4, source="focus"), call("10")
    [what] = said(*rows)
    assert what.startswith("focus tells of $11.00 of usage from 2026-09-01 up to 2026-09-02 ")
    assert what.endswith("; openai_costs counts")


def test_what_has_no_price_is_told() -> None:
    rows = bill("10", unpriced_lines=2), call(Usage(calls=3, calls_unpriced=3))
    assert [what.split(" ")[:2] for what in said(*rows)[1:]] == [["2", "lines"], ["3", "calls"]]


def test_without_a_bill_no_residual_is_spoken_of() -> None:
    assert said(call(Usage(calls=1, calls_unpriced=1))) == [
        "there is no bill",
        "1 call without a price: not in what is logged",
    ]


def test_where_a_bill_gives_back_more_than_it_takes_there_is_no_share_of_it() -> None:
    found = one(bill("-0.15"), call("2", day=NEXT_DAY))
    assert (found.billed_usd, found.coverage, found.error) == (Decimal("-0.15"), None, None)


def test_programs_on_own_machines_are_asked_for_no_bill() -> None:
    assert said(call("8", provider="ollama")) == ["self-hosted: no bill comes"]
    assert said(bill("8", provider="ollama"), call("8", provider="ollama")) == []


def test_a_model_that_is_declared_as_self_hosted_is_asked_for_no_bill() -> None:
    rows = [call("8", provider="acme", model="llama-3-70b")]
    assert words(rows, machine("llama-3*")) == ["self-hosted: no bill comes"]
    assert words(rows, machine("qwen*")) == ["there is no bill"]
    assert words(rows, machine("llama-3*", only=(("team", "search"),))) == ["there is no bill"]
    beside = call("1", key=4, provider="acme", model="claude-opus-4-6")
    assert words([*rows, beside], machine("llama-3*")) == ["there is no bill"]


def test_a_bill_by_the_month_is_compared_as_a_whole() -> None:
    days = [call("1", key=n, day=DAY + timedelta(n)) for n in range(30)]
    found = one(bill("40", days=30), *days)
    [each] = found.compared
    assert [each.days, each.billed_usd, each.logged_usd] == [30, 40, 30]
    assert found.days_without_bill == []


def test_the_dearest_provider_comes_first() -> None:
    found = compared(call("3", provider="acme"), bill("10"), bill("1", key=4, account="a"))
    assert [each.provider for each in found.accounts][:1] == ["openai"]


def test_json_has_exactly_the_documented_fields() -> None:
    found = reconciliation_json(compared(bill("10"), call("3"), bucket("4", day=date(2026, 9, 3))))
    assert paths(found) == set(FIELD_DOCS)


def paths(value: Any, before: str = "") -> set[str]:
    if isinstance(value, list):
        own = {before} if before else set()
        return own.union(*(paths(each, f"{before}[]") for each in value))
    if not isinstance(value, dict):
        return {before} if not before.endswith("[]") else set()
    found: set[str] = set()
    for key, each in value.items():
        found |= paths(each, f"{before}.{key}" if before else key)
    return found


def test_money_is_exact_text() -> None:
    found = reconciliation_json(compared(bill("0.10"), call("0.1")))
    [account] = found["accounts"]
    assert (account["billed_usd"], account["residual_usd"]) == ("0.1", "0")
    assert Decimal(account["logged_usd"]) == Decimal("0.1")


def test_a_bill_that_crosses_the_period_is_compared_whole_where_it_begins() -> None:
    rows = [bill("10", days=2), call("1"), call("2", key=4, day=NEXT_DAY)]
    [account] = compare(rows, Period(DAY, NEXT_DAY)).accounts
    assert [account.residual_usd, account.logged_usd] == [7, 1]


def test_a_day_of_a_bill_that_began_before_the_period_is_not_without_a_bill() -> None:
    rows = [bill("10", days=2), call("1"), call("2", key=4, day=NEXT_DAY)]
    [account] = compare(rows, Period(NEXT_DAY, NEXT_DAY + timedelta(1))).accounts
    assert [account.billed_usd, account.logged_usd] == [0, 2]
    assert account.days_without_bill == []
