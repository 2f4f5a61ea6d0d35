"""Several witnesses of one call are one charge, whatever each calls it and whoever comes first."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.spend.record_makers import NOON_US
from tests.spend.witnesses import slow_rules
from tests.spend.witnesses.telling import (
    ANSWER,
    ASKED,
    LOGGED,
    SPAN,
    append,
    charges,
    told,
)

from clearbar.core.errors import UnknownName
from clearbar.core.period import ALL
from clearbar.spend.charge import Origin, charge_id
from clearbar.spend.reading import LedgerReading
from clearbar.spend.storage.append import FileRead
from clearbar.spend.storage.ledger import Ledger
from clearbar.spend.storage.verify import verify_ledger
from clearbar.spend.trace import trace_of

if TYPE_CHECKING:
    from tests.spend.witnesses.slow_rules import Told

    from clearbar.spend.prices.book import PriceBook

HOUR_US = 3_600_000_000


def span(number: int) -> str:
    return f"span:7f3b2c9d1e4a5f60:91ab27cd{number:04d}"


def answer(number: int) -> str:
    return f"upstream:msg_01Hk7XbQ2pLw{number:04d}"


def test_an_alias_unites_what_two_sources_say(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told("litellm", ANSWER, SPAN), told("otlp", SPAN)])
    assert list(charges(ledger)) == [charge_id(ANSWER)]


def test_two_aliases_that_meet_unite_too(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told("litellm", ANSWER, SPAN), told("claude_code", LOGGED, SPAN)])
    assert list(charges(ledger)) == [charge_id(ANSWER)]


def test_an_alias_that_nobody_else_says_changes_nothing(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told("litellm", ASKED, SPAN)])
    assert list(charges(ledger)) == [charge_id(ASKED)]


def test_what_comes_late_unites_what_was_two_charges(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told("claude_code", LOGGED), told("otlp", SPAN)])
    assert len(charges(ledger)) == 2
    append(ledger, book, [told("litellm", ANSWER, SPAN, LOGGED, output_tokens=7)], at=2)
    assert charges(ledger) == {charge_id(ANSWER): 7}


def test_what_was_merged_before_is_no_charge_beside_what_it_became(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [told("otlp", SPAN, ANSWER), told("claude_code", SPAN)])
    assert list(charges(ledger)) == [charge_id(SPAN)]
    append(ledger, book, [told("litellm", ANSWER)], at=2)
    assert list(charges(ledger)) == [charge_id(ANSWER)]


def test_the_best_evidence_gives_the_quantities(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told("litellm", ANSWER, SPAN, output_tokens=7)])
    append(ledger, book, [told("otlp", SPAN, output_tokens=900)], at=2)
    assert charges(ledger) == {charge_id(ANSWER): 7}


def test_a_witness_without_usage_gives_way_to_one_that_has_it(
    ledger: Ledger, book: PriceBook
) -> None:
    nothing = {"input_tokens": None, "output_tokens": None, "usage": "missing"}
    append(ledger, book, [told("litellm", ANSWER, **nothing), told("otlp", ANSWER)])
    assert charges(ledger) == {charge_id(ANSWER): 10}


def test_what_each_witness_knows_of_whose_it_is_is_united(ledger: Ledger, book: PriceBook) -> None:
    team = Origin("litellm", provider="anthropic", model="claude-sonnet-4-5", team="legal")
    work = Origin("otlp", provider="anthropic", model="claude-sonnet-4-5", workflow="letters")
    append(ledger, book, [told("litellm", ANSWER, SPAN, origin=team)])
    append(ledger, book, [told("otlp", SPAN, origin=work)], at=2)
    reading = LedgerReading(ledger)
    [key] = reading.by_origin(ALL)
    assert (reading.origins[key].team, reading.origins[key].workflow) == ("legal", "letters")


def test_attempts_of_one_source_stay_apart_whatever_they_share(
    ledger: Ledger, book: PriceBook
) -> None:
    attempts = [told("litellm", answer(n), ASKED, SPAN, output_tokens=n) for n in range(3)]
    append(ledger, book, attempts)
    assert len(charges(ledger)) == 3


def test_attempts_stay_apart_under_the_span_of_the_request(ledger: Ledger, book: PriceBook) -> None:
    attempts = [told("litellm", answer(n), SPAN) for n in range(2)]
    append(ledger, book, [*attempts, told("otlp", SPAN)])
    assert len(charges(ledger)) == 3


def test_a_stronger_link_stands_where_a_weaker_one_is_of_several_calls(
    ledger: Ledger, book: PriceBook
) -> None:
    attempts = [told("litellm", answer(n), SPAN, output_tokens=n) for n in range(2)]
    append(ledger, book, [*attempts, told("otlp", SPAN, answer(1))])
    assert charges(ledger) == {charge_id(answer(0)): 0, charge_id(answer(1)): 1}


def test_a_source_may_say_by_another_id_that_a_record_of_its_own_is_no_call(
    ledger: Ledger, book: PriceBook
) -> None:
    nothing = {"calls": 0, "input_tokens": None, "output_tokens": 0, "final": 9}
    append(ledger, book, [told("otlp", ANSWER, SPAN), told("otlp", SPAN, **nothing)])
    assert charges(ledger) == {charge_id(ANSWER): 0}


def test_a_newer_reader_may_know_a_line_by_another_id(ledger: Ledger, book: PriceBook) -> None:
    before, now = told("otlp", SPAN), told("otlp", ANSWER, SPAN, output_tokens=7)
    for version, each in enumerate((before, now), 1):
        with ledger.appender(book, version) as appender:
            appender.begin(FileRead("trace.jsonl", "otlp", version))
            assert appender.add(replace(each.record, digest="the same line"))
            appender.seal()
    assert charges(ledger) == {charge_id(ANSWER): 7}


@pytest.mark.parametrize(
    "alias",
    [
        "upstream:",
        "upstream:openai:",
        "upstream:chatcmpl-123",
        "span::",
        "span:7f3b2c9d1e4a5f60:",
        "span:7f3b2c9d1e4a5f60:0000000000000000",
        "span:00000000000000000000000000000000:0000000000000000",
        "gateway:litellm:null",
        "gateway:litellm:------------------------",
        "client:codex:1",
        "bucket:openai_usage:0a1b2c3d4e5f60718293",
        "content:table:0a1b2c3d4e5f60718293",
        "nonsense",
    ],
)
def test_an_id_that_may_be_of_any_call_unites_nothing(
    ledger: Ledger, book: PriceBook, alias: str
) -> None:
    append(ledger, book, [told("litellm", ANSWER, alias), told("otlp", SPAN, alias)])
    assert len(charges(ledger)) == 2


def test_an_id_that_many_share_unites_nothing(ledger: Ledger, book: PriceBook) -> None:
    sources = ["litellm", "gateway", "otlp", "claude_code", "openai_usage"]
    many = [told(sources[n % 5], answer(n), SPAN) for n in range(50)]
    append(ledger, book, many)
    assert len(charges(ledger)) == 50


def test_a_chain_of_aliases_does_not_fold_a_ledger_into_one_charge(
    ledger: Ledger, book: PriceBook
) -> None:
    sources = ["litellm", "gateway", "otlp", "claude_code", "openai_usage"]
    append(ledger, book, [told(sources[n % 5], answer(n), answer(n + 1)) for n in range(60)])
    assert len(charges(ledger)) == 60


def test_ids_that_unite_nothing_are_shown(ledger: Ledger, book: PriceBook) -> None:
    many = [told("litellm", answer(n), SPAN, "upstream:chatcmpl-123") for n in range(9)]
    worn = [told("claude_code", ANSWER, input_tokens=100 + n) for n in range(3)]
    append(ledger, book, [*many, *worn])
    ledger.settle()
    assert [problem.what for problem in verify_ledger(ledger)] == [
        "1 ids that several calls share are too short or too plain to be of one",
        "1 ids are of more than 8 calls",
        "1 ids of answers are of several calls, told apart by their input",
    ]


def test_attempts_that_share_an_id_are_no_problem(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told("litellm", answer(n), ASKED) for n in range(3)])
    ledger.settle()
    assert verify_ledger(ledger) == []


def test_one_more_that_shares_an_id_takes_charges_apart_again(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [told("litellm", ANSWER, SPAN), told("otlp", SPAN)])
    assert len(charges(ledger)) == 1
    append(ledger, book, [told("litellm", answer(1), SPAN)], at=2)
    assert len(charges(ledger)) == 3


def test_the_providers_id_names_the_charge_before_all_others(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [told("claude_code", LOGGED), told("otlp", SPAN, LOGGED)])
    assert list(charges(ledger)) == [charge_id(SPAN)]
    append(ledger, book, [told("gateway", ASKED, SPAN)], at=2)
    assert list(charges(ledger)) == [charge_id(ASKED)]
    append(ledger, book, [told("litellm", ANSWER, SPAN)], at=3)
    assert list(charges(ledger)) == [charge_id(ANSWER)]


def test_every_id_that_a_charge_had_finds_all_that_tell_of_it(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [told("otlp", SPAN), told("claude_code", LOGGED)])
    append(ledger, book, [told("litellm", ANSWER, SPAN, LOGGED)], at=2)
    for name in (ANSWER, SPAN, LOGGED):
        rows = ledger.records_of(charge_id(name)[:10])
        assert [row["source"] for row in rows] == ["litellm", "otlp", "claude_code"]
        assert {row["charge_id"] for row in rows} == {charge_id(ANSWER)}


def test_a_trace_says_of_which_identity_the_id_is_made(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told("otlp", ANSWER), told("gateway", ASKED, ANSWER)])
    found = trace_of(ledger.records_of(charge_id(ASKED)), Origin("gateway"), {})
    assert (found.identity, found.charge_id) == (ANSWER, charge_id(ANSWER))
    assert [witness.source for witness in found.witnesses] == ["gateway", "otlp"]


def test_a_record_that_unites_is_merged_and_not_new(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told("otlp", SPAN), told("claude_code", LOGGED)])
    ledger.settle()
    before = set(ledger.folder.record_files())
    append(ledger, book, [told("litellm", ANSWER, SPAN, LOGGED), told("litellm", ASKED)], at=2)
    mine = ledger.folder.record_files().keys() - before
    assert ledger.settle(mine) == 1
    assert ledger.settle(mine) == 1  # another process had settled them


def test_without_what_is_derived_the_same_charges_are_made_again(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [told("litellm", ANSWER, SPAN), told("otlp", SPAN)])
    before = charges(ledger)
    for kind in ("united", "links"):
        for path in (ledger.folder.path / kind).iterdir():
            path.unlink()
        assert charges(ledger) == before


def test_links_of_before_still_hold_when_nothing_new_speaks_of_them(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [told("litellm", ANSWER, SPAN), told("otlp", SPAN)])
    ledger.settle()
    append(ledger, book, [told("claude_code", LOGGED, span(1)), told("otlp", span(1))], at=2)
    ledger.settle()
    append(ledger, book, [told("claude_code", ANSWER)], at=3)
    assert sorted(charges(ledger)) == sorted([charge_id(ANSWER), charge_id(span(1))])


def test_two_calls_behind_one_id_of_a_relay_are_two_charges(
    ledger: Ledger, book: PriceBook
) -> None:
    early = told("claude_code", ANSWER, input_tokens=100)
    late = told("claude_code", ANSWER, input_tokens=900, started_at_us=NOON_US + HOUR_US)
    append(ledger, book, [early])
    append(ledger, book, [late], at=2)
    assert len(charges(ledger)) == 2


def test_many_inputs_behind_one_id_are_as_many_calls_however_close(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [told("claude_code", ANSWER, input_tokens=100 + n) for n in range(9)])
    assert len(charges(ledger)) == 9


def test_a_stream_read_twice_with_another_input_is_one_call(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [told("claude_code", ANSWER, input_tokens=100)])
    append(ledger, book, [told("claude_code", ANSWER, input_tokens=900, output_tokens=50)], at=2)
    assert charges(ledger) == {charge_id(ANSWER): 50}


def test_a_session_that_is_copied_later_is_no_other_call(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told("claude_code", ANSWER)])
    append(ledger, book, [told("claude_code", ANSWER, started_at_us=NOON_US + HOUR_US)], at=2)
    assert len(charges(ledger)) == 1


def test_another_source_that_counts_the_input_otherwise_wears_no_id(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [told("claude_code", ANSWER, input_tokens=100)])
    later = {"input_tokens": 130, "started_at_us": NOON_US + HOUR_US}
    append(ledger, book, [told("litellm", ANSWER, **later)], at=2)
    assert len(charges(ledger)) == 1


def test_a_worn_id_unites_nothing_else(ledger: Ledger, book: PriceBook) -> None:
    worn = [told("claude_code", ANSWER, span(n), input_tokens=100 + n) for n in range(3)]
    append(ledger, book, [*worn, told("otlp", span(0))])
    assert len(charges(ledger)) == 4


def test_calls_behind_a_worn_id_are_found_by_their_own(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told("claude_code", ANSWER, input_tokens=100 + n) for n in range(3)])
    for charge, output in charges(ledger).items():
        [row] = ledger.records_of(charge)
        assert (row["charge_id"], row["output_tokens"]) == (charge, output)
    with pytest.raises(UnknownName, match="3 charges"):
        ledger.records_of(charge_id(ANSWER))


NAMES = [ANSWER, answer(1), answer(2), ASKED, SPAN, span(1), span(2), LOGGED]


@st.composite
def witnesses(draw: st.DrawFn) -> Told:
    return told(
        draw(st.sampled_from(["litellm", "gateway", "otlp", "claude_code"])),
        draw(st.sampled_from(NAMES)),
        *draw(st.lists(st.sampled_from(NAMES), max_size=2)),
        output_tokens=draw(st.integers(0, 40)),
        input_tokens=draw(st.sampled_from([100, 100, 100, 100, 200, 300])),
        started_at_us=NOON_US + HOUR_US * draw(st.integers(0, 1)),
        final=draw(st.integers(0, 1)),
    )


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    all_told=st.lists(witnesses(), min_size=1, max_size=14),
    seed=st.integers(0, 2**32),
    parts=st.integers(1, 5),
)
def test_charges_are_a_function_of_the_set_of_records(
    book: PriceBook,
    tmp_path_factory: pytest.TempPathFactory,
    all_told: list[Told],
    seed: int,
    parts: int,
) -> None:
    expected = {
        charge: best.record.output_tokens for charge, best in slow_rules.charges(all_told).items()
    }
    order = random.Random(seed)
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    for part in range(parts):
        mixed = order.sample(all_told, len(all_told))
        whole = part == parts - 1
        append(ledger, book, mixed if whole else mixed[: order.randint(1, 4)], at=part + 1)
        if order.random() < 0.6:
            ledger.settle()
    found = charges(ledger)
    ledger.close()
    assert found == expected
