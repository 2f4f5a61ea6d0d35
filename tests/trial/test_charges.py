"""Calls of trials as charges: each once, priced as the ledger prices, traceable to its evidence."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.period import ALL
from clearbar.core.store import Store
from clearbar.spend.charge import labels_of
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.reading import LedgerReading
from clearbar.spend.report import total_of
from clearbar.spend.storage.ledger import Ledger
from clearbar.spend.storage.verify import verify_ledger
from clearbar.spend.trace import trace_json, trace_of
from clearbar.tools.tool import TokenUsage
from clearbar.trial.attempts import Attempt, AttemptEnd
from clearbar.trial.running.charges import charge_calls, uri_of
from clearbar.trial.running.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.spend.usage import Usage

NOON = datetime(2026, 9, 14, 12, tzinfo=UTC)
USAGE = TokenUsage(input_tokens=1000, cache_read_tokens=0, output_tokens=100)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return PriceBook.open(tmp_path_factory.mktemp("prices"))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "ledger")) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "facts.db")) as opened:
        yield opened


def attempt(name: str = "a1", **values: Any) -> Attempt:
    made = Attempt(
        attempt_id=name,
        asked=f"asked {name}",
        kind="case",
        workflow="letters",
        trial="0123456789abcdef",
        tool="small",
        provider="openai",
        model="gpt-4o-mini",
        tool_digest="t",
        prompt_digest="p",
        case_digest=f"case {name}",
        ceiling_usd=Decimal("0.01"),
        started_at=NOON,
    )
    return replace(made, **values)


def answered(name: str = "a1", **values: Any) -> AttemptEnd:
    made = AttemptEnd(
        name,
        "answered",
        NOON,
        answer_digest="d",
        usage=USAGE,
        cost_usd=Decimal("0.00021"),
        cost_source="book",
        model="gpt-4o-mini",
    )
    return replace(made, **values)


def record(store: Store, *calls: tuple[Attempt, AttemptEnd]) -> None:
    async def write() -> None:
        evidence = Evidence(store)
        await evidence.begin([begun for begun, _ in calls])
        for _, end in calls:
            await evidence.end(end)

    asyncio.run(write())


def total(ledger: Ledger) -> Usage:
    return total_of(LedgerReading(ledger).by_origin(ALL).values())


def test_an_answer_becomes_a_charge_that_the_ledger_prices_as_the_trial_did(
    store: Store, ledger: Ledger, book: PriceBook
) -> None:
    record(store, (attempt(), answered()))
    assert charge_calls(store, ledger, book, NOON) == 1
    usage = total(ledger)
    assert (usage.calls, usage.calls_priced, usage.cost_usd) == (1, 1, Decimal("0.00021"))


def test_a_charge_names_its_workflow_and_says_that_it_is_of_a_trial(
    store: Store, ledger: Ledger, book: PriceBook
) -> None:
    record(
        store,
        (attempt(), answered()),
        (attempt("a2", kind="judge", tool="opus"), answered("a2")),
    )
    charge_calls(store, ledger, book, NOON)
    origins = list(ledger.origins().values())
    assert {(each.source, each.workflow, each.provider) for each in origins} == {
        ("trial", "letters", "openai")
    }
    labels = [labels_of(each.labels) for each in origins]
    assert {(each["kind"], each["tool"]) for each in labels} == {
        ("trial", "small"),
        ("trial-judge", "opus"),
    }


def test_charging_twice_charges_once(store: Store, ledger: Ledger, book: PriceBook) -> None:
    record(store, (attempt(), answered()), (attempt("a2"), answered("a2")))
    assert charge_calls(store, ledger, book, NOON) == 2
    assert charge_calls(store, ledger, book, NOON) == 0
    assert total(ledger).calls == 2


def test_a_process_that_charges_what_another_has_just_charged_doubles_nothing(
    store: Store, ledger: Ledger, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(store, (attempt(), answered()), (attempt("a2"), answered("a2")))
    charge_calls(store, ledger, book, NOON)
    monkeypatch.setattr("clearbar.trial.running.charges._charged", lambda _: set())
    later = NOON.replace(hour=13)
    assert charge_calls(store, ledger, book, later) == 2
    assert total(ledger).calls == 2


def test_calls_whose_ledger_file_is_lost_are_charged_anew(
    store: Store, ledger: Ledger, book: PriceBook
) -> None:
    record(store, (attempt(), answered()))
    charge_calls(store, ledger, book, NOON)
    for path in ledger.folder.record_files().values():
        path.unlink()
    ledger.forget_lost_files()
    assert charge_calls(store, ledger, book, NOON) == 1
    assert total(ledger).calls == 1


def test_nothing_is_appended_where_nothing_was_asked(
    store: Store, ledger: Ledger, book: PriceBook
) -> None:
    assert charge_calls(store, ledger, book, NOON) == 0
    assert ledger.folder.record_files() == {}


def test_a_call_in_flight_is_no_charge_yet(store: Store, ledger: Ledger, book: PriceBook) -> None:
    record(store, (attempt(), answered()))
    asyncio.run(Evidence(store).begin([attempt("open")]))
    assert charge_calls(store, ledger, book, NOON) == 1


@pytest.mark.parametrize(
    "end",
    [
        AttemptEnd("a1", "lost", NOON, "its process ended"),
        AttemptEnd("a1", "failed", NOON, "no answer within 5 s"),
        AttemptEnd("a1", "answered", NOON, answer_digest="d"),
    ],
    ids=lambda end: end.ended,
)
def test_a_call_of_unknown_usage_is_unpriced_and_never_free(
    store: Store, ledger: Ledger, book: PriceBook, end: AttemptEnd
) -> None:
    record(store, (attempt(), end))
    charge_calls(store, ledger, book, NOON)
    assert (total(ledger).calls_unpriced, total(ledger).cost_usd) == (1, Decimal(0))


def test_a_refused_call_is_no_charge(store: Store, ledger: Ledger, book: PriceBook) -> None:
    end = AttemptEnd(
        "a1", "failed", NOON, "busy", http_status=429, cost_usd=Decimal(0), cost_source="book"
    )
    record(store, (attempt(), end))
    assert charge_calls(store, ledger, book, NOON) == 0


def test_a_failure_that_tells_usage_is_charged_for_it(
    store: Store, ledger: Ledger, book: PriceBook
) -> None:
    cost = Decimal("0.00021")
    end = AttemptEnd("a1", "failed", NOON, "cut", usage=USAGE, cost_usd=cost, cost_source="book")
    record(store, (attempt(), end))
    charge_calls(store, ledger, book, NOON)
    assert total(ledger).cost_usd == cost


@pytest.mark.parametrize("model", ["our-own", "gpt-5-mini"])
def test_a_price_that_the_tool_declares_stands_before_the_book(
    store: Store, ledger: Ledger, book: PriceBook, model: str
) -> None:
    own = attempt(provider="openai", model=model)
    end = answered(model=model, cost_usd=Decimal("0.0123"), cost_source="declared")
    record(store, (own, end))
    charge_calls(store, ledger, book, NOON)
    usage = total(ledger)
    assert (usage.calls_estimated, usage.calls_unpriced) == (0, 0)
    assert usage.cost_usd == Decimal("0.0123")


def test_the_same_call_in_a_log_of_the_gateway_is_the_same_charge(
    store: Store, ledger: Ledger, book: PriceBook
) -> None:
    from tests.spend.ledger_cases import append
    from tests.spend.record_makers import record as logged

    record(store, (attempt(), answered(upstream_id="chatcmpl-77")))
    charge_calls(store, ledger, book, NOON)
    append(ledger, book, [logged("upstream:chatcmpl-77")])
    assert total(ledger).calls == 1


def test_two_calls_that_come_back_under_one_id_are_two_charges(
    store: Store, ledger: Ledger, book: PriceBook
) -> None:
    same = {"upstream_id": "chatcmpl-1"}
    record(store, (attempt(), answered(**same)), (attempt("a2"), answered("a2", **same)))
    charge_calls(store, ledger, book, NOON)
    assert total(ledger).calls == 2


def test_a_charge_is_traced_to_its_evidence_and_the_ledger_stays_sound(
    store: Store, ledger: Ledger, book: PriceBook
) -> None:
    record(store, (attempt(), answered(upstream_id="chatcmpl-5")))
    charge_calls(store, ledger, book, NOON)
    [charge] = LedgerReading(ledger).dearest(ALL, 1)
    records = ledger.records_of(charge[0])
    origin = ledger.origins()[records[0]["origin_id"]]
    told = trace_json(trace_of(records, origin, book.explain(records[0]["price_id"])))
    assert told["cost_usd"] == "0.00021"
    [witness] = told["witnesses"]
    assert (witness["uri"], witness["bytes"]) == (uri_of("a1"), "not kept")
    assert verify_ledger(ledger) == []


def test_a_charge_begins_when_the_call_did(store: Store, ledger: Ledger, book: PriceBook) -> None:
    began = NOON.replace(microsecond=123_456)
    record(store, (attempt(started_at=began), answered()))
    charge_calls(store, ledger, book, NOON)
    [row] = ledger.records_of(LedgerReading(ledger).dearest(ALL, 1)[0][0])
    assert row["started_at"] == began.replace(tzinfo=None)
