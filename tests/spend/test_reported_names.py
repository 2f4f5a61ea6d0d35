"""Names of projects, keys and accounts: a program's own are not those of the provider's reports."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.ledger_cases import append, total
from tests.spend.record_makers import NOON_US, record

from clearbar.core.period import ALL
from clearbar.spend.charge import Origin
from clearbar.spend.reading import LedgerReading
from clearbar.spend.reconciliation import reconciliation

if TYPE_CHECKING:
    from clearbar.spend.charge import Record
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger

DAY_US = 86_400_000_000
MIDNIGHT_US = NOON_US // DAY_US * DAY_US


def origin(source: str, **names: str) -> Origin:
    return Origin(source=source, provider="anthropic", model="claude-sonnet-4-5", **names)


def told(grain: str, identity: str, of: Origin, **values: Any) -> Record:
    day = {"started_at_us": MIDNIGHT_US, "ended_at_us": MIDNIGHT_US + DAY_US}
    return record(identity, of, evidence="provider", grain=grain, calls=0, **day, **values)


def usage(**names: str) -> Record:
    return told("bucket", f"bucket:{names}", origin("anthropic_usage", **names))


def bill(usd: str, **names: str) -> Record:
    none = {"input_tokens": None, "output_tokens": None}
    cost = {"reported_cost_usd": Decimal(usd), "reported_basis": "billed"}
    return told("bill", f"bill:{names}", origin("anthropic_costs", **names), **none, **cost)


@pytest.mark.parametrize(
    "logged",
    [
        origin("claude_code", project="billing-bot"),
        origin("litellm", credential="bot-key", principal="jo"),
        origin("gateway", credential="bot-key", project="billing-bot"),
        origin("otlp", principal="jo"),
    ],
)
def test_a_log_with_names_of_its_own_is_in_a_report_by_workspace_and_key(
    ledger: Ledger, book: PriceBook, logged: Origin
) -> None:
    report = usage(project="wrkspc_1", credential="apikey_1", principal="user_1")
    append(ledger, book, [record("upstream:msg_1", logged), report])
    assert (total(ledger).calls, total(ledger).input_tokens) == (1, 100)


def test_a_name_that_the_reports_use_too_tells_calls_apart(ledger: Ledger, book: PriceBook) -> None:
    reports = [usage(project="wrkspc_1"), usage(project="wrkspc_2")]
    calls = [record(f"upstream:msg_{n}", origin("litellm", project="wrkspc_1")) for n in range(2)]
    append(ledger, book, [*calls, *reports])
    assert total(ledger).input_tokens == 300


def test_a_log_of_answers_names_projects_as_the_provider_does(
    ledger: Ledger, book: PriceBook
) -> None:
    call = record("upstream:msg_1", origin("anthropic_answers", project="wrkspc_9"))
    append(ledger, book, [call, usage(project="wrkspc_1")])
    assert total(ledger).input_tokens == 200


def test_an_organisation_within_a_gateway_is_no_account_of_the_provider(
    ledger: Ledger, book: PriceBook
) -> None:
    call = record("upstream:msg_1", origin("litellm", account="sales"))
    append(ledger, book, [call, bill("0.5", account="org-1")])
    assert total(ledger).cost_usd == Decimal("0.5")


def test_a_report_of_reconciling_takes_names_as_the_sums_do(
    ledger: Ledger, book: PriceBook
) -> None:
    call = record("upstream:msg_1", origin("litellm", account="sales", credential="bot-key"))
    report = usage(account="org-1", credential="apikey_1")
    append(ledger, book, [call, report, bill("0.5", account="org-1")])
    [account] = reconciliation(LedgerReading(ledger), ALL).accounts
    assert (account.name, account.compared_usd) == ("org-1", Decimal("0.00045"))
