"""Certificates: kept as they are, never edited, stale when what they speak of changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import LedgerError
from clearbar.core.store import Store
from clearbar.own.workflow import Bar, Workflow
from clearbar.trial.attempts import Spent
from clearbar.trial.certifying.certificate import (
    LABELS_WANTED,
    STOPPED,
    certificate_id,
    certificate_of,
    is_complete,
    last,
    load,
    save,
)
from clearbar.trial.certifying.staleness import stale
from clearbar.trial.identity import identity_of
from clearbar.trial.plan import TrialPlan
from clearbar.trial.race.race import Race
from clearbar.trial.race.race_plan import Candidate, Graded, RacePlan
from clearbar.trial.trial import Certificate, Error, Identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NOON = datetime(2026, 9, 14, 12, tzinfo=UTC)
ERROR = Error(0.05, 0.1)
IDENTITY = Identity(
    "letters",
    Bar(at_least=0.8, text="right >= 0.8"),
    "right",
    '{"kind":"exact"}',
    "prompt",
    "cases",
    60,
    "cases.jsonl",
    {"small": "s", "large": "l"},
    ERROR,
    0,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "facts.db")) as opened:
        yield opened


def raced() -> Race:
    """Return a race that the small tool has won."""
    candidates = (
        Candidate("small", "small", Decimal("0.001")),
        Candidate("large", "frontier", Decimal("0.01")),
    )
    race = Race(RacePlan(candidates, IDENTITY.bar, ERROR, 60, binary=True))
    while asks := race.wanted(1):
        race.give(asks[0], Graded(1.0, Decimal("0.001"), same_as="yes"))
    return race


def made(spent: Mapping[str, Spent] | None = None, **values: Any) -> Certificate:
    paid = spent or {"small": Spent(Decimal("0.017"), 17)}
    return replace(certificate_of(raced(), IDENTITY, paid, NOON), **values)


def test_a_certificate_is_read_as_it_was_kept(store: Store) -> None:
    certificate = made(warnings=("one row was broken",))
    key = save(store, certificate)
    assert load(store, "letters") == [certificate]
    assert key == certificate_id(certificate)
    assert certificate.winner == "small"


def test_an_infinite_wealth_is_read_as_it_was_kept(store: Store) -> None:
    first, *others = made().findings
    certificate = made(findings=(replace(first, log_for=float("-inf")), *others))
    save(store, certificate)
    assert last(store, "letters") == certificate


def test_the_newest_certificate_of_a_workflow_is_the_last(store: Store) -> None:
    older, newer = made(), made(decided_at=NOON + timedelta(days=1))
    other = made(identity=replace(IDENTITY, workflow="other"))
    for each in (newer, older, other):
        save(store, each)
    assert last(store, "letters") == newer
    assert load(store, "letters") == [older, newer]
    assert len(load(store)) == 3
    assert last(store, "nobody") is None


def test_the_same_certificate_is_kept_once(store: Store) -> None:
    assert save(store, made()) == save(store, made())
    assert len(load(store)) == 1


def test_a_certificate_is_never_edited_or_deleted(store: Store) -> None:
    save(store, made())
    for change in ("UPDATE certificate SET workflow = 'x'", "DELETE FROM certificate"):
        with pytest.raises(sqlite3.IntegrityError), store.transaction() as connection:
            connection.execute(change)


def test_a_certificate_that_was_changed_behind_the_store_is_refused(store: Store) -> None:
    save(store, made())
    with store.transaction() as connection:
        connection.execute("DROP TRIGGER certificate_is_never_edited")
        connection.execute("UPDATE certificate SET body = replace(body, 'small', 'large')")
    with pytest.raises(LedgerError, match="it was changed"):
        last(store, "letters")


def test_another_word_makes_another_id() -> None:
    assert certificate_id(made()) != certificate_id(made(winner=None))


def test_what_was_spent_is_what_the_store_says() -> None:
    spent = {
        "small": Spent(Decimal("0.03"), 31, 2, Decimal("0.01"), 1),
        "judge": Spent(Decimal("0.50"), 5),
    }
    certificate = made(spent)
    assert (certificate.calls, certificate.spent_usd) == (36, Decimal("0.53"))
    small = certificate.finding_of["small"]
    assert (small.calls, small.spent_usd, small.spent_unpriced_calls) == (31, Decimal("0.03"), 2)
    assert certificate.finding_of["large"].calls == 0
    assert certificate.warnings == (
        "1 call lost in flight: what it cost is not known",
        "what 1 call cost is not known",
    )


def test_several_lost_calls_are_told_in_the_plural() -> None:
    spent = {"small": Spent(Decimal(0), 9, 5, Decimal(0), 3)}
    assert made(spent).warnings == (
        "3 calls lost in flight: what they cost is not known",
        "what 2 calls cost is not known",
    )


@pytest.mark.parametrize("warning", [STOPPED, LABELS_WANTED])
def test_what_was_stopped_ends_no_trial(warning: str) -> None:
    assert not is_complete(made(warnings=(warning,)))
    assert is_complete(made())


def test_a_certificate_holds_while_nothing_changes() -> None:
    assert stale(made(), IDENTITY, NOON + timedelta(days=89)) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"workflow": "notes"}, "it is about the workflow letters"),
        ({"bar": Bar(at_least=0.9)}, 'the bar was "right >= 0.8" and is >= 0.9'),
        (
            {"bar": Bar(within=0.02, of="large")},
            'the bar was "right >= 0.8" and is within 0.02 of large',
        ),
        ({"metric": "polite"}, "the metric was right and is polite"),
        ({"grader": "{}"}, "the grader or its settings changed"),
        ({"prompt_digest": "other"}, "the prompt changed"),
        ({"cases_digest": "other", "cases": 70}, "the cases changed: 60 then, 70 now"),
        (
            {"error": Error(0.01, 0.1)},
            "the error rates changed: certify 0.05, drop 0.1 then; 0.01, 0.1 now",
        ),
        ({"tools": {"small": "new", "large": "l"}}, "the tool small changed"),
        ({"tools": {"large": "l"}}, "the tool small is no longer declared"),
    ],
)
def test_a_change_makes_it_stale_and_is_named(change: dict[str, Any], words: str) -> None:
    assert stale(made(), replace(IDENTITY, **change), NOON) == (words,)


@pytest.mark.parametrize(
    "change",
    [
        {"bar": Bar(at_least=0.8, text="right >= 0.80")},
        {"seed": 7},
        {"tools": {"small": "s", "large": "l", "new": "n"}},
        {"cases_from": "renamed.jsonl"},
    ],
    ids=["spelling", "seed", "another tool", "name of the file"],
)
def test_what_changes_nothing_of_it_leaves_it_fresh(change: dict[str, Any]) -> None:
    assert stale(made(), replace(IDENTITY, **change), NOON) == ()


def test_evidence_ages_sooner_where_more_is_at_stake() -> None:
    later = NOON + timedelta(days=40)
    assert stale(made(), IDENTITY, later, "high") == (
        "it is 40 days old, and evidence holds 30 days at these stakes",
    )
    assert stale(made(), IDENTITY, later, "low") == ()
    assert stale(made(), IDENTITY, later, "low", fresh_days=40) != ()


def test_a_trial_needs_a_bar() -> None:
    with pytest.raises(ValueError, match="bar"):
        identity_of(
            Workflow("letters"),
            TrialPlan("letters", "cases.jsonl"),
            prompt="",
            grader="{}",
            tool_digests={},
            cases_digest="",
            cases=0,
            cases_from="",
        )


def test_the_seed_of_a_run_stands_before_the_declared_one() -> None:
    made_of: dict[str, Any] = {
        "prompt": "",
        "grader": "{}",
        "tool_digests": {"b": "2", "a": "1"},
        "cases_digest": "",
        "cases": 0,
        "cases_from": "",
    }
    workflow = Workflow("letters", bar=IDENTITY.bar, stakes="high")
    plan = TrialPlan("letters", "cases.jsonl", seed=3)
    declared, given = (identity_of(workflow, plan, seed=seed, **made_of) for seed in (None, 9))
    assert (declared.seed, given.seed) == (3, 9)
    assert list(declared.tools) == ["a", "b"]
    assert declared.error.certify == 0.01
