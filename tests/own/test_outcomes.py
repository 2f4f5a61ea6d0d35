import gzip
import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearbar.core.errors import ClearbarError, Problem
from clearbar.core.period import ALL, Period
from clearbar.core.store import Store
from clearbar.own.outcome import DailyOutcomes, Outcome
from clearbar.own.outcome_file import read_outcomes
from clearbar.own.outcomes import append, daily, verify

NOON = datetime(2026, 9, 14, 12, tzinfo=UTC)
HEADER = "workflow,task_id,score,scored_at,said_by,worth_usd\n"
ROW = "support,t1,1,2026-09-14T12:00:00Z,qa,1.20\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "facts.sqlite")
    yield store
    store.close()


def scored(
    task_id: str = "t1",
    score: float = 1.0,
    at: datetime = NOON,
    workflow: str = "support",
    worth: str | None = None,
) -> Outcome:
    worth_usd = None if worth is None else Decimal(worth)
    return Outcome(workflow, task_id, score, at, "qa", worth_usd)


def read(path: Path, content: str) -> list[Outcome | Problem]:
    path.write_text(content, encoding="utf-8")
    return list(read_outcomes(path))


def problem(path: Path, row: str) -> Problem:
    (found,) = read(path, HEADER + row)
    assert isinstance(found, Problem)
    return found


def test_a_csv_row_is_an_outcome(tmp_path: Path) -> None:
    path = tmp_path / "support.csv"
    assert read(path, HEADER + ROW) == [
        Outcome("support", "t1", 1.0, NOON, "qa", Decimal("1.20"), str(path), 2)
    ]


def test_a_json_line_is_an_outcome_with_exact_money(tmp_path: Path) -> None:
    path = tmp_path / "support.jsonl"
    line = (
        '{"workflow": "support", "task_id": 7, "score": true, '
        '"at": "2026-09-14T14:00:00+02:00", "source": "qa", "worth_usd": 0.1}\n'
    )
    assert read(path, line) == [
        Outcome("support", "7", 1.0, NOON, "qa", Decimal("0.1"), str(path), 1)
    ]


def test_a_gzipped_file_reads_as_the_plain_one(tmp_path: Path) -> None:
    path = tmp_path / "support.csv.gz"
    path.write_bytes(gzip.compress((HEADER + ROW).encode()))
    (outcome,) = read_outcomes(path)
    assert isinstance(outcome, Outcome)


def test_a_semicolon_may_separate_the_columns(tmp_path: Path) -> None:
    content = (HEADER + ROW).replace(",", ";")
    (outcome,) = read(tmp_path / "support.csv", content)
    assert isinstance(outcome, Outcome)


def test_without_said_by_the_file_said_it(tmp_path: Path) -> None:
    content = "workflow,task_id,score,at\nsupport,t1,0.5,2026-09-14\n"
    (outcome,) = read(tmp_path / "scores.csv", content)
    assert isinstance(outcome, Outcome)
    assert outcome.said_by == "scores.csv"


