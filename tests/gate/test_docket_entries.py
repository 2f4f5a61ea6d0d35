"""Defences, overrides and recorded verdicts: what is written, and what it says later."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gate.made import AS_OF, NOW, verdict

from clearbar.core.errors import ClearbarError, LedgerError
from clearbar.core.store import Store
from clearbar.gate.docket import append, entries, verify
from clearbar.gate.docket_entries import (
    MAX_REASON_CHARACTERS,
    active_overrides,
    defend,
    docket_state,
    last_defences,
    last_verdicts,
    override,
    record_verdicts,
)
from clearbar.gate.recorded import RecordedVerdict, recorded_after

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.gate.verdict import Decision, Override
    from clearbar.own.card import Defence

DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "facts.sqlite")
    yield opened
    opened.close()


def defended(store: Store, **changed: Any) -> Defence:
    usual = {
        "by": "support-lead@example.com",
        "why": "It halves the queue",
        "on": AS_OF,
        "expires": AS_OF + 90 * DAY,
        "now": NOW,
    }
    return defend(store, "support-replies", **{**usual, **changed})


def overridden(store: Store, decision: Decision = "fund", **changed: Any) -> Override:
    usual = {
        "by": "Head of Support",
        "why": "The audit needs it until December",
        "until": AS_OF + 30 * DAY,
        "now": NOW,
    }
    return override(store, "support-replies", decision, **{**usual, **changed})


def test_a_defence_is_read_back_as_given(store: Store) -> None:
    given_defence = defended(store)
    assert last_defences(store, AS_OF) == {"support-replies": given_defence}


def test_the_defence_of_the_latest_day_counts_whatever_the_order(store: Store) -> None:
    last = defended(store)
    defended(store, on=AS_OF - 5 * DAY, expires=AS_OF + DAY)
    assert last_defences(store, AS_OF)["support-replies"] == last


def test_of_two_defences_on_one_day_the_last_counts(store: Store) -> None:
    defended(store)
    last = defended(store, why="With a smaller model now")
    assert last_defences(store, AS_OF)["support-replies"] == last


def test_a_defence_does_not_count_before_its_day(store: Store) -> None:
    defended(store)
    assert last_defences(store, AS_OF - DAY) == {}


def test_a_defence_cannot_be_given_for_a_day_to_come(store: Store) -> None:
    with pytest.raises(ClearbarError, match="still to come"):
        defended(store, on=AS_OF + DAY)


def test_a_defence_has_to_expire_after_its_day(store: Store) -> None:
    with pytest.raises(ClearbarError, match="cannot expire"):
        defended(store, expires=AS_OF)


def test_an_override_is_in_force_until_the_day_before_its_end(store: Store) -> None:
    made = overridden(store)
    assert active_overrides(store, made.until - DAY) == {"support-replies": made}
    assert active_overrides(store, made.until) == {}


def test_an_override_is_not_in_force_before_it_was_made(store: Store) -> None:
    overridden(store)
    assert active_overrides(store, AS_OF - DAY) == {}


def test_the_last_override_replaces_those_before_it(store: Store) -> None:
    overridden(store)
    last = overridden(store, "pause", until=AS_OF + DAY)
    assert active_overrides(store, AS_OF) == {"support-replies": last}
    assert active_overrides(store, AS_OF + DAY) == {}


@pytest.mark.parametrize("until", [AS_OF, AS_OF - DAY])
def test_an_override_has_to_end_after_today(store: Store, until: date) -> None:
    with pytest.raises(ClearbarError, match="today is 2026-11-01"):
        overridden(store, until=until)


def test_an_override_is_to_fund_to_pause_or_to_kill(store: Store) -> None:
    decision: Any = "defer"
    with pytest.raises(ClearbarError, match="no decision"):
        overridden(store, decision)


@pytest.mark.parametrize("by", ["", "  ", "@", "a@b", "-", "7", "x" * 201, "a\nb", "Eve\x1b[2J"])
def test_a_name_that_nobody_answers_to_is_refused(store: Store, by: str) -> None:
    with pytest.raises(ClearbarError, match="names nobody"):
        overridden(store, by=by)
    with pytest.raises(ClearbarError, match="names nobody"):
        defended(store, by=by)


@pytest.mark.parametrize("by", ["a.b+c@example.co.uk", "Head of R&D", " Réviseur/EU ", "on-call"])
def test_an_address_or_a_role_is_a_name(store: Store, by: str) -> None:
    assert overridden(store, by=by).by == by.strip()


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (" \n", "a reason is needed"),
        ("x" * (MAX_REASON_CHARACTERS + 1), "2001 characters"),
        ("\x1b[2J", "control"),
        ("\ud800", "control"),
    ],
)
def test_a_reason_is_needed_and_stays_short_and_plain(store: Store, why: str, said: str) -> None:
    with pytest.raises(ClearbarError, match=said):
        overridden(store, why=why)
    with pytest.raises(ClearbarError, match=said):
        defended(store, why=why)


def test_what_is_refused_leaves_no_entry(store: Store) -> None:
    with pytest.raises(ClearbarError):
        overridden(store, why="")
    assert entries(store) == []


def test_a_new_verdict_is_recorded_once(store: Store) -> None:
    assert record_verdicts(store, [verdict()], NOW) == (verdict(),)
    assert record_verdicts(store, [verdict()], NOW + DAY) == ()
    assert len(entries(store, "verdict")) == 1


@pytest.mark.parametrize(
    "changed",
    [
        verdict("kill", ("no_owner",)),
        verdict("pause", ("undefended",)),
        verdict("pause", ("undefended", "unmeasured")),
    ],
)
def test_another_decision_or_another_rule_is_recorded(store: Store, changed: Any) -> None:
    record_verdicts(store, [verdict()], NOW)
    assert record_verdicts(store, [changed], NOW + DAY) == (changed,)


def test_the_same_rules_with_other_figures_are_not_recorded_again(store: Store) -> None:
    record_verdicts(store, [verdict()], NOW)
    moved = replace(verdict(), next_step="other words", at_stake_usd_month=Decimal(7))
    assert record_verdicts(store, [moved], NOW + DAY) == ()


def test_a_lapsed_verdict_is_recorded_again(store: Store) -> None:
    record_verdicts(store, [verdict(lapses_on=AS_OF + 30 * DAY)], NOW)
    assert record_verdicts(store, [verdict()], NOW + 29 * DAY) == ()
    assert record_verdicts(store, [verdict()], NOW + 30 * DAY) == (verdict(),)


def test_a_verdict_that_several_record_at_once_is_recorded_once(
    store: Store, tmp_path: Path
) -> None:
    def record(_: int) -> int:
        mine = Store(tmp_path / "facts.sqlite")
        recorded = record_verdicts(mine, [verdict()], NOW)
        mine.close()
        return len(recorded)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(record, range(8))) == [0] * 7 + [1]
    assert verify(store) == []


def test_a_recorded_verdict_is_read_back_with_its_exact_money(store: Store) -> None:
    record_verdicts(store, [verdict()], NOW)
    assert '"at_stake_usd_month":"300.10"' in entries(store)[0].body
    assert last_verdicts(store)["support-replies"] == RecordedVerdict(
        "support-replies", "pause", ("unmeasured",), verdict().lapses_on, AS_OF, AS_OF
    )


def test_the_docket_state_is_all_that_is_known_as_of_a_day(store: Store) -> None:
    defence, made = defended(store), overridden(store)
    record_verdicts(store, [verdict()], NOW)
    state = docket_state(store, AS_OF)
    assert state.defences == {"support-replies": defence}
    assert state.overrides == {"support-replies": made}
    assert state.verdicts["support-replies"].decision == "pause"
    assert verify(store) == []


def test_an_entry_that_says_nothing_is_named(store: Store) -> None:
    append(store, "verdict", "support-replies", NOW, {"decision": "perhaps"})
    with pytest.raises(LedgerError, match="entry 1 of the docket is no verdict"):
        last_verdicts(store)


def run(*records: tuple[Decision, str]) -> RecordedVerdict:
    """Record one verdict a day and return the last."""
    last = None
    for number, (decision, rule) in enumerate(records):
        last = recorded_after(last, verdict(decision, (rule,)), AS_OF + number * DAY)
    assert last is not None
    return last


def test_a_decision_is_dated_by_the_first_of_its_unbroken_run() -> None:
    assert run(("fund", "a"), ("pause", "b"), ("pause", "c")).since == AS_OF + DAY


def test_a_pause_that_comes_back_is_a_new_one() -> None:
    assert run(("pause", "a"), ("fund", "b"), ("pause", "a")).paused_since == AS_OF + 2 * DAY


def test_a_kill_for_a_pause_that_was_too_long_does_not_end_the_pause() -> None:
    last = run(("pause", "a"), ("kill", "paused_too_long"))
    assert (last.since, last.paused_since) == (AS_OF + DAY, AS_OF)


@pytest.mark.parametrize("record", [("fund", "earns_its_tier"), ("kill", "no_owner")])
def test_any_other_verdict_ends_the_pause(record: tuple[Decision, str]) -> None:
    assert run(("pause", "a"), record).paused_since is None


@given(st.lists(st.sampled_from(["fund", "pause", "kill"]), min_size=1, max_size=12))
def test_since_is_never_after_the_last_record(decisions: list[Decision]) -> None:
    last = run(*((decision, "a") for decision in decisions))
    assert AS_OF <= last.since <= AS_OF + (len(decisions) - 1) * DAY


def test_a_day_is_one_of_utc(store: Store) -> None:
    west = datetime.fromisoformat("2026-11-01T22:00:00-05:00")
    assert overridden(store, now=west).on == AS_OF + DAY


def test_a_verdict_recorded_later_was_not_known_on_an_earlier_day(store: Store) -> None:
    record_verdicts(store, [verdict()], NOW)
    assert docket_state(store, AS_OF - DAY).verdicts == {}
