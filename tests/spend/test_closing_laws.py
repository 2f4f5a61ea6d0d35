"""Whatever arrives after a month was closed: its reports stay, and all of time is true."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.spend.ledger_cases import append
from tests.spend.test_reading_bills import bill, call

from clearbar.core.period import ALL, Period
from clearbar.core.store import Store
from clearbar.own.closed_spend import Looking, close_month
from clearbar.own.workflow import UNATTRIBUTED
from clearbar.spend.charge import Origin
from clearbar.spend.reading import LedgerReading
from clearbar.spend.reconciling.closing import closed_months, verify_closings
from clearbar.spend.report import total_of
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from clearbar.spend.charge import Record
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.reconciling.accounts import DeclaredAccount
    from clearbar.spend.usage import Usage

DAY_US = 86_400_000_000
MONTHS = [Period(date(2026, 8, 1), date(2026, 9, 1)), Period(date(2026, 9, 1), date(2026, 10, 1))]
FIRST = date(2026, 8, 30)
TODAY = datetime(2026, 10, 5, tzinfo=UTC)


class Books:
    """A ledger with closed months. `swapped` says whether the rules give teams to each other."""

    accounts: tuple[DeclaredAccount, ...] = ()

    def __init__(self, folder: Path, book: PriceBook) -> None:
        self.ledger, self.store, self.book = Ledger(folder / "ledger"), Store(folder / "f.db"), book
        self.swapped = False
        self.now = TODAY

    def live(self) -> tuple[LedgerReading, dict[int, str]]:
        reading = LedgerReading(self.ledger, None, self.accounts)
        return reading, self.workflow_of(reading)

    @property
    def declared(self) -> bytes:
        return f"{self.swapped} {self.accounts}".encode()

    def workflow_of(self, reading: LedgerReading) -> dict[int, str]:
        names = {"a": "b", "b": "a"} if self.swapped else {"a": "a", "b": "b"}
        by_rule = {k: names.get(o.team, UNATTRIBUTED) for k, o in reading.origins.items()}
        fixed = {key: name or UNATTRIBUTED for key, (name, _) in reading.fixed.items()}
        return by_rule | fixed

    def add(self, records: list[Record], uri: str = "log") -> None:
        self.now += timedelta(days=1)
        append(self.ledger, self.book, records, at=self.now.toordinal(), uri=uri)

    def close(self, month: Period) -> None:
        self.reading()
        reading, workflow_of = self.live()
        close_month(self.ledger, self.store, reading, workflow_of, month, self.now)

    def reading(self) -> LedgerReading:
        looking = Looking(self.ledger, self.store, self.live, self.declared)
        closed = closed_months(self.store)
        if closed.months:
            closed = looking.corrected(closed, self.now, recording=True)
        return LedgerReading(self.ledger, closed, self.accounts)

    def by_workflow(self, reading: LedgerReading, period: Period) -> dict[Any, Usage]:
        found = reading.by_workflow_and_day(period, self.workflow_of(reading))
        names = {name for name, _ in found}
        return {name: total_of(u for (n, _), u in found.items() if n == name) for name in names}

    def end(self) -> None:
        self.ledger.close()
        self.store.close()


@st.composite
def batches(draw: st.DrawFn) -> list[Any]:
    """Return what happens one after the other: records, closings, other rules."""
    steps: list[Any] = []
    for number in range(draw(st.integers(2, 6))):
        step = draw(st.sampled_from(["add", "add", "add", "close", "swap"]))
        steps.append([draw(records(number))] if step == "add" else step)
    return steps


@st.composite
def records(draw: st.DrawFn, number: int) -> Record:
    team = draw(st.sampled_from(["a", "b", ""]))
    day = FIRST + timedelta(days=draw(st.integers(0, 4)))
    start = (day - date(1970, 1, 1)).days * DAY_US
    usd = f"{draw(st.integers(1, 900))}e-2"
    if draw(st.booleans()):
        origin = Origin(source="otlp", provider="acme", model="m", team=team)
        return call(f"upstream:gen-{number}", usd, origin, started_at_us=start)
    origin = Origin(source="acme_costs", provider="acme")
    return bill(f"bill:{number}", usd, origin, started_at_us=start, ended_at_us=start + DAY_US)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(batches())
def test_closed_months_stay_and_all_time_is_true(book: PriceBook, steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        books = Books(Path(folder), book)
        reported: dict[Period, Any] = {}
        to_close = list(MONTHS)
        for step in steps:
            if step == "swap":
                books.swapped = not books.swapped
            elif step != "close":
                books.add(step)
            elif to_close:
                month = to_close.pop(0)
                before = books.by_workflow(books.reading(), month)
                books.close(month)
                reported[month] = before
            now = books.reading()
            live, _ = books.live()
            for month, before in reported.items():
                assert non_zero(books.by_workflow(now, month)) == non_zero(before)
            assert non_zero(books.by_workflow(now, ALL)) == non_zero(books.by_workflow(live, ALL))
            assert total_of(now.by_origin(ALL).values()) == total_of(live.by_origin(ALL).values())
            assert total_of(now.by_day(ALL).values()) == total_of(live.by_day(ALL).values())
        assert verify_closings(books.store) == []
        books.end()


def non_zero(sums: dict[Any, Usage]) -> dict[Any, Usage]:
    return {name: usage for name, usage in sums.items() if usage.cost_usd or usage.calls}


def test_who_reads_an_older_ledger_records_nothing(tmp_path: Path, book: PriceBook) -> None:
    books = Books(tmp_path, book)
    books.add([call("upstream:gen-1", "1", Origin("otlp", "acme", team="a"))])
    books.close(Period(date(2026, 9, 1), date(2026, 10, 1)))
    books.add([call("upstream:gen-2", "2", Origin("otlp", "acme", team="a"))])
    older = books.live()
    books.add([call("upstream:gen-3", "4", Origin("otlp", "acme", team="a"))])
    looking = Looking(books.ledger, books.store, lambda: older, b"")
    seen = looking.corrected(closed_months(books.store), books.now, recording=True)
    assert [each.usage.cost_usd for each in seen.corrections] == [Decimal(2)]
    assert closed_months(books.store).corrections == ()
    books.reading()
    [found] = closed_months(books.store).corrections
    assert found.usage.cost_usd == 6
    books.end()
