"""The supervisor's side: samples in the store become alarms, verdicts and proposed trials."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from tests.gate.made import verdict
from tests.route.watching.made import DECIDED, NOW, ROUTE, SAMPLE, WATCHED, scored
from tests.trial.certificates import WITHIN, certificate, unasked

from clearbar.core.errors import LedgerError
from clearbar.core.store import Store
from clearbar.gate.docket import entries, verify
from clearbar.gate.docket_entries import last_verdicts, record_verdicts, said
from clearbar.gate.verdict import Reason, Verdict
from clearbar.route.journal.seen_calls import MOST_A_PASS, keep_within
from clearbar.route.route import Alarm, Cascade, RouteTable
from clearbar.route.watching.store import alarms, all_alarms, keep, samples
from clearbar.route.watching.watch import (
    Watch,
    drifted_verdict,
    drifts,
    proposed,
    watched_of,
    watched_routes,
    with_raised_shares,
)
from clearbar.trial.certifying.certificate import save

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from clearbar.route.route import Route
    from clearbar.trial.trial import Certificate

CLEARED = unasked("gpt-mini", "small", "0.0004", outcome="clears", reason="evidence", mean=0.95)
FALLEN = scored([1.0] * 40 + [1.0, 0.0] * 60)
SLOWER = ("it has become slower",)
ALARM = Alarm("support-replies", "gpt-mini", NOW, "gpt-mini scores 0.5, under its bar of 0.9")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "facts.db")
    yield opened
    opened.close()


def called(
    store: Store, tool: str, latency_ms: int, output_tokens: int | None, at: datetime = NOW
) -> None:
    """Keep a call as a pass over the journals draws it."""
    row = ("support-replies", tool, int(at.timestamp() * 1e6), latency_ms, output_tokens)
    with store.transaction() as connection:
        keep_within(connection, [row])


def test_samples_come_back_as_they_were_kept(store: Store) -> None:
    kept = [
        replace(SAMPLE, score=0.5, by_old=True, same=False, ill_formed=True, characters=12),
        replace(SAMPLE, difference=-1.0, same=True),
        SAMPLE,
    ]
    keep(store, kept)
    found = samples(store, SAMPLE.workflow, SAMPLE.tool, DECIDED)
    assert [replace(each, sample_id=0) for each in found] == kept
    assert [each.sample_id for each in found] == [1, 2, 3]


def test_only_samples_of_the_tool_since_its_certificate_count(store: Store) -> None:
    before = replace(SAMPLE, at=DECIDED - timedelta(seconds=1))
    keep(store, [before, replace(SAMPLE, tool="other"), SAMPLE])
    assert [each.sample_id for each in samples(store, SAMPLE.workflow, SAMPLE.tool, DECIDED)] == [3]


@pytest.mark.parametrize("table", ["shadow_sample", "drift_alarm"])
def test_samples_and_alarms_are_never_edited(store: Store, table: str) -> None:
    keep(store, FALLEN)
    Watch(store).step([WATCHED], NOW)
    with pytest.raises(Exception, match="append-only"), store.transaction() as connection:
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a constant
    with pytest.raises(Exception, match="append-only"), store.transaction() as connection:
        connection.execute(f"UPDATE {table} SET workflow = 'other'")  # noqa: S608 - a constant


def test_no_text_of_a_request_has_a_column(store: Store) -> None:
    rows = store.rows("SELECT name FROM pragma_table_info('shadow_sample')")
    columns = {row[0] for row in rows}
    assert columns == {
        "sample_id",
        "workflow",
        "tool",
        "old_tool",
        "at",
        "probability",
        "score",
        "by_old",
        "difference",
        "same",
        "ill_formed",
        "characters",
    }


def test_a_tool_that_falls_raises_one_alarm(store: Store) -> None:
    watch = Watch(store)
    keep(store, FALLEN)
    raised = watch.step([WATCHED], NOW)
    assert [(each.workflow, each.tool, each.at) for each in raised] == [
        ("support-replies", "gpt-mini", NOW)
    ]
    assert watch.step([WATCHED], NOW) == ()
    assert alarms(store) == {"support-replies": raised[0]}


def test_a_restart_neither_forgets_an_alarm_nor_raises_it_twice(store: Store) -> None:
    keep(store, FALLEN)
    Watch(store).step([WATCHED], NOW)
    again = Watch(store)
    assert again.step([WATCHED], NOW) == ()
    assert again.stands[0].alarmed
    assert len(entries(store, "verdict")) == 1


def test_samples_that_come_in_between_add_up_to_the_same(store: Store) -> None:
    watch = Watch(store)
    for sample in FALLEN[:70]:
        keep(store, [sample])
        watch.step([WATCHED], NOW)
    at_once = Watch(store)
    at_once.step([WATCHED], NOW)
    assert at_once.stands[0].statistic == watch.stands[0].statistic


def test_a_newer_certificate_ends_an_alarm(store: Store) -> None:
    keep(store, FALLEN)
    Watch(store).step([WATCHED], NOW)
    save(store, certificate(CLEARED, decided_at=NOW - timedelta(days=1)))
    assert alarms(store)
    save(store, certificate(CLEARED, decided_at=NOW + timedelta(days=1)))
    assert alarms(store) == {}
    assert drifts(store) == {}
    assert len(all_alarms(store)) == 1


def test_an_alarm_keeps_the_numbers_on_which_it_rests(store: Store) -> None:
    keep(store, FALLEN)
    Watch(store).step([WATCHED], NOW)
    found = all_alarms(store)[0]
    assert found.statistic >= found.threshold == 1000
    assert 40 < found.graded == found.sample_id <= len(FALLEN)


def test_under_a_new_certificate_a_tool_begins_anew(store: Store) -> None:
    keep(store, FALLEN)
    watch = Watch(store)
    watch.step([WATCHED], NOW)
    later = replace(WATCHED, certificate_id="d" * 64, decided_at=NOW + timedelta(days=1))
    watch.step([later], NOW)
    assert [(each.watched.certificate_id, each.n) for each in watch.stands] == [("d" * 64, 0)]


def test_another_run_length_reads_the_samples_anew(store: Store) -> None:
    keep(store, FALLEN)
    watch = Watch(store)
    watch.step([replace(WATCHED, run_length=1e30)], NOW)
    assert not watch.stands[0].alarmed
    watch.step([WATCHED], NOW)
    assert watch.stands[0].alarmed


def test_an_alarm_is_a_verdict_in_an_unbroken_docket(store: Store) -> None:
    keep(store, FALLEN)
    Watch(store).step([WATCHED], NOW)
    assert verify(store) == []
    recorded = last_verdicts(store)["support-replies"]
    assert (recorded.decision, recorded.rules) == ("fund", ("drifted",))


def test_what_was_decided_before_stands(store: Store) -> None:
    record_verdicts(store, [verdict("pause", ("unmeasured",))], NOW)
    keep(store, FALLEN)
    Watch(store).step([WATCHED], NOW)
    found = said(entries(store, "verdict")[-1], Verdict)
    assert (found.decision, [each.rule for each in found.reasons]) == (
        "pause",
        ["unmeasured", "drifted"],
    )
    assert (found.next_step, found.lapses_on) == ("mend unmeasured", date(2026, 12, 1))


def test_an_alarm_replaces_the_reason_to_be_content() -> None:
    funded = Verdict(
        "support-replies",
        "fund",
        (Reason("earns_its_tier", "fund", "spent", "keep on"),),
        "keep on",
        date(2026, 12, 1),
        Decimal(3),
        owner="support-lead@example.com",
    )
    found = drifted_verdict(ALARM, "opus", funded)
    assert [each.rule for each in found.reasons] == ["drifted"]
    assert found.reasons[0].fact == (
        "since 2026-11-01: gpt-mini scores 0.5, under its bar of 0.9; opus is in force again"
    )
    assert found.next_step == (
        "support-lead@example.com tries the tools again: clearbar trial support-replies."
    )


def test_an_alarm_without_its_verdict_is_never_kept(store: Store) -> None:
    keep(store, FALLEN)
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO docket VALUES (1, 'verdict', 'support-replies', '2026', '{', '0', '1')"
        )
    with pytest.raises(LedgerError):
        Watch(store).step([WATCHED], NOW)
    assert all_alarms(store) == []


def test_a_new_trial_is_proposed_with_its_reason() -> None:
    proposal = proposed(ALARM)
    assert proposal.command == "clearbar trial support-replies"
    assert proposal.why.startswith("gpt-mini fell under its bar")


def test_the_gate_reads_an_alarm_as_drift(store: Store) -> None:
    keep(store, FALLEN)
    Watch(store).step([WATCHED], NOW)
    found = drifts(store)["support-replies"]
    assert (found.tool, found.on) == ("gpt-mini", date(2026, 11, 1))
    assert found.what == alarms(store)["support-replies"].what


def test_a_route_is_watched_under_its_certificate() -> None:
    decided = certificate(CLEARED, decided_at=DECIDED)
    found = watched_of(ROUTE, decided, "e" * 64, run_length=500)
    assert found is not None
    assert (found.tool, found.old_tool, found.run_length) == ("gpt-mini", "opus", 500)
    assert found.certified_score == 0.95


@pytest.mark.parametrize(
    "route",
    [
        replace(ROUTE, tool=None),
        replace(ROUTE, old_tool=None),
        replace(ROUTE, old_tool="gpt-mini"),
        replace(ROUTE, tool="never-tried"),
    ],
)
def test_a_route_without_two_tools_or_a_finding_is_not_watched(route: Route) -> None:
    assert watched_of(route, certificate(CLEARED), "e" * 64) is None


def test_a_declared_number_of_answers_stands_before_days() -> None:
    found = watched_of(ROUTE, certificate(CLEARED), "e" * 64, run_length=500, false_alarm_days=730)
    assert found is not None
    assert (found.run_length, found.false_alarm_days) == (500, None)


def test_days_stand_where_no_number_of_answers_is_declared() -> None:
    found = watched_of(ROUTE, certificate(CLEARED), "e" * 64, run_length=None, false_alarm_days=730)
    assert found is not None
    assert (found.run_length, found.false_alarm_days) == (10_000, 730)


def test_of_a_table_only_routes_with_a_certificate_are_watched() -> None:
    table = RouteTable(1, NOW, {"support-replies": ROUTE})
    certified: list[tuple[str, Certificate, str, dict[str, float | None]]] = [
        ("support-replies", certificate(CLEARED), "e" * 64, {}),
        ("gone", certificate(CLEARED), "f" * 64, {}),
    ]
    found = list(watched_routes(table, certified))
    assert [each.workflow for each in found] == ["support-replies"]
    table = replace(table, routes={"support-replies": replace(ROUTE, tool=None)})
    assert list(watched_routes(table, certified)) == []


def test_a_difference_to_the_old_tool_is_no_certified_score() -> None:
    found = watched_of(ROUTE, certificate(CLEARED, bar=WITHIN), "e" * 64)
    assert found is not None
    assert found.certified_score is None


def test_calls_that_take_longer_are_a_sign_and_no_alarm(store: Store) -> None:
    watch = Watch(store)
    for latency in [100, 120, 90, 110] * 50 + [400] * 60:
        called(store, "gpt-mini", latency, 50)
        called(store, "opus", 9, 9000)
    watch.step([WATCHED], NOW)
    assert watch.pre_alarms() == {"support-replies": SLOWER}
    assert alarms(store) == {}


def test_calls_are_followed_from_step_to_step_as_from_the_beginning(store: Store) -> None:
    watch = Watch(store)
    for latency in [100] * 200 + [400] * 9:
        called(store, "gpt-mini", latency, None)
        watch.step([WATCHED], NOW)
    assert watch.pre_alarms() == {"support-replies": SLOWER}
    anew = Watch(store)
    anew.step([WATCHED], NOW)
    assert anew.pre_alarms() == watch.pre_alarms()


def test_slow_calls_of_one_pass_are_no_sign_yet(store: Store) -> None:
    for latency in [100] * 200 + [400] * MOST_A_PASS:
        called(store, "gpt-mini", latency, 50)
    watch = Watch(store)
    watch.step([WATCHED], NOW)
    assert watch.pre_alarms() == {}


def test_calls_before_the_certificate_say_nothing(store: Store) -> None:
    for latency in [100] * 200 + [400] * 60:
        called(store, "gpt-mini", latency, 50, at=DECIDED - timedelta(seconds=1))
    watch = Watch(store)
    watch.step([WATCHED], NOW)
    assert watch.pre_alarms() == {}


def test_of_a_cascade_the_tool_is_looked_at_that_is_asked_first(store: Store) -> None:
    cascade = replace(ROUTE, cascade=Cascade("small", "opus", 0.7))
    found = watched_of(cascade, certificate(CLEARED), "e" * 64)
    assert found is not None
    for tokens in [50] * 200 + [150] * 60:
        called(store, "small", 100, tokens, at=found.decided_at)
    watch = Watch(store)
    watch.step([found], NOW)
    assert watch.pre_alarms() == {"support-replies": ("it writes more tokens",)}


def test_a_pre_alarm_raises_the_share_of_its_workflow_alone() -> None:
    other = replace(ROUTE, workflow="other")
    table = RouteTable(1, NOW, {"support-replies": ROUTE, "other": other})
    raised = with_raised_shares(table, {"support-replies": ("it has become slower",)})
    assert [each.shadow_share for each in raised.routes.values()] == [1.0, 0.25]
    assert with_raised_shares(table, {}) is table