def test_a_bare_day_is_its_first_moment_in_utc(tmp_path: Path) -> None:
    content = "workflow,task_id,score,at\nsupport,t1,0.5,2026-09-14\n"
    (outcome,) = read(tmp_path / "scores.csv", content)
    assert isinstance(outcome, Outcome)
    assert outcome.scored_at == datetime(2026, 9, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "score"), [("true", 1.0), ("FALSE", 0.0), ("0", 0.0), ("1", 1.0), ("0.25", 0.25)]
)
def test_a_score_may_be_written_as(tmp_path: Path, text: str, score: float) -> None:
    (outcome,) = read(tmp_path / "a.csv", HEADER + ROW.replace(",1,", f",{text},"))
    assert isinstance(outcome, Outcome)
    assert outcome.score == score


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("support,t1,1.7,2026-09-14,qa,\n", "the score is outside [0, 1]"),
        ("support,t1,-0.1,2026-09-14,qa,\n", "the score is outside [0, 1]"),
        ("support,t1,nan,2026-09-14,qa,\n", "the score is outside [0, 1]"),
        ("support,t1,good,2026-09-14,qa,\n", "the score is no number"),
        ("support,t1,,2026-09-14,qa,\n", "the score is no number"),
        (",t1,1,2026-09-14,qa,\n", "workflow is empty"),
        ("support,,1,2026-09-14,qa,\n", "task_id is empty"),
        ("support,t1,1,yesterday,qa,\n", "scored_at is no time that can be read"),
        ("support,t1,1,,qa,\n", "scored_at is missing"),
        ("support,t1,1,2026-09-14,qa,much\n", "worth_usd is not a number"),
        ("support,t1,1,2026-09-14,qa,-1\n", "worth_usd is negative"),
        ("support,t1,1,2026-09-14,qa,1e-999999\n", "worth_usd is no amount of money"),
        ("supp\ufffdort,t1,1,2026-09-14,qa,\n", "workflow is not UTF-8 text"),
        (f"support,{'t' * 501},1,2026-09-14,qa,\n", "task_id is longer than 500 characters"),
    ],
)
def test_a_row_that_cannot_be_read_is_a_problem_with_its_line(
    tmp_path: Path, row: str, what: str
) -> None:
    found = problem(tmp_path / "a.csv", row)
    assert (found.what, found.line) == (what, 2)


