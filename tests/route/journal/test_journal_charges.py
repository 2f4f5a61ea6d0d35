"""Calls of the gateway as charges: each once, priced as the ledger prices, shown by its line."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.journal.journals import NOON_US, append, ended, held, journal, write

from clearbar import Workspace
from clearbar.core.period import ALL
from clearbar.core.store import Store
from clearbar.route.journal.charges import charge_journal
from clearbar.route.journal.seen_calls import MOST_A_PASS, seen_calls
from clearbar.spend.charge import charge_id, labels_of
from clearbar.spend.ingest import problems
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.reading import LedgerReading
from clearbar.spend.report import total_of
from clearbar.spend.storage.ledger import Ledger
from clearbar.spend.storage.verify import verify_ledger
from clearbar.spend.trace import trace_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.route.journal.entry import Entry
    from clearbar.spend.usage import Usage

NOW = datetime(2026, 9, 14, 13, tzinfo=UTC)
SMALL = 4096


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return PriceBook.open(tmp_path_factory.mktemp("prices"))


class Home:
    """What Clearbar keeps of one workspace."""

    def __init__(self, path: Path, book: PriceBook) -> None:
        self.path = path
        self.journals = path / "route" / "journal"
        self.ledger = Ledger(path / "ledger")
        self.store = Store(path / "facts.db")
        self.book = book

    def close(self) -> None:
        self.ledger.close()
        self.store.close()

    def charge(self) -> int:
        return charge_journal(self.journals, self.ledger, self.book, self.store, NOW)

    def calls(self, *entries: Entry, worker: str = "w1", **settings: Any) -> int:
        """Write the journal of a worker, charge it, return how many charges are new."""
        write(self.journals, *entries, worker=worker, **settings)
        return self.charge()

    def usage(self) -> Usage:
        return total_of(LedgerReading(self.ledger).by_origin(ALL).values())

    def record(self, identity: str) -> dict[str, Any]:
        return self.ledger.records_of(charge_id(identity))[0]


@pytest.fixture
def home(tmp_path: Path, book: PriceBook) -> Iterator[Home]:
    with closing(Home(tmp_path / ".clearbar", book)) as opened:
        yield opened


def test_a_call_is_a_charge_with_all_that_was_known(home: Home) -> None:
    assert home.calls(held(), ended(service_tier="default")) == 1
    record = home.record("upstream:chatcmpl-0123456789abcdef-c1")
    origin = home.ledger.origins()[record["origin_id"]]
    assert (origin.source, origin.provider, origin.model) == ("gateway", "openai", "gpt-4o-mini")
    assert (origin.credential, origin.team, origin.principal) == ("k1", "support", "ada")
    assert (origin.environment, origin.workflow) == ("prod", "letters")
    assert labels_of(origin.labels) == {
        "arm": "tool",
        "feature": "answers",
        "kind": "route",
        "tool": "small",
    }
    assert (record["task_id"], record["session_id"]) == ("task-1", "run-1")
    assert record["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert (record["status"], record["usage"], record["latency_ms"]) == ("ok", "final", 500)
    assert (record["input_tokens"], record["output_tokens"]) == (1000, 100)
    assert record["started_at"] == datetime(2026, 9, 14, 12)  # noqa: DTZ001 - as the engine has it
    assert (record["basis"], record["cost_usd"]) == ("priced", Decimal("0.00021"))
    assert verify_ledger(home.ledger) == []


def test_charging_again_adds_nothing(home: Home) -> None:
    assert home.calls(held(), ended()) == 1
    assert home.charge() == 0
    assert len(home.ledger.folder.record_files()) == 1


def test_what_came_since_is_charged_and_nothing_twice(home: Home) -> None:
    charged = []
    with journal(home.journals, segment_bytes=SMALL) as opened:
        for number in range(30):
            append(opened, [held(f"a{number}"), held(f"b{number}"), ended(f"a{number}")])
            if number % 10 == 9:
                charged.append(home.charge())
            append(opened, [ended(f"b{number}")])
    charged.append(home.charge())
    assert charged == [19, 20, 20, 1]
    assert home.usage().calls == 60


def test_a_call_whose_beginning_was_read_before_is_charged_when_it_ends(home: Home) -> None:
    with journal(home.journals, segment_bytes=SMALL) as opened:
        opened.append(held("long"))
        append(opened, (held(f"c{n}") for n in range(30)))
        assert home.charge() == 0
        opened.append(ended("long"))
        assert home.charge() == 1
    assert home.record("upstream:chatcmpl-0123456789abcdef-long")["task_id"] == "task-1"


def test_a_beginning_that_is_written_again_after_a_pass_is_one_call(home: Home) -> None:
    with journal(home.journals) as opened:
        opened.append(held("c1"))
        assert home.charge() == 0
        append(opened, [held("c1"), ended("c1")])
    assert home.charge() == 1
    assert home.usage().calls == 1


def test_a_call_in_flight_is_no_charge_and_one_that_is_lost_is_an_estimate_once(home: Home) -> None:
    with journal(home.journals) as opened:
        opened.append(held("c1", amount_nusd=1_234_567))
        assert home.charge() == 0
    assert home.charge() == 1
    assert home.charge() == 0
    record = home.record("gateway:clearbar:c1")
    assert (record["basis"], record["cost_usd"]) == ("estimated", Decimal("0.001234567"))
    assert (record["status"], record["usage"]) == ("cancelled", "missing")


def test_a_lost_call_without_a_hold_is_estimated_by_its_tokens(home: Home) -> None:
    home.calls(held("c1", amount_nusd=0, accounts=(), input_tokens=1000, output_tokens=100))
    record = home.record("gateway:clearbar:c1")
    assert (record["basis"], record["cost_usd"]) == ("estimated", Decimal("0.00021"))


def test_a_call_that_never_left_is_no_charge(home: Home) -> None:
    unsent = ended(outcome="unsent", usage={}, known="none", cost_nusd=0, upstream_id="")
    assert home.calls(held(), unsent) == 0


@pytest.mark.parametrize("operation", ["models", "count_tokens"])
def test_a_question_that_uses_no_tool_is_no_charge(home: Home, operation: str) -> None:
    free = ended(usage={}, known="none", cost_nusd=0, upstream_id="")
    lost = held("c2", operation=operation, amount_nusd=0)
    assert home.calls(held(operation=operation), free, lost) == 0


def test_a_failed_attempt_without_usage_is_a_charge_of_nothing(home: Home) -> None:
    failed = ended(outcome="error", status=503, usage={}, known="none", cost_nusd=0, upstream_id="")
    assert home.calls(held(attempt=1), failed, held("c2", attempt=2), ended("c2")) == 2
    record = home.record("gateway:clearbar:c1")
    assert (record["status"], record["basis"], int(record["cost_usd"])) == ("error", "priced", 0)
    assert home.usage().calls == 2


def test_a_stream_that_was_cut_is_an_estimate(home: Home) -> None:
    home.calls(held(), ended(outcome="cut", known="estimated", upstream_id=""))
    record = home.record("gateway:clearbar:c1")
    assert (record["status"], record["usage"]) == ("cancelled", "partial")
    assert (record["basis"], record["cost_usd"]) == ("estimated", Decimal("0.00021"))


def test_what_has_no_price_is_unpriced_whatever_a_budget_paid(home: Home) -> None:
    home.calls(
        held(model="house-model", provider="127.0.0.1"),
        ended(model="house-model", cost_nusd=50_000_000, priced=False),
    )
    usage = home.usage()
    assert (usage.calls_unpriced, usage.cost_usd) == (1, Decimal(0))


def test_a_tool_with_its_own_price_is_charged_by_it(home: Home) -> None:
    home.calls(
        held(model="house-model", provider="127.0.0.1"), ended(model="house-model", cost_nusd=7)
    )
    record = home.record("upstream:chatcmpl-0123456789abcdef-c1")
    assert (record["basis"], record["cost_usd"]) == ("estimated", Decimal("0.000000007"))


def test_an_answer_without_a_model_is_a_charge_of_nothing(home: Home) -> None:
    nothing = {"input_tokens": 0, "output_tokens": 0}
    answer = ended(model="", upstream_id="", usage=nothing, cost_nusd=0)
    home.calls(held(tool="rules", provider="", model="", amount_nusd=0), answer)
    record = home.record("gateway:clearbar:c1")
    assert (record["basis"], record["cost_usd"], record["calls"]) == ("priced", 0, 1)


def test_usage_that_does_not_add_up_leaves_the_call_unpriced_and_says_why(home: Home) -> None:
    faults = [{"tokens": 1}, {"input_tokens": -1}, {"input_tokens": 10**15}]
    faults.append({"output_tokens": 1, "reasoning_tokens": 2})
    home.calls(
        *(
            entry
            for n, usage in enumerate(faults)
            for entry in (held(f"c{n}"), ended(f"c{n}", usage=usage))
        ),
    )
    usage = home.usage()
    assert (usage.calls, usage.calls_unpriced) == (4, 4)
    assert [each["what"] for each in problems(home.store)] == [
        "its usage names a meter that does not exist",
        "input_tokens is negative",
        "input_tokens is impossibly large",
        "reasoning_tokens exceed output_tokens",
    ]


def test_an_id_that_comes_again_stands_for_the_first_call_alone(home: Home) -> None:
    same = "chatcmpl-aaaaaaaaaaaaaaaaaaaaaaaa"
    first: list[Entry] = [held("a"), ended("a", upstream_id=same)]
    assert home.calls(*first, held("b"), ended("b", upstream_id=same)) == 2
    assert home.calls(held("c"), ended("c", upstream_id=same), worker="w2") == 1
    assert home.usage().calls == 3
    assert home.record(f"upstream:{same}")["cost_usd"] == Decimal("0.00021")


def test_an_id_that_is_too_short_to_be_unique_is_not_taken(home: Home) -> None:
    home.calls(held(), ended(upstream_id="chatcmpl-123"))
    assert home.record("gateway:clearbar:c1")["calls"] == 1


def test_a_pass_that_dies_before_it_notes_its_place_repeats_without_harm(home: Home) -> None:
    same = "chatcmpl-aaaaaaaaaaaaaaaaaaaaaaaa"
    ends = [ended(name, upstream_id=same) for name in ("a", "b")]
    home.calls(held("a"), ends[0], held("b"), ends[1], held("lost"))
    before = home.usage()
    with home.store.transaction() as connection:
        connection.execute("DELETE FROM journal_read")
        connection.execute("DELETE FROM journal_open_call")
    assert home.charge() == 0
    assert home.usage() == before
    assert before.calls == 3


def test_charges_that_the_ledger_lost_are_made_again(home: Home) -> None:
    home.calls(held("a"), ended("a"))
    home.calls(held("b"), ended("b"), worker="w2")
    before = home.usage()
    first = min(home.ledger.folder.record_files().values())
    first.unlink()
    assert home.charge() == 1
    assert home.usage() == before


def test_a_damaged_line_is_a_problem_beside_good_charges(home: Home) -> None:
    write(home.journals, held("a"), ended("a"), held("b"), ended("b"))
    path = home.journals / "w1" / "00000001.log"
    path.write_bytes(path.read_bytes().replace(b'["H","b"', b'["H","x"'))
    assert home.charge() == 1
    assert home.charge() == 0
    told = [each["what"] for each in problems(home.store)]
    assert len(told) == 2
    assert "are no line of a journal" in told[1]
    assert told[0] == "a call ended whose beginning is not there"


def test_a_time_that_no_calendar_has_is_a_problem(home: Home) -> None:
    assert home.calls(held("a", at_us=-1), ended("a"), held("b", at_us=2**62)) == 0
    assert len(problems(home.store)) == 2


def test_the_bytes_of_a_charge_can_be_looked_at(home: Home) -> None:
    home.calls(held("a"), ended("a"), held("lost"))
    for identity in ("upstream:chatcmpl-0123456789abcdef-a", "gateway:clearbar:lost"):
        records = home.ledger.records_of(charge_id(identity))
        origin = home.ledger.origins()[records[0]["origin_id"]]
        [witness] = trace_of(records, origin, {}, home.path).witnesses
        assert (witness.uri, witness.bytes) == ("route/journal/w1/00000001.log", "unchanged")
        with (home.path / witness.uri).open("r+b") as file:
            file.seek((witness.byte_offset or 0) + 3)
            file.write(b"#")
        assert trace_of(records, origin, {}, home.path).witnesses[0].bytes == "changed"
    (home.path / witness.uri).unlink()
    assert trace_of(records, origin, {}, home.path).witnesses[0].bytes == "missing"


def test_a_workspace_shows_the_line_of_a_charge(tmp_path: Path, home: Home) -> None:
    home.calls(held(), ended())
    (tmp_path / "clearbar.toml").write_text("")
    with Workspace.find(tmp_path) as workspace:
        found = workspace.trace(charge_id("upstream:chatcmpl-0123456789abcdef-c1"))
    assert [witness.bytes for witness in found.witnesses] == ["unchanged"]


def test_a_trace_of_the_same_call_is_the_same_charge(home: Home) -> None:
    home.calls(held(), ended(upstream_id="chatcmpl-0123456789abcdef"))
    record = home.record("upstream:chatcmpl-0123456789abcdef")
    assert record["evidence"] == 3


def test_many_calls_are_charged_in_batches(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearbar.route.journal.charges._BATCH", 7)
    for worker in ("w1", "w2"):
        write(
            home.journals,
            *(e for n in range(20) for e in (held(f"{worker}{n}"), ended(f"{worker}{n}"))),
            worker=worker,
        )
    assert home.charge() == 40
    assert home.usage().calls == 40
    assert home.charge() == 0


def test_without_journals_there_is_nothing_to_charge(home: Home) -> None:
    assert home.charge() == 0
    assert not home.journals.exists()


def test_the_day_of_a_charge_is_when_its_call_began(home: Home) -> None:
    midnight = NOON_US + 43_200_000_000
    home.calls(held(at_us=midnight - 1), ended(at_us=midnight + 5))
    assert str(home.record("upstream:chatcmpl-0123456789abcdef-c1")["day"]) == "2026-09-14"


def test_a_pass_draws_calls_and_notes_keys_once_however_often_it_is_made(home: Home) -> None:
    calls = [line for number in range(20) for line in (held(f"c{number}"), ended(f"c{number}"))]
    home.calls(*calls)
    home.charge()
    assert len(list(seen_calls(home.store, "letters", "small", 0))) == MOST_A_PASS
    assert home.store.rows("SELECT * FROM gateway_key_used") == [("k1", NOON_US)]


def test_where_all_is_read_again_calls_are_drawn_anew(home: Home) -> None:
    home.calls(held(), ended())
    for path in home.ledger.folder.record_files().values():
        path.unlink()
    home.charge()
    assert len(list(seen_calls(home.store, "letters", "small", 0))) == 1
