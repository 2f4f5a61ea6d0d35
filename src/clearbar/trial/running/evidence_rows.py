"""Evidence as rows of the store: nouns to statements, rows to nouns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from clearbar.tools.tool import TokenUsage
from clearbar.trial.attempts import HeldAnswer, HeldGrade, Label, Spent
from clearbar.trial.identity import digest_of
from clearbar.trial.stored_money import money, money_text
from clearbar.trial.stored_time import time, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from clearbar.core.store import Store
    from clearbar.trial.attempts import Attempt, AttemptEnd

Statement = tuple[str, tuple[object, ...]]

_MANY: Final = 500
"""SQLite takes at least 999 parameters."""


def attempt(each: Attempt) -> Statement:
    """Return the statement that writes an attempt down."""
    return (
        "INSERT INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            each.attempt_id,
            each.asked,
            each.kind,
            each.workflow,
            each.trial,
            each.tool,
            each.provider,
            each.model,
            each.tool_digest,
            each.prompt_digest,
            each.case_digest,
            money_text(each.ceiling_usd),
            time_text(each.started_at),
        ),
    )


def end(each: AttemptEnd) -> Statement:
    """Return the statement that writes down how an attempt ended."""
    usage = None if each.usage is None else msgspec.json.encode(each.usage).decode()
    return (
        "INSERT INTO attempt_end VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            each.attempt_id,
            each.ended,
            each.what,
            each.http_status,
            each.answer_digest,
            usage,
            money_text(each.cost_usd),
            each.cost_source,
            each.confidence,
            each.model,
            each.upstream_id,
            each.service_tier,
            each.speed,
            each.geo,
            each.latency_ms,
            time_text(each.finished_at),
        ),
    )


def captured(attempt_id: str, text: str) -> Statement:
    """Return the statement that keeps the text of an answer."""
    return "INSERT INTO captured_answer VALUES (?, ?)", (attempt_id, text)


def given_up(trial: str, asked: str, what: str, at: datetime) -> Statement:
    """Return the statement that writes down a case without an answer."""
    return "INSERT OR IGNORE INTO given_up VALUES (?, ?, ?, ?)", (trial, asked, what, time_text(at))


def grade(grader: str, each: HeldGrade, at: datetime) -> list[Statement]:
    """Return the statements that write down what is known of an answer; the first grade stands."""
    when = time_text(at)
    form = (each.graded, each.canonical_digest, grader_digest(grader), when)
    statements: list[Statement] = [
        ("INSERT OR IGNORE INTO canonical_form VALUES (?, ?, ?, ?)", form)
    ]
    if each.score is not None:
        said = (each.graded, each.score, int(each.flagged), when)
        statements.append(("INSERT OR IGNORE INTO grade VALUES (?, ?, ?, ?)", said))
    return statements


def label(each: Label) -> Statement:
    """Return the statement that writes a label down."""
    return (
        "INSERT INTO label VALUES (NULL, ?, ?, ?, ?, ?, ?)",
        (
            each.workflow,
            each.case_digest,
            each.answer_digest,
            each.score,
            each.by,
            time_text(each.at),
        ),
    )


def answers(store: Store, prompt_digest: str, tools: Sequence[str]) -> dict[str, list[HeldAnswer]]:
    """Return the answers to each thing asked of some tools (digests) under a prompt."""
    found: dict[str, list[HeldAnswer]] = {}
    for start in range(0, len(tools), _MANY):
        some = tools[start : start + _MANY]
        marks = ", ".join("?" * len(some))
        for row in store.rows(
            "SELECT asked, attempt_id, trial, answer_digest, cost_usd, confidence, text"  # noqa: S608 - question marks
            " FROM attempt JOIN attempt_end USING (attempt_id)"
            " LEFT JOIN captured_answer USING (attempt_id)"
            f" WHERE ended = 'answered' AND prompt_digest = ? AND tool_digest IN ({marks})"
            " ORDER BY text IS NULL, finished_at, attempt_id",
            prompt_digest,
            *some,
        ):
            asked, attempt_id, trial, answer, cost, confidence, text = cast("tuple[Any, ...]", row)
            held = HeldAnswer(attempt_id, trial, answer, money(cost), confidence, text)
            found.setdefault(asked, []).append(held)
    return found


def failures(store: Store, trial: str) -> dict[str, str]:
    """Return asked -> what went wrong, of the cases that a trial gave up."""
    found = store.rows("SELECT asked, what FROM given_up WHERE trial = ?", trial)
    return {str(asked): str(what) for asked, what in found}


def grades(store: Store, grader: str) -> dict[str, HeldGrade]:
    """Return what is known of all answers under one grader."""
    found = store.rows(
        "SELECT graded, canonical_digest, score, coalesce(flagged, 0)"
        " FROM canonical_form LEFT JOIN grade USING (graded) WHERE grader = ?",
        grader_digest(grader),
    )
    read = (HeldGrade(*cast("tuple[str, str, float | None, bool]", row)) for row in found)
    return {each.graded: each for each in read}


def labels(store: Store, workflow: str) -> dict[tuple[str, str], Label]:
    """Return the newest label of each (case digest, answer digest)."""
    found = store.rows(
        "SELECT workflow, case_digest, answer_digest, score, by, at FROM label"
        " WHERE workflow = ? ORDER BY label_id",
        workflow,
    )
    read = (
        Label(*cast("tuple[str, str, str, float, str]", row[:5]), time(str(row[5])))
        for row in found
    )
    return {(each.case_digest, each.answer_digest): each for each in read}


def spent(store: Store, trial: str) -> dict[str, Spent]:
    """Return what a trial has spent, tool by tool."""
    totals: dict[str, Spent] = {}
    for row in store.rows(
        "SELECT tool, ended, cost_usd, ceiling_usd"
        " FROM attempt JOIN attempt_end USING (attempt_id) WHERE trial = ?",
        trial,
    ):
        tool, ended, cost, ceiling = cast("tuple[Any, ...]", row)
        usd = money(cost)
        if ended == "failed" and usd == 0:
            continue
        before, unknown = totals.get(tool, Spent()), usd is None
        totals[tool] = Spent(
            before.usd + (usd or 0),
            before.calls + 1,
            before.unpriced_calls + unknown,
            before.unpriced_ceiling_usd + ((money(ceiling) or 0) if unknown else 0),
            before.lost_calls + (ended == "lost"),
            max(before.dearest_usd, usd or before.dearest_usd),
        )
    return totals


def grader_digest(grader: str) -> str:
    """Return the digest of a grader's canonical text."""
    return digest_of("grader", grader)


def usage_of(text: str | None) -> TokenUsage | None:
    """Return the usage that `end` wrote."""
    return None if text is None else msgspec.json.decode(text, type=TokenUsage)
