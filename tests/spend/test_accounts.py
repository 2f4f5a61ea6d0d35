"""Names of accounts: what is declared to be one is one, and the ledger keeps what it read."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from tests.spend.ledger_cases import append, total
from tests.spend.test_reading_bills import BILL, CALL, bill, call

from clearbar.core.errors import DeclarationError
from clearbar.core.period import ALL, Period
from clearbar.declared import Declared, parse
from clearbar.spend.charge import Origin
from clearbar.spend.reading import LedgerReading
from clearbar.spend.reconciling.accounts import DeclaredAccount, with_declared_names
from clearbar.spend.report import total_of
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger

LOGGED = Origin(source="otlp", provider="acme", model="acme-1", account="Legal Inc", team="legal")
ONE = (DeclaredAccount(name="legal", aliases=("org-1", "Legal Inc")),)


def declared(text: str, tmp_path: Path) -> Declared:
    return parse(text, tmp_path / "clearbar.toml")


def cost(ledger: Ledger, accounts: tuple[DeclaredAccount, ...] = ()) -> Decimal:
    sums = LedgerReading(ledger, None, accounts).by_origin(ALL)
    return total_of(sums.values()).cost_usd


def test_a_bill_and_logs_under_two_names_count_once_when_they_are_declared_one(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [call("upstream:gen-1", "4", LOGGED), bill("bill:1", "7")])
    assert cost(ledger) == 11
    assert cost(ledger, ONE) == 7


def test_charges_show_the_declared_name_and_records_the_one_that_was_read(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [call("upstream:gen-1", "4", LOGGED), bill("bill:1", "7")])
    reading = LedgerReading(ledger, None, ONE)
    assert {each.account for each in reading.origins.values()} == {"legal"}
    assert {each.account for each in ledger.origins().values()} == {"Legal Inc", "org-1"}
    assert reading.stored_origins == ledger.origins()


def test_logs_without_an_account_are_of_the_one_that_has_all_names(
    ledger: Ledger, book: PriceBook
) -> None:
    rows = [call("upstream:gen-1", "4", LOGGED), call("upstream:gen-2", "1", CALL)]
    append(ledger, book, [*rows, bill("bill:1", "4")])
    assert cost(ledger) == 8 + 0  # the bill holds 1 and 3 of its own; the other name stays
    assert cost(ledger, ONE) == 4


def test_a_name_of_another_provider_is_another_account() -> None:
    origins = {1: BILL, 2: Origin(source="x", provider="other", account="org-1")}
    named = (DeclaredAccount(name="legal", aliases=("org-1",), provider="acme"),)
    found = with_declared_names(origins, named)
    assert [found[1].account, found[2].account] == ["legal", "org-1"]


def test_what_is_declared_changes_no_total_of_a_ledger_without_bills(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [call("upstream:gen-1", "4", LOGGED)])
    assert cost(ledger, ONE) == total(ledger).cost_usd == 4


TWICE = """
[[account]]
name = "legal"
aliases = ["org-1"]

