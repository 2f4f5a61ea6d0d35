"""Evidence in the store: what was asked, how it ended, how it was graded. Appended, never edited.

A call has two facts. An *attempt* is durable before its request leaves; its *end* is an answer, a
failure, or `lost`, which is what becomes of an attempt whose process died. So no call that may
have cost money is forgotten. The key of an answer is what was asked of whom (`asked`): the digests
of the tool, the prompt and the case. An answer that arrived is never bought again, whatever trial
or run asks.

What is kept of an answer. Not its text: of that the store has a digest, the digest of its
canonical form, and the score. A trial that declares `capture = true` also keeps texts, in a table
of their own that `empty_captured` empties. What follows from it:

- The same trial resumes with scores alone. So does another trial with the same grader and cases,
  whatever its bar, its error rate, or its other tools.
- Another grader, or another reference, needs the texts. With capture it grades anew for nothing;
  without, the cases are asked again.
- An answer and its grade are one commit, unless a model or a person grades. Theirs comes later: a
  process that dies between the two leaves an answer without a grade, which without capture is
  asked again.

Rules and classifiers are computed, not asked: they leave no attempts.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError, LedgerError
from clearbar.trial.attempts import AttemptEnd, Held
from clearbar.trial.identity import digest_of
from clearbar.trial.running import evidence_rows as rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from clearbar.core.store import Store
    from clearbar.trial.attempts import Attempt, HeldGrade, Label, Spent
    from clearbar.trial.running.evidence_rows import Statement

STOPPED: Final = "the trial was stopped while it was in flight"
DIED: Final = "its process ended while it was in flight"


class Evidence:
    """The evidence of one workspace. Writes of one moment share one durable commit."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._pending: list[Statement] = []
        self._committed: asyncio.Future[None] | None = None

    async def begin(self, attempts: Sequence[Attempt]) -> None:
        """Write calls down before they are made. On return they are durable."""
        await self._commit([rows.attempt(each) for each in attempts])

    async def end(
        self,
        end: AttemptEnd,
        grade: tuple[str, HeldGrade] | None = None,
        text: str | None = None,
    ) -> None:
        """Write down how a call ended, and what is known of the answer. On return: durable.

        `grade` stands beside the grader's canonical text. `text` is the answer, and is given only
        where the trial captures.
        """
        statements = [rows.end(end)]
        if text is not None:
            statements.append(rows.captured(end.attempt_id, text))
        if grade is not None:
            statements += rows.grade(*grade, end.finished_at)
        await self._commit(statements)

    async def grade(self, grader: str, grade: HeldGrade, at: datetime) -> None:
        """Write down what a grader (its canonical text) said of an answer."""
        await self._commit(rows.grade(grader, grade, at))

    async def give_up(self, trial: str, failures: Sequence[tuple[str, str]], at: datetime) -> None:
        """Write down that some `asked` of a trial got no answer: (asked, what went wrong)."""
        await self._commit([rows.given_up(trial, *each, at) for each in failures])

    def held(
        self,
        trial: str,
        grader: str,
        prompt_digest: str,
        tool_digests: Collection[str],
    ) -> Held:
        """Return what need not be asked again: answers and grades of any trial, own failures."""
        tools = sorted(tool_digests)
        return Held(
            rows.answers(self.store, prompt_digest, tools),
            rows.failures(self.store, trial),
            rows.grades(self.store, grader),
        )

    def lose_open(self, workflow: str, at: datetime, what: str = DIED) -> int:
        """Record the attempts of a workflow that have no end as lost; return how many there were.

        Only for who holds the workflow's claim: else they may be another process's calls.
        """
        found = self.store.rows(
            "SELECT attempt_id FROM attempt LEFT JOIN attempt_end USING (attempt_id)"
            " WHERE workflow = ? AND ended IS NULL",
            workflow,
        )
        lost = [AttemptEnd(str(each), "lost", at, what) for [each] in found]
        self._write([rows.end(each) for each in lost])
        return len(lost)

    def spent(self, trial: str) -> dict[str, Spent]:
        """Return what a trial has spent, tool by tool, over all its runs; a judge is a tool too."""
        return rows.spent(self.store, trial)

    def empty_captured(self, workflow: str) -> int:
        """Remove the texts of all answers of a workflow; return how many there were.

        Their bytes are overwritten, and so is what the write-ahead log still held of them.
        """
        with self.store.transaction() as connection:
            connection.execute("PRAGMA secure_delete = ON")
            removed = connection.execute(
                "DELETE FROM captured_answer WHERE attempt_id IN"
                " (SELECT attempt_id FROM attempt WHERE workflow = ?)",
                (workflow,),
            ).rowcount
        self.store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        return removed

    def label(self, label: Label) -> None:
        """Write down what a person said of an answer. On return it is durable.

        Raises:
            ClearbarError: when the score is not in [0, 1].
        """
        if not 0 <= label.score <= 1:
            raise ClearbarError(f"{label.score} is no score", "give a number from 0 to 1")
        self._write([rows.label(label)])

    def labels(self, workflow: str) -> dict[tuple[str, str], Label]:
        """Return the newest label of each (case digest, answer digest)."""
        return rows.labels(self.store, workflow)

    async def _commit(self, statements: list[Statement]) -> None:
        if not statements:
            return
        if self._committed is None:
            loop = asyncio.get_running_loop()
            self._committed = loop.create_future()
            loop.call_soon(self._flush)
        self._pending += statements
        await asyncio.shield(self._committed)

    def _flush(self) -> None:
        """Commit what has gathered since the event loop last turned."""
        committed, statements = self._committed, self._pending
        self._committed, self._pending = None, []
        if committed is None:
            return
        try:
            self._write(statements)
        except LedgerError as error:
            committed.set_exception(error)
            committed.exception()  # whoever waits raises it; nobody may be left to wait
        else:
            committed.set_result(None)

    def _write(self, statements: list[Statement]) -> None:
        if not statements:
            return
        try:
            with self.store.transaction() as connection:
                for sql, values in statements:
                    connection.execute(sql, values)
        except sqlite3.Error as error:
            raise LedgerError(
                f"evidence cannot be written: {error}",
                "is the disk full, or another program writing to .clearbar/facts.db?",
            ) from error


@contextmanager
def claim(folder: Path, workflow: str) -> Iterator[None]:
    """Hold the right to run a workflow's trials, which ends with the process, however it ends.

    It is a write lock on an empty SQLite file in `folder`.

    Raises:
        ClearbarError: when another process holds it.
        LedgerError: when the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    connection = _locked(folder / f"{digest_of('claim', workflow)[:16]}.lock", workflow)
    try:
        yield
    finally:
        connection.close()


def _locked(path: Path, workflow: str) -> sqlite3.Connection:
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, timeout=0.0, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if connection is not None:
            connection.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise ClearbarError(
                f"a trial of {workflow} is running in another process", "wait for it to end"
            ) from error
        raise LedgerError(f"{path} cannot be locked: {error}", "can it be written to?") from error
    return connection


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)
