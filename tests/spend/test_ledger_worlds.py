"""Random ledgers of bills, aggregates and calls: order, repetition and engine change nothing."""

from __future__ import annotations

import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.spend.ledger_cases import append
from tests.spend.polars_engine import PolarsEngine
from tests.spend.record_makers import record
from tests.spend.test_closing_laws import DAY_US, FIRST, MONTHS, Books, non_zero
from tests.spend.test_reading_bills import bill, call

from clearbar.core.period import ALL
from clearbar.spend.charge import Origin
from clearbar.spend.reading import LedgerReading
from clearbar.spend.reconciling.accounts import DeclaredAccount
from clearbar.spend.reconciling.closing import verify_closings
from clearbar.spend.report import total_of
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from random import Random

    from clearbar.spend.charge import Record
    from clearbar.spend.prices.book import PriceBook

pytestmark = pytest.mark.slow

ACCOUNTS = (
    (),
    (DeclaredAccount(name="one", aliases=("org-1", "One Inc"), bills="projects"),),
    (DeclaredAccount(name="all", aliases=("org-1", "org-2", "One Inc"), provider="acme"),),
)
FILES = ("a.json", "b.json")


@st.composite
def entries(draw: st.DrawFn, number: int) -> tuple[str, Record]:
    """Return a file and a record that it holds."""
    first = (FIRST - date(1970, 1, 1)).days + draw(st.integers(0, 6))
    start, usd = first * DAY_US, f"{draw(st.integers(1, 900))}e-2"
    account = draw(st.sampled_from(["", "org-1", "org-2", "One Inc"]))
    names = {"account": account, "project": draw(st.sampled_from(["", "p", "q"]))}
    team, model = draw(st.sampled_from(["a", "b", ""])), draw(st.sampled_from(["", "m-1"]))
    uri = draw(st.sampled_from(FILES))
    grain = draw(st.sampled_from(["call", "call", "bucket", "bill", "bill"]))
    if grain == "call":
        source = draw(st.sampled_from(["otlp", "openai_answers", "litellm"]))
        origin = Origin(source, "acme", model, team=team, **names)
        return uri, call(f"upstream:gen-{number}", usd, origin, started_at_us=start + number)
    if grain == "bucket":
        origin = Origin("acme_usage", "acme", model, **names)
        spent = {"calls": 3, "input_tokens": 300, "reported_cost_usd": Decimal(usd)}
        times = {"started_at_us": start, "ended_at_us": start + DAY_US}
        return uri, record(
            f"bucket:{number}", origin, grain="bucket", evidence="provider", **times, **spent
        )
    source = draw(st.sampled_from(["openai_costs", "focus", "acme_costs"]))
    days = draw(st.sampled_from([1, 1, 7, 31]))
    values: dict[str, Any] = {"ended_at_us": start + days * DAY_US, "started_at_us": start}
    values["charge_category"] = draw(st.sampled_from(["usage", "usage", "tax", "purchase"]))
    if draw(st.integers(0, 7)) == 0:
        values |= {"reported_cost": Decimal(usd), "reported_currency": "XTS"}
    origin = Origin(source, "acme", model, **names)
    known = None if "reported_cost" in values else usd
    return uri, bill(f"bill:{number}", known, origin, **values)


@st.composite
def worlds(draw: st.DrawFn) -> list[tuple[str, Record]]:
    return [draw(entries(number)) for number in range(draw(st.integers(1, 9)))]


def sums(ledger: Ledger, accounts: tuple[DeclaredAccount, ...]) -> dict[Any, Any]:
    reading = LedgerReading(ledger, None, accounts)
    found = reading.by_origin_and_day(ALL)
    whole = total_of(found.values())
    assert total_of(reading.by_origin(ALL).values()) == whole
    assert total_of(reading.by_day(ALL).values()) == whole
    teams = {key: origin.team for key, origin in reading.origins.items()}
    assert total_of(reading.by_workflow_and_day(ALL, teams).values()) == whole
    return found


@settings(max_examples=8, deadline=None)
@given(worlds(), st.sampled_from(ACCOUNTS), st.randoms())
def test_order_repetition_and_engine_change_nothing(
    book: PriceBook,
    world: list[tuple[str, Record]],
    accounts: tuple[DeclaredAccount, ...],
    order: Random,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, other = Ledger(Path(folder) / "one"), Ledger(Path(folder) / "other")
        for uri in FILES:
            append(one, book, [each for file, each in world if file == uri], uri=uri)
        mixed = [*world, *order.sample(world, len(world) // 2)]
        order.shuffle(mixed)
        for at, (uri, each) in enumerate(mixed, 1):
            append(other, book, [each], at=at, uri=uri)
        found = sums(one, accounts)
        assert sums(other, accounts) == found
        polars = Ledger(Path(folder) / "one", PolarsEngine())
        assert sums(polars, accounts) == found
        for ledger in (one, other, polars):
            ledger.close()


@st.composite
def steps(draw: st.DrawFn) -> list[Any]:
    """Return what happens one after the other: records, closings, other rules and accounts."""
    found: list[Any] = []
    for number in range(draw(st.integers(2, 8))):
        step = draw(st.sampled_from(["add", "add", "add", "close", "swap", "declare"]))
        if step == "add":
            found.append(draw(entries(number)))
        else:
            found.append(draw(st.sampled_from(ACCOUNTS)) if step == "declare" else step)
    return found


@settings(max_examples=8, deadline=None)
@given(steps())
def test_closed_months_stay_whatever_is_declared_and_all_time_is_true(
    book: PriceBook, steps: list[Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        books = Books(Path(folder), book)
        reported: dict[Any, Any] = {}
        to_close = list(MONTHS)
        for step in steps:
            if step == "swap":
                books.swapped = not books.swapped
            elif step == "close":
                if to_close:
                    month = to_close.pop(0)
                    before = books.by_workflow(books.reading(), month)
                    books.close(month)
                    reported[month] = before
            elif step in ACCOUNTS:
                books.accounts = step
            else:
                books.add([step[1]], uri=step[0])
            now = books.reading()
            live, _ = books.live()
            for month, before in reported.items():
                assert non_zero(books.by_workflow(now, month)) == non_zero(before)
            assert non_zero(books.by_workflow(now, ALL)) == non_zero(books.by_workflow(live, ALL))
            assert total_of(now.by_origin(ALL).values()) == total_of(live.by_origin(ALL).values())
            assert by_account(now) == by_account(live)
        assert verify_closings(books.store) == []
        books.end()


def by_account(reading: LedgerReading) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for key, usage in reading.by_origin(ALL).items():
        account = reading.origins[key].account
        found[account] = found.get(account, Decimal(0)) + usage.cost_usd
    return {account: cost for account, cost in found.items() if cost}
