"""Calls many at a time are the charges that they are one by one: the same rows of the ledger."""

from __future__ import annotations

import tempfile
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.route.journal.journals import NOON_US, ended, held, journal

from clearbar.core.store import Store
from clearbar.route.journal.call_rows import (
    Calls,
    EndedCall,
    columns_of,
    ended_of,
    held_of,
    row_of,
)
from clearbar.route.journal.charge_record import (
    SOURCE,
    fault_of,
    identity_of,
    is_charge,
    lost_record,
    own_identity,
    record_of,
    usd_of,
)
from clearbar.route.journal.charge_rows import is_datable, rows_of, runs_of
from clearbar.route.journal.charges import PARSER_VERSION, charge_journal, uri_of
from clearbar.route.journal.entry import Ended, Entry, Held
from clearbar.route.journal.reader import Placed, entries
from clearbar.spend.charge import METERS, Record, digest_of
from clearbar.spend.columns import STORED, TAKEN
from clearbar.spend.engine import connect
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.storage.append import FileRead
from clearbar.spend.storage.batch import NANO_DOLLARS, kind_of
from clearbar.spend.storage.ledger import Ledger
from clearbar.spend.storage.record_files import parquet_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW: Final = datetime(2026, 9, 14, 13, tzinfo=UTC)
SEGMENT: Final = 32_768

IDS: Final = st.sampled_from(
    [
        "",
        "chatcmpl-123",
        "chatcmpl-aaaaaaaaaaaaaaaa",
        "msg_bbbbbbbbbbbbbbbbbbbbbbbb",
        "own-cccccccccccccccc-dddddd",
        "0123456789abcdef",
    ]
)
METER_NAMES: Final = st.sampled_from([*METERS, "reasoning_tokens", "tokens"])
COUNTS: Final = st.one_of(st.integers(0, 5000), st.sampled_from([-1, 10**13, 10**13 + 1]))
TEXTS: Final = st.sampled_from(["", "a", "Zoë|=\n", "x" * 9000])
TIMES: Final = st.one_of(st.integers(NOON_US, NOON_US + 10**12), st.sampled_from([-1, 2**61]))
BEGINNINGS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "at_us": TIMES,
    "operation": st.sampled_from(["chat", "chat", "models", "count_tokens"]),
    "model": st.sampled_from(["gpt-4o-mini", "house-model", ""]),
    "provider": st.sampled_from(["openai", "127.0.0.1", ""]),
    "user": TEXTS,
    "run": TEXTS,
    "labels": st.sampled_from(["", "|city=Oslo|"]),
    "arm": st.sampled_from(["tool", "passed", "shadow"]),
    "amount_nusd": st.sampled_from([0, 1, 10**6]),
    "declared": st.booleans(),
}
ENDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "at_us": TIMES,
    "outcome": st.sampled_from(["ok", "ok", "error", "cut", "unsent"]),
    "usage": st.dictionaries(METER_NAMES, COUNTS, max_size=3),
    "known": st.sampled_from(["reported", "estimated", "none"]),
    "cost_nusd": st.sampled_from([0, 1, 210_000, 10**9, 9 * 10**18, -1]),
    "priced": st.booleans(),
    "model": st.sampled_from(["", "gpt-4o-mini-2024-07-18"]),
    "upstream_id": IDS,
    "service_tier": st.sampled_from(["", "default", "flex"]),
    "speed": st.sampled_from(["", "fast"]),
    "geo": st.sampled_from(["", "eu"]),
    "latency_ms": st.integers(0, 10**6),
}


@st.composite
def some_of(draw: st.DrawFn, made: Entry, fields: dict[str, st.SearchStrategy[Any]]) -> Any:
    """Draw an entry that says something else in some fields: most calls are usual."""
    names = draw(st.lists(st.sampled_from(sorted(fields)), max_size=3, unique=True))
    return msgspec.structs.replace(made, **{name: draw(fields[name]) for name in names})


CALLS: Final = st.lists(
    st.tuples(some_of(held(), BEGINNINGS), some_of(ended(), ENDS)), min_size=1, max_size=12
)