def test_a_bad_row_does_not_stop_the_rest(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", HEADER + "support,t0,7,2026-09-14,qa,\n" + ROW)
    assert [type(each) for each in found] == [Problem, Outcome]


def test_a_file_without_a_needed_column_is_one_problem(tmp_path: Path) -> None:
    (found,) = read(tmp_path / "a.csv", "workflow,task_id\nsupport,t1\nsupport,t2\n")
    assert isinstance(found, Problem)
    assert found.what == "no column score, scored_at or at"


@pytest.mark.parametrize("line", ['{"workflow": \n', "[3]\n"])
def test_a_line_that_is_no_object_is_a_problem(tmp_path: Path, line: str) -> None:
    (found,) = read(tmp_path / "a.jsonl", line)
    assert isinstance(found, Problem)


def test_a_file_that_is_cut_short_is_a_problem_after_what_it_held(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress((HEADER + ROW).encode())[:-6])
    *_, last = read_outcomes(path)
    assert isinstance(last, Problem)
    assert last.what.startswith("cannot be read")


def test_a_time_without_a_zone_is_refused_from_code() -> None:
    with pytest.raises(ClearbarError, match="no zone"):
        scored(at=datetime(2026, 9, 14))  # noqa: DTZ001 - the very thing that is refused


@pytest.mark.parametrize("worth", ["NaN", "-1", "Infinity", "1000000000001"])
def test_an_impossible_worth_is_refused_from_code(worth: str) -> None:
    with pytest.raises(ClearbarError, match="worth_usd is not between"):
        scored(worth=worth)


def test_the_same_outcomes_twice_are_counted_once(store: Store) -> None:
    outcomes = [scored("t1"), scored("t2")]
    assert append(store, outcomes, NOON) == (2, 0)
    assert append(store, [*outcomes, scored("t3")], NOON) == (1, 2)
    assert daily(store, ALL) == [
        DailyOutcomes("support", date(2026, 9, 14), 3, 3.0, None, Decimal(3))
    ]


def test_where_an_outcome_was_read_does_not_make_it_another(store: Store) -> None:
    first = Outcome("support", "t1", 1.0, NOON, "qa", uri="a.csv", line=2)
    second = Outcome("support", "t1", 1, NOON, "qa", uri="b.csv", line=9)
    assert append(store, [first, second], NOON) == (1, 1)


def test_one_moment_in_two_zones_is_one_outcome() -> None:
    rome = timezone(timedelta(hours=2))
    assert scored(at=NOON).outcome_id == scored(at=NOON.astimezone(rome)).outcome_id


def test_a_failure_stays_in_the_denominator(store: Store) -> None:
    append(store, [scored("t1", 0.0), scored("t2", 1.0)], NOON)
    (day,) = daily(store, ALL)
    assert (day.outcomes, day.good) == (2, 1.0)


def test_of_a_task_scored_twice_the_later_score_counts(store: Store) -> None:
    append(store, [scored(score=1.0), scored(score=0.0, at=NOON + timedelta(hours=1))], NOON)
    (day,) = daily(store, ALL)
    assert (day.outcomes, day.good) == (1, 0.0)


def test_a_task_scored_again_counts_on_the_later_day_only(store: Store) -> None:
    append(store, [scored(), scored(at=NOON + timedelta(days=20))], NOON)
    assert daily(store, Period(date(2026, 9, 1), date(2026, 10, 1))) == []
    assert [day.day for day in daily(store, ALL)] == [date(2026, 10, 4)]


def test_two_scores_of_one_instant_count_once(store: Store) -> None:
    append(store, [scored(score=0.0), scored(score=1.0)], NOON)
    (day,) = daily(store, ALL)
    expected = max((scored(score=0.0), scored(score=1.0)), key=lambda each: each.outcome_id)
    assert (day.outcomes, day.good) == (1, expected.score)


def test_equal_task_ids_of_two_workflows_are_two_tasks(store: Store) -> None:
    append(store, [scored(), scored(workflow="letters")], NOON)
    assert [(day.workflow, day.outcomes) for day in daily(store, ALL)] == [
        ("letters", 1),
        ("support", 1),
    ]


def test_a_period_ends_before_its_last_midnight(store: Store) -> None:
    append(store, [scored(at=datetime(2026, 10, 1, tzinfo=UTC))], NOON)
    assert daily(store, Period(date(2026, 9, 1), date(2026, 10, 1))) == []
    assert daily(store, Period(date(2026, 10, 1), date(2026, 10, 2)))


def test_worth_is_score_times_worth_exactly(store: Store) -> None:
    append(store, [scored("t1", 0.1, worth="0.7"), scored("t2", 0.3, worth="1.1")], NOON)
    (day,) = daily(store, ALL)
    assert day.worth_usd == Decimal("0.40")
    assert day.good_without_worth == 0


def test_scores_without_a_worth_are_summed_apart(store: Store) -> None:
    append(store, [scored("t1", 0.5, worth="2"), scored("t2", 0.25)], NOON)
    (day,) = daily(store, ALL)
    assert day.worth_usd == 1
    assert day.good_without_worth == Decimal("0.25")


outcome_lists = st.lists(
    st.builds(
        scored,
        st.sampled_from(["t1", "t2", "t3"]),
        st.sampled_from([0.0, 0.5, 1.0]),
        st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=12 * hours)),
        st.sampled_from(["support", "letters"]),
        st.sampled_from([None, "1.20"]),
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(outcome_lists, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_changes_the_sums(
    tmp_path_factory: pytest.TempPathFactory, outcomes: list[Outcome], chance: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("stores")
    once, again = Store(folder / "once"), Store(folder / "again")
    append(once, outcomes, NOON)
    shuffled = [*outcomes, *outcomes]
    chance.shuffle(shuffled)
    append(again, shuffled, NOON)
    assert daily(once, ALL) == daily(again, ALL)
    once.close()
    again.close()


def test_what_belongs_to_no_workflow_has_no_outcomes() -> None:
    with pytest.raises(ClearbarError, match="is no workflow"):
        Outcome("(unattributed)", "T-1", 1.0, datetime(2026, 9, 1, tzinfo=UTC), "crm")


def test_an_edited_outcome_is_found(store: Store, tmp_path: Path) -> None:
    said = [scored(f"T-{number}", 0.5, worth="1.50") for number in range(2)]
    append(store, said, NOON)
    assert verify(store) == []
    connection = sqlite3.connect(tmp_path / "facts.sqlite")
    connection.execute("DROP TRIGGER outcome_is_never_edited")
    connection.execute("UPDATE outcome SET score = 1 WHERE task_id = 'T-1'")
    connection.commit()
    connection.close()
    assert len(verify(store)) == 1
