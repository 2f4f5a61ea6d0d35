"""From scorecard and docket to verdicts, and what a check in CI complains of."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from tests.gate.made import AS_OF, POLICY, USAGE, WORKFLOW, card, days, scorecard, verdict

from clearbar.gate.decide import changes, check, undeclared, verdicts
from clearbar.gate.recorded import DocketState, RecordedVerdict
from clearbar.gate.verdict import Decision, Override

NOTHING_RECORDED: Final = DocketState()
UNMEASURED: Final[dict[str, Any]] = {"days": days(30, outcomes=0, good=0.0)}


def recorded(decision: Decision, since: date = AS_OF - timedelta(days=5)) -> RecordedVerdict:
    paused = since if decision == "pause" else None
    return RecordedVerdict(
        WORKFLOW.name, decision, ("any",), AS_OF + timedelta(days=25), since, paused
    )


def overridden(decision: Decision, until: date = date(2026, 11, 11)) -> Override:
    return Override(WORKFLOW.name, decision, "Head of Support", "The audit needs it", AS_OF, until)


def test_every_workflow_gets_a_verdict_dearest_first() -> None:
    cheap = card(replace(WORKFLOW, name="cheap"), usage=replace(USAGE, cost_usd=Decimal(1)))
    found = verdicts(scorecard(card(), cheap), POLICY, NOTHING_RECORDED)
    assert [each.workflow for each in found] == [WORKFLOW.name, "cheap"]


def test_unattributed_spend_is_no_workflow_and_gets_no_verdict() -> None:
    assert verdicts(scorecard(unattributed=USAGE), POLICY, NOTHING_RECORDED) == ()


def test_a_new_decision_has_no_since() -> None:
    state = DocketState(verdicts={WORKFLOW.name: recorded("pause")})
    [found] = verdicts(scorecard(card()), POLICY, state)
    assert (found.decision, found.since) == ("fund", None)


def test_a_decision_that_stands_is_dated_by_its_first_record() -> None:
    state = DocketState(verdicts={WORKFLOW.name: recorded("fund")})
    [found] = verdicts(scorecard(card()), POLICY, state)
    assert found.since == date(2026, 10, 27)


def test_a_pause_that_the_docket_shows_to_be_too_long_becomes_a_kill() -> None:
    state = DocketState(verdicts={WORKFLOW.name: recorded("pause", AS_OF - timedelta(days=61))})
    [found] = verdicts(scorecard(card(**UNMEASURED)), POLICY, state)
    assert [reason.rule for reason in found.reasons] == ["paused_too_long", "unmeasured"]


def test_an_override_decides_and_the_reasons_still_say_what_the_table_found() -> None:
    state = DocketState(overrides={WORKFLOW.name: overridden("fund")})
    [found] = verdicts(scorecard(card(**UNMEASURED)), POLICY, state)
    assert (found.decision, found.reasons[0].rule) == ("fund", "unmeasured")
    assert found.override == overridden("fund")


def test_an_overridden_verdict_lapses_with_its_override() -> None:
    state = DocketState(overrides={WORKFLOW.name: overridden("fund")})
    [found] = verdicts(scorecard(card()), POLICY, state)
    assert found.lapses_on == date(2026, 11, 11)


def test_a_long_override_does_not_make_the_verdict_last_longer() -> None:
    state = DocketState(overrides={WORKFLOW.name: overridden("kill", date(2027, 11, 1))})
    [found] = verdicts(scorecard(card()), POLICY, state)
    assert found.lapses_on == date(2026, 12, 1)


def test_a_longer_history_reaches_the_kill_rules() -> None:
    spends = card(replace(WORKFLOW, kill_rules=("calls > 1 for 61d",)))
    history = {WORKFLOW.name: days(61)}
    [found] = verdicts(scorecard(spends), POLICY, NOTHING_RECORDED, history)
    assert found.decision == "kill"


@pytest.mark.parametrize("what", ["owner", "metric"])
def test_a_spending_workflow_that_declares_too_little_fails_the_check(what: str) -> None:
    nothing: dict[str, Any] = {what: None}
    lacking = card(replace(WORKFLOW, **nothing))
    [problem] = undeclared(scorecard(lacking))
    assert problem.what == f"support-replies spent $300.00 and declares no {what}"
    assert problem.line == 12


def test_a_workflow_of_unknown_price_has_to_declare_as_well() -> None:
    usage = replace(USAGE, cost_usd=Decimal(0), calls_unpriced=4000)
    assert list(undeclared(scorecard(card(replace(WORKFLOW, owner=None), usage=usage))))


def test_a_workflow_that_does_not_spend_may_declare_later() -> None:
    idle = card(replace(WORKFLOW, owner=None), usage=replace(USAGE, cost_usd=Decimal(0)))
    assert list(undeclared(scorecard(idle))) == []


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        (None, "fund", False),
        (None, "pause", True),
        (None, "kill", True),
        ("fund", "pause", True),
        ("pause", "pause", False),
        ("kill", "pause", True),
        ("pause", "fund", True),
    ],
)
def test_a_decision_that_is_not_the_recorded_one_fails_the_check(
    before: Decision | None, now: Decision, *, changed: bool
) -> None:
    known = {} if before is None else {WORKFLOW.name: recorded(before)}
    assert bool(list(changes([verdict(now)], known))) is changed


def test_a_change_names_both_decisions_the_fact_and_the_next_step() -> None:
    [problem] = changes([verdict("pause")], {})
    assert problem.what == ("support-replies would go from fund to pause: the fact of unmeasured")
    assert problem.hint == "mend it"


def test_a_check_without_complaint_is_empty() -> None:
    funded = verdicts(scorecard(card()), POLICY, NOTHING_RECORDED)
    assert check(scorecard(card()), funded, {}) == ()


def test_a_check_lists_what_is_undeclared_before_what_changes() -> None:
    lacking = scorecard(card(replace(WORKFLOW, owner=None)))
    found = check(lacking, verdicts(lacking, POLICY, NOTHING_RECORDED), {})
    assert ["declares no owner" in problem.what for problem in found] == [True, False]


def test_a_change_that_a_person_decided_names_them() -> None:
    override = overridden("kill")
    state = DocketState(overrides={WORKFLOW.name: override})
    [problem] = changes(verdicts(scorecard(card()), POLICY, state), {})
    assert "Head of Support decided so until 2026-11-11, against: " in problem.what


def standing(rules: tuple[str, ...], lapses_on: date) -> date:
    record = replace(recorded("fund"), rules=rules, lapses_on=lapses_on)
    state = DocketState(verdicts={WORKFLOW.name: record})
    [found] = verdicts(scorecard(card()), POLICY, state)
    return found.lapses_on


def test_a_verdict_that_stands_lapses_when_its_record_says() -> None:
    assert standing(("earns_its_tier",), date(2026, 11, 10)) == date(2026, 11, 10)


def test_a_verdict_on_other_grounds_lapses_anew() -> None:
    assert standing(("any",), date(2026, 11, 10)) == date(2026, 12, 1)


def test_a_verdict_that_lapses_today_is_made_anew() -> None:
    assert standing(("earns_its_tier",), AS_OF) == date(2026, 12, 1)