def as_read(pairs: list[tuple[Held, Ended]]) -> Calls:
    encode = msgspec.json.encode
    return columns_of(
        [
            (row_of(begun), len(encode(begun)), row_of(end), 1000 * number, encode(end))
            for number, (begun, end) in enumerate(pairs)
        ]
    )


def alone(call: EndedCall) -> Record:
    begun, end, (*_, offset, payload) = held_of(call[0]), ended_of(call[2]), call
    place = {"offset": offset, "length": len(payload), "digest": digest_of(payload)}
    identity = identity_of(begun.call_id, begun.provider, end.upstream_id)
    return record_of(begun, end, identity=identity, **place)


def said(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in TAKEN} | {"kind": kind_of(record)}


def is_plain(call: EndedCall) -> bool:
    begun, length, end, payload = held_of(call[0]), call[1], ended_of(call[2]), call[-1]
    dated = is_datable(begun.at_us, end.at_us)
    return dated and is_charge(begun, end) and not fault_of(end) and length + len(payload) <= 8000


@given(CALLS)
def test_rows_say_what_a_record_of_each_call_says(pairs: list[tuple[Held, Ended]]) -> None:
    for usual, calls in runs_of(as_read(pairs)):
        if not usual:
            continue
        rows = rows_of("w1/00000001.log", calls)
        default = said(alone(calls.calls[0])) | {
            name: default
            for name, default in zip(Record.__struct_fields__, defaults(), strict=True)
            if name in TAKEN
        }
        for place, call in enumerate(calls.calls):
            told = {name: values[place] for name, values in rows.columns.items()}
            if (nusd := told.pop(NANO_DOLLARS, None)) is not None:
                told["reported_cost_usd"] = usd_of(nusd)
            elif (cost := told.get("reported_cost_usd")) is not None:
                told["reported_cost_usd"] = Decimal(cost)
            told["identity"] = rows.identities[place]
            told["kind"] = rows.kinds[rows.kind_numbers[place]]
            assert default | told == said(alone(call))
            assert rows.call_ids[place] == held_of(call[0]).call_id


def test_a_call_that_is_free_shares_less_with_one_that_is_not() -> None:
    pairs = [
        (held(f"c{nusd}", amount_nusd=nusd), ended(f"c{nusd}", cost_nusd=nusd)) for nusd in (0, 9)
    ]
    calls = as_read(pairs)
    rows = rows_of("w1/00000001.log", calls)
    kinds = [rows.kinds[number] for number in rows.kind_numbers]
    assert kinds == [kind_of(alone(call)) for call in calls.calls]
    assert kinds[0] != kinds[1]


def defaults() -> list[Any]:
    return [field.default for field in msgspec.structs.fields(Record)]


@given(CALLS)
def test_calls_stay_in_their_order_and_only_plain_ones_are_usual(
    pairs: list[tuple[Held, Ended]],
) -> None:
    calls = as_read(pairs)
    runs = list(runs_of(calls))
    plain = [is_plain(call) for call in calls.calls]
    assert [call for _, run in runs for call in run.calls] == calls.calls
    assert [usual for usual, run in runs for _ in run.calls] == plain


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return PriceBook.open(tmp_path_factory.mktemp("prices"))


def charged_one_by_one(journals: Path, ledger: Ledger, book: PriceBook) -> None:
    """Charge whole journals of dead workers the plain way: a record of each call, each added."""
    with ledger.appender(book, int(NOW.timestamp() * 1e6)) as appender:
        for placed, record in records_of(journals):
            payload = placed.payload
            evidence = {"offset": placed.offset, "length": len(payload)}
            appender.begin(FileRead(uri_of(placed.segment), SOURCE, PARSER_VERSION))
            appender.add(msgspec.structs.replace(record, **evidence, digest=digest_of(payload)))
        appender.seal()