[[account]]
name = "sales"
aliases = ["org-2", "org-1"]
"""


def test_a_name_of_two_accounts_is_refused_with_its_line_and_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError) as caught:
        declared(TWICE, tmp_path)
    assert caught.value.message == (
        'clearbar.toml:8: account.aliases: "org-1" is a name of "legal" on line 2 too: a name'
        " is of one account; keep it in one of them, or write a provider to each"
    )


def test_one_name_may_be_of_accounts_of_two_providers(tmp_path: Path) -> None:
    text = TWICE.replace('"legal"', '"legal"\nprovider = "openai"')
    text = text.replace('"sales"', '"sales"\nprovider = "anthropic"')
    assert [each.provider for each in declared(text, tmp_path).accounts] == ["openai", "anthropic"]


@pytest.mark.parametrize("pattern", ["anthropic*", "[a]nthropic"])
def test_a_pattern_that_does_not_take_the_other_provider_is_of_another(
    tmp_path: Path, pattern: str
) -> None:
    text = TWICE.replace('"legal"', '"legal"\nprovider = "openai"')
    text = text.replace('"sales"', f'"sales"\nprovider = "{pattern}"')
    assert len(declared(text, tmp_path).accounts) == 2
    with pytest.raises(DeclarationError):
        declared(text.replace(pattern, "Open*"), tmp_path)
    with pytest.raises(DeclarationError):
        declared(text.replace(pattern, "a*").replace('"openai"', '"*i"'), tmp_path)


def test_a_rule_takes_the_name_of_an_account_in_letters_of_either_case(tmp_path: Path) -> None:
    text = '[[account]]\nname = "Legal Inc"\naliases = ["legal"]\n'
    rule = '\n[[workflow]]\nname = "letters"\nmatch = [{ account = "legal*" }]\n'
    assert declared(text + rule, tmp_path).accounts


def test_an_account_that_is_declared_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError) as caught:
        declared(TWICE.replace('"sales"', '"legal"'), tmp_path)
    assert 'clearbar.toml:7: account.name: "legal" is a name of the account on line 2' in str(
        caught.value.message
    )


def test_a_rule_for_an_alias_is_refused_because_no_charge_has_it_any_more(tmp_path: Path) -> None:
    rule = '\n[[workflow]]\nname = "letters"\nmatch = [{ account = "org-*" }]\n'
    text = '[[account]]\nname = "legal"\naliases = ["org-1"]\n' + rule
    with pytest.raises(DeclarationError) as caught:
        declared(text, tmp_path)
    assert caught.value.message == (
        "clearbar.toml:7: workflow.match.account: takes only an alias of the account"
        ' "legal": write its name'
    )
    assert declared(text.replace('"org-*"', '"*"'), tmp_path).accounts


def test_a_credit_for_an_alias_is_refused_too(tmp_path: Path) -> None:
    text = '[[account]]\nname = "legal"\naliases = ["org-1"]\n'
    text += '[[credit]]\nname = "start"\nusd = 5\nfrom = 2026-09-01\nonly = { account = "org-1" }\n'
    with pytest.raises(DeclarationError) as caught:
        declared(text, tmp_path)
    assert caught.value.message.startswith(
        "clearbar.toml:8: credit.only.account: takes only an alias of"
    )


FOCUS = (
    "BilledCost,BillingAccountId,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,"
    "BillingPeriodStart,ServiceCategory,ServiceName,ProviderName,ChargeDescription\n"
    "{usd},org-1,USD,Usage,2026-09-01T00:00:00Z,2026-09-02T00:00:00Z,"
    "2026-09-01T00:00:00Z,"
    "AI and Machine Learning,OpenAI API,OpenAI,tokens\n"
)
DECLARE = '[[account]]\nname = "legal"\naliases = ["org-1", "Legal Inc"]\n'


@pytest.fixture
def folder(tmp_path: Path, prices: Path) -> Path:
    shutil.copytree(prices, tmp_path / ".clearbar" / "prices")
    (tmp_path / "clearbar.toml").write_text("")
    (tmp_path / "usage.csv").write_text(
        "when,model,account,usd\n2026-09-01T08:00:00Z,gpt-4o,Legal Inc,4\n"
    )
    (tmp_path / "bill.csv").write_text(FOCUS.format(usd=7))
    return tmp_path


TABLE = """
[[table]]
name = "export"
files = "usage.csv"
columns = { started_at = "when", model = "model", account = "account", cost_usd = "usd" }
constants = { provider = "openai" }
"""


def opened(folder: Path, text: str, day: int = 15, month: int = 9) -> Workspace:
    (folder / "clearbar.toml").write_text(text)
    return Workspace(folder, clock=lambda: datetime(2026, month, day, 12, tzinfo=UTC))


def whole(workspace: Workspace, period: Period = ALL) -> Decimal:
    return workspace.spend(period, "account").total.cost_usd


def test_a_changed_declaration_counts_at_once_and_is_traced(folder: Path) -> None:
    with opened(folder, TABLE) as workspace:
        workspace.add([str(folder / "usage.csv"), str(folder / "bill.csv")])
        assert whole(workspace) == 11
    with opened(folder, TABLE + DECLARE) as workspace:
        assert whole(workspace) == 7
        [charge] = [each["charge_id"] for each in workspace.dearest(ALL)]
        assert workspace.trace(charge).origin.account == "Legal Inc"
    with opened(folder, TABLE) as workspace:
        assert whole(workspace) == 11


def test_a_closed_month_stays_and_the_declaration_corrects_it(folder: Path) -> None:
    september = Period(date(2026, 9, 1), date(2026, 10, 1))
    with opened(folder, TABLE, 5, 10) as workspace:
        workspace.add([str(folder / "usage.csv"), str(folder / "bill.csv")])
        workspace.close_month(september)
    with opened(folder, TABLE + DECLARE, 6, 10) as workspace:
        assert whole(workspace, september) == 11
        corrections = workspace.spend(ALL, "account").corrections
        assert sum(each.usage.cost_usd for each in corrections) == -4
        assert whole(workspace) == 7
        assert {each.month for each in corrections} == {"2026-09"}
