"""The store of evidence: durable, appended, silent about texts."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from tests.trial.test_charges import NOON, USAGE, answered, attempt, record

from clearbar.core.errors import ClearbarError, LedgerError
from clearbar.core.store import Store
from clearbar.trial.attempts import AttemptEnd, HeldGrade, Label, Spent
from clearbar.trial.identity import (
    canonical_json,
    digest_of,
    graded_digest,
    question_digest,
)
from clearbar.trial.running.evidence import DIED, Evidence, claim, now
from clearbar.trial.running.evidence_rows import usage_of
from clearbar.trial.stored_time import time_text
from clearbar.trial.trial import Case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CASE = Case("c1", "What is it?", "yes")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "facts.db")) as opened:
        yield opened


def test_an_answer_that_arrived_is_held_for_every_trial(store: Store) -> None:
    record(store, (attempt(), answered(confidence=0.75)))
    held = Evidence(store).held("another trial", "{}", "p", ["t"])
    [answer] = held.answers["asked a1"]
    assert (answer.cost_usd, answer.confidence) == (Decimal("0.00021"), 0.75)
    assert (answer.text, answer.trial) == (None, attempt().trial)


@pytest.mark.parametrize("ended", ["failed", "lost"])
def test_what_is_no_answer_is_not_held(store: Store, ended: str) -> None:
    record(store, (attempt(), AttemptEnd("a1", ended, NOON)))  # type: ignore[arg-type]
    assert Evidence(store).held("t", "{}", "p", ["t"]).answers == {}


def test_answers_of_another_prompt_or_tool_are_not_held(store: Store) -> None:
    record(store, (attempt(), answered()))
    evidence = Evidence(store)
    assert evidence.held("t", "{}", "other", ["t"]).answers == {}
    assert evidence.held("t", "{}", "p", ["other"]).answers == {}


def test_answers_of_very_many_tools_are_held(store: Store) -> None:
    record(store, (attempt(tool_digest="t700"), answered()))
    held = Evidence(store).held("t", "{}", "p", [f"t{number}" for number in range(1200)])
    assert list(held.answers) == ["asked a1"]


def test_a_captured_text_is_held_and_others_are_not(store: Store) -> None:
    async def write() -> None:
        evidence = Evidence(store)
        await evidence.begin([attempt(), attempt("a2")])
        await evidence.end(answered(), text="yes")
        await evidence.end(answered("a2"))

    asyncio.run(write())
    held = Evidence(store).held("t", "{}", "p", ["t"])
    assert held.answers["asked a1"][0].text == "yes"
    assert held.answers["asked a2"][0].text is None


def test_an_attempt_that_was_left_open_is_lost_once(store: Store) -> None:
    record(store, (attempt(), answered()))
    evidence = Evidence(store)
    asyncio.run(evidence.begin([attempt("open"), attempt("other", workflow="letters 2")]))
    assert (evidence.lose_open("letters", NOON), evidence.lose_open("letters", NOON)) == (1, 0)
    rows = store.rows("SELECT attempt_id, ended, what FROM attempt_end ORDER BY 1")
    assert rows == [("a1", "answered", ""), ("open", "lost", DIED)]


def test_a_grade_is_found_by_its_grader(store: Store) -> None:
    key = graded_digest(CASE, "d", "{grader}")
    grade = HeldGrade(key, "canonical", 0.5, flagged=True)
    asyncio.run(Evidence(store).grade("{grader}", grade, NOON))
    assert Evidence(store).held("t", "{grader}", "p", []).grades == {key: grade}
    assert Evidence(store).held("t", "{other}", "p", []).grades == {}


def test_the_form_of_an_answer_is_known_before_its_grade(store: Store) -> None:
    evidence = Evidence(store)
    asyncio.run(evidence.grade("{}", HeldGrade("key", "canonical"), NOON))
    assert evidence.held("t", "{}", "p", []).grades["key"].score is None
    asyncio.run(evidence.grade("{}", HeldGrade("key", "canonical", 1.0), NOON))
    assert evidence.held("t", "{}", "p", []).grades["key"].score == 1.0


def test_the_first_grade_of_an_answer_stands(store: Store) -> None:
    evidence = Evidence(store)
    for score in (1.0, 0.0):
        asyncio.run(evidence.grade("{}", HeldGrade("key", "canonical", score), NOON))
    assert evidence.held("t", "{}", "p", []).grades["key"].score == 1.0


def test_a_case_is_given_up_within_one_trial(store: Store) -> None:
    evidence = Evidence(store)
    for _ in range(2):
        asyncio.run(evidence.give_up("trial", [("asked", "HTTP 500")], NOON))
    assert evidence.held("trial", "{}", "p", []).given_up == {"asked": "HTTP 500"}
    assert evidence.held("other", "{}", "p", []).given_up == {}


def test_the_newest_label_of_an_answer_counts(store: Store) -> None:
    evidence = Evidence(store)
    for score in (0.0, 1.0):
        evidence.label(Label("letters", "case", "answer", score, "a@example.com", NOON))
    assert evidence.labels("letters")["case", "answer"].score == 1.0
    assert evidence.labels("other") == {}


def test_a_label_outside_the_scores_is_refused(store: Store) -> None:
    with pytest.raises(ClearbarError, match="no score"):
        Evidence(store).label(Label("letters", "case", "answer", 1.5, "a@example.com", NOON))


def test_money_is_added_up_by_tool_and_unknown_is_not_zero(store: Store) -> None:
    refused = AttemptEnd("a3", "failed", NOON, "busy", http_status=429, cost_usd=Decimal(0))
    record(
        store,
        (attempt(), answered()),
        (attempt("a2"), AttemptEnd("a2", "lost", NOON)),
        (attempt("a3"), refused),
        (attempt("a4", tool="judge", kind="judge"), answered("a4")),
    )
    spent = Evidence(store).spent(attempt().trial)
    assert spent["small"] == Spent(
        Decimal("0.00021"), 2, 1, Decimal("0.01"), 1, dearest_usd=Decimal("0.00021")
    )
    assert spent["judge"].calls == 1


@pytest.mark.parametrize(
    "table", ["attempt", "attempt_end", "grade", "canonical_form", "label", "given_up"]
)
def test_evidence_is_never_edited_or_deleted(store: Store, table: str) -> None:
    record(store, (attempt(), answered()))
    evidence = Evidence(store)
    asyncio.run(evidence.grade("{}", HeldGrade("key", "canonical", 1.0), NOON))
    asyncio.run(evidence.give_up("trial", [("asked", "HTTP 500")], NOON))
    evidence.label(Label("letters", "case", "answer", 1.0, "a@example.com", NOON))
    column = store.rows("SELECT name FROM pragma_table_info(?)", table)[-1][0]
    for change in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):  # noqa: S608
        with pytest.raises(sqlite3.IntegrityError), store.transaction() as connection:
            connection.execute(change)


def test_writes_of_one_moment_share_a_commit(store: Store) -> None:
    commits: list[str] = []
    store._connection.set_trace_callback(commits.append)

    async def write() -> None:
        evidence = Evidence(store)
        await asyncio.gather(*(evidence.begin([attempt(f"a{number}")]) for number in range(9)))

    asyncio.run(write())
    assert commits.count("COMMIT") == 1
    assert len(store.rows("SELECT * FROM attempt")) == 9


def test_a_write_that_fails_fails_for_everybody_who_waits_for_it(store: Store) -> None:
    async def write() -> list[object]:
        evidence = Evidence(store)
        same = [evidence.begin([attempt()]), evidence.begin([attempt()])]
        return list(await asyncio.gather(*same, return_exceptions=True))

    assert {type(each) for each in asyncio.run(write())} == {LedgerError}
    assert store.rows("SELECT * FROM attempt") == []


def test_writing_nothing_is_done_at_once(store: Store) -> None:
    asyncio.run(Evidence(store).begin([]))
    asyncio.run(Evidence(store).give_up("trial", [], NOON))
    assert Evidence(store).lose_open("letters", NOON) == 0


def test_a_claim_is_free_again_when_it_ends(tmp_path: Path) -> None:
    with (
        claim(tmp_path, "letters"),
        claim(tmp_path, "other"),
        pytest.raises(ClearbarError, match="another process"),
        claim(tmp_path, "letters"),
    ):
        pass
    with claim(tmp_path, "letters"):
        pass


def test_a_claim_on_what_is_no_lock_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with claim(tmp_path, "letters"):
        pass
    [path] = tmp_path.glob("*.lock")
    path.unlink()
    path.mkdir()
    with pytest.raises(LedgerError, match="cannot be locked"), claim(tmp_path, "letters"):
        pass


def test_usage_is_kept_as_it_was_reported(store: Store) -> None:
    record(store, (attempt(), answered()))
    [[text]] = store.rows("SELECT token_usage FROM attempt_end")
    assert usage_of(str(text)) == USAGE


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        time_text(datetime(2026, 1, 1))  # noqa: DTZ001
    assert now().tzinfo is UTC


def test_the_digest_of_a_case_says_what_is_asked_and_not_what_is_right() -> None:
    same = Case("c1", "What is it?", "no", cluster="x")
    assert question_digest(CASE) == question_digest(same)
    assert graded_digest(CASE, "a", "g") != graded_digest(same, "a", "g")
    assert question_digest(Case("c2", "What is it?")) != question_digest(CASE)


def test_what_has_no_canonical_text_is_refused() -> None:
    assert canonical_json({"b": (Decimal("1.50"), -float("inf")), "a": NOON.date()}) == (
        '{"a":"2026-09-14","b":["1.50","-inf"]}'
    )
    with pytest.raises(TypeError, match="no canonical text"):
        digest_of("kind", object())