def records_of(journals: Path) -> Iterator[tuple[Placed, Record]]:
    """Yield each charge with the line that it is of."""
    taken: dict[str, object] = {}
    begun: dict[str, tuple[Placed, Held]] = {}
    for placed in entries(journals):
        entry = placed.entry
        if isinstance(entry, Held):
            begun[entry.call_id] = placed, entry
        elif isinstance(entry, Ended) and entry.call_id in begun:
            _, beginning = begun.pop(entry.call_id)
            if is_datable(beginning.at_us, entry.at_us) and is_charge(beginning, entry):
                identity = identity_of(entry.call_id, beginning.provider, entry.upstream_id)
                if taken.setdefault(identity, placed) is not placed:
                    identity = own_identity(entry.call_id)
                yield placed, record_of(beginning, sound(entry), identity=identity)
    for placed, beginning in begun.values():
        if is_datable(beginning.at_us) and is_charge(beginning, None):
            yield placed, lost_record(beginning, identity=own_identity(beginning.call_id))


def sound(end: Ended) -> Ended:
    if not fault_of(end):
        return end
    nothing: dict[str, Any] = {"usage": {}, "known": "none"}
    return msgspec.structs.replace(end, **nothing, priced=False, cost_nusd=0)


def rows_in(ledger: Ledger) -> list[str]:
    files = ledger.folder.record_files().values()
    if not files:
        return []
    with connect() as connection:
        sql = f"SELECT {', '.join(STORED)} FROM {parquet_sql(files)}"  # noqa: S608 - our own paths
        return sorted(map(repr, connection.execute(sql).fetchall()))


@st.composite
def journals_of_calls(draw: st.DrawFn) -> list[Entry | None]:
    """Draw lines of calls that overlap, with some that never end; None: a pass is made there."""
    lines: list[Entry | None] = []
    waiting: list[Ended] = []
    for number, (begun, end) in enumerate(draw(CALLS)):
        name = f"c{draw(st.integers(0, number))}"
        lines.append(msgspec.structs.replace(begun, call_id=name))
        waiting.append(msgspec.structs.replace(end, call_id=name))
        ending = draw(st.integers(0, len(waiting)))
        lines.extend(waiting.pop(draw(st.integers(0, len(waiting) - 1))) for _ in range(ending))
        if draw(st.integers(0, 4)) == 0:
            lines.append(None)
    return lines


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(lines=journals_of_calls(), batch=st.sampled_from([1, 3, 1000]))
def test_the_ledger_holds_the_same_rows_as_if_each_call_were_charged_alone(
    book: PriceBook, lines: list[Entry | None], batch: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        check_same_rows(Path(name), book, lines, batch)


def test_overlapping_calls_over_passes_and_segments_are_the_rows_that_each_makes_alone(
    tmp_path: Path, book: PriceBook
) -> None:
    lines: list[Entry | None] = []
    for number in range(40):
        lines.append(held(f"c{number}", user=f"u{number % 3}"))
        if number >= 5:
            same = "chatcmpl-aaaaaaaaaaaaaaaaaaaaaaaa" if number % 7 == 0 else None
            changes = {} if same is None else {"upstream_id": same}
            unsent = {"outcome": "unsent"} if number % 11 == 0 else {}
            lines.append(ended(f"c{number - 5}", **changes, **unsent))
        if number % 13 == 0:
            lines.append(None)
    check_same_rows(tmp_path, book, lines, 1000)


def check_same_rows(folder: Path, book: PriceBook, lines: list[Entry | None], batch: int) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        closing(Ledger(folder / "many")) as many,
        closing(Ledger(folder / "alone")) as one_by_one,
        closing(Store(folder / "facts.db")) as store,
    ):
        patch.setattr("clearbar.route.journal.charges._BATCH", batch)
        charged = sum(written_and_charged(folder / "journal", many, book, store, lines))
        charged_one_by_one(folder / "journal", one_by_one, book)
        assert rows_in(many) == rows_in(one_by_one)
        assert charged == len(rows_in(many))


def written_and_charged(
    journals: Path, ledger: Ledger, book: PriceBook, store: Store, lines: list[Entry | None]
) -> Iterator[int]:
    with journal(journals, segment_bytes=SEGMENT) as opened:
        for line in lines:
            if line is None:
                yield charge_journal(journals, ledger, book, store, NOW)
            else:
                opened.append(line)
    yield charge_journal(journals, ledger, book, store, NOW)
