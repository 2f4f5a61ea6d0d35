"""Certificates: made of a race's findings and the money in the store; kept, never edited."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

from clearbar.core.errors import LedgerError
from clearbar.own.workflow import Bar
from clearbar.trial.identity import canonical_json
from clearbar.trial.race.race_findings import findings
from clearbar.trial.stored_time import time_text
from clearbar.trial.trial import Certificate, Error, Finding, Identity, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clearbar.core.store import Store
    from clearbar.trial.attempts import Spent
    from clearbar.trial.race.race import Race

STOPPED: Final = "stopped by hand before it was decided: run it again, and it goes on from here"
"""The warning of a certificate that ends no trial."""
LABELS_WANTED: Final = "waits for labels: clearbar trial label"
"""As `STOPPED`: nothing more can be known before a person has looked."""
_MONEY: Final = ("usd_per_case", "spent_usd", "more_usd")
_FLOATS: Final = ("log_for", "log_for_needed", "log_against", "log_against_needed")


def certificate_of(
    race: Race,
    identity: Identity,
    spent: Mapping[str, Spent],
    decided_at: datetime,
    warnings: Sequence[str] = (),
) -> Certificate:
    """Return the end of a trial.

    `spent` (`Evidence.spent`) is what was paid, tool by tool, over all runs of this trial. It also
    holds what no finding rests on: answers beyond a decision, second tries, lost calls, verdicts of
    a judge.
    """
    total = sum((each.usd for each in spent.values()), Decimal(0))
    return Certificate(
        identity=identity,
        findings=tuple(_with_spent(each, spent.get(each.tool)) for each in findings(race)),
        winner=race.winner,
        incumbent=race.plan.incumbent or race.plan.against,
        decided_at=decided_at,
        calls=sum(each.calls for each in spent.values()),
        spent_usd=total,
        warnings=(*warnings, *_spent_warnings(spent)),
    )


def is_complete(certificate: Certificate) -> bool:
    """Return whether it ends its trial, so that it is worth keeping."""
    return not {STOPPED, LABELS_WANTED} & set(certificate.warnings)


def certificate_id(certificate: Certificate) -> str:
    """Return the SHA-256 of its canonical JSON, in hexadecimal digits."""
    return hashlib.sha256(canonical_json(certificate).encode()).hexdigest()


def save(store: Store, certificate: Certificate) -> str:
    """Keep a certificate, durably; return its id. The same one twice is kept once."""
    body = canonical_json(certificate)
    key = hashlib.sha256(body.encode()).hexdigest()
    values = (key, certificate.identity.workflow, time_text(certificate.decided_at), body)
    with store.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO certificate VALUES (?, ?, ?, ?)", values)
    return key


def load(store: Store, workflow: str | None = None) -> list[Certificate]:
    """Return the certificates of a workflow, or of all, oldest first.

    Raises:
        LedgerError: when one does not have its id: the store was changed.
    """
    rows = store.rows(
        "SELECT certificate_id, body FROM certificate WHERE workflow = coalesce(?, workflow)"
        " ORDER BY decided_at, certificate_id",
        workflow,
    )
    return [_read(str(key), str(body)) for key, body in rows]


def last(store: Store, workflow: str) -> Certificate | None:
    """Return the newest certificate of a workflow.

    Raises:
        LedgerError: when it does not have its id: the store was changed.
    """
    rows = store.rows(
        "SELECT certificate_id, body FROM certificate WHERE workflow = ?"
        " ORDER BY decided_at DESC, certificate_id DESC LIMIT 1",
        workflow,
    )
    return _read(str(rows[0][0]), str(rows[0][1])) if rows else None


def _read(key: str, body: str) -> Certificate:
    if hashlib.sha256(body.encode()).hexdigest() != key:
        raise LedgerError(
            f"certificate {key[:12]} does not have its id: it was changed",
            "restore .clearbar/facts.db from a backup, or run the trial again",
        )
    values = cast("dict[str, Any]", json.loads(body))
    identity = values["identity"]
    return Certificate(
        identity=Identity(
            **{
                **identity,
                "bar": Bar(**identity["bar"]),
                "error": Error(**identity["error"]),
            }
        ),
        findings=tuple(_finding(each) for each in values["findings"]),
        winner=values["winner"],
        incumbent=values["incumbent"],
        decided_at=datetime.fromisoformat(values["decided_at"]),
        calls=values["calls"],
        spent_usd=Decimal(values["spent_usd"]),
        warnings=tuple(values["warnings"]),
    )


def _finding(values: dict[str, Any]) -> Finding:
    money = {name: None if values[name] is None else Decimal(values[name]) for name in _MONEY}
    floats = {name: float(values[name]) for name in _FLOATS}
    return Finding(**{**values, **money, **floats, "path": tuple(map(_step, values["path"]))})


def _step(values: dict[str, Any]) -> Step:
    return Step(**{name: float(each) for name, each in values.items()} | {"n": values["n"]})


def _with_spent(finding: Finding, spent: Spent | None) -> Finding:
    if spent is None:
        return finding
    return replace(
        finding,
        calls=spent.calls,
        spent_usd=spent.usd,
        spent_unpriced_calls=spent.unpriced_calls,
    )


def _spent_warnings(spent: Mapping[str, Spent]) -> list[str]:
    lost = sum(each.lost_calls for each in spent.values())
    unpriced = sum(each.unpriced_calls for each in spent.values()) - lost
    said = []
    if lost:
        said.append(f"{lost} {_calls(lost)} lost in flight: what {_they(lost)} cost is not known")
    if unpriced:
        said.append(f"what {unpriced} {_calls(unpriced)} cost is not known")
    return said


def _calls(count: int) -> str:
    return "call" if count == 1 else "calls"


def _they(count: int) -> str:
    return "it" if count == 1 else "they"
