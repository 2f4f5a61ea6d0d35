"""Trials whose process ended before it had charged its calls: what they bought is charged later.

A trial leaves a note beside its claim before it asks anybody. Whoever can take the claim of a
noted workflow knows that nobody runs it any more: calls without an end are lost, all are charged,
and the note goes. So the ledger has what a killed trial spent as soon as anybody reads it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError, LedgerError
from clearbar.trial.identity import digest_of
from clearbar.trial.running.evidence import claim

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from clearbar.trial.running.evidence import Evidence

NOTES: Final = "*.due"


def note(claims: Path, workflow: str) -> None:
    """Note, durably, that a trial of a workflow begins.

    Raises:
        LedgerError: when it cannot be written.
    """
    try:
        claims.mkdir(parents=True, exist_ok=True)
        with (claims / f"{digest_of('claim', workflow)[:16]}.due").open("wb") as stream:
            stream.write(workflow.encode())
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise LedgerError(f"{claims} cannot be written to: {error.strerror}") from error


def charge_ended(
    claims: Path, evidence: Evidence, at: datetime, charge: Callable[[], object]
) -> None:
    """Have the calls charged of all noted trials that nobody runs."""
    with ExitStack() as held:
        ended: list[Path] = []
        for path in sorted(claims.glob(NOTES)):
            with suppress(ClearbarError, FileNotFoundError):  # it runs, or another was first
                workflow = path.read_text(encoding="utf-8")
                held.enter_context(claim(claims, workflow))
                evidence.lose_open(workflow, at)
                ended.append(path)
        if ended:
            charge()
        for path in ended:
            path.unlink(missing_ok=True)
