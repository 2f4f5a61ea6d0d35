"""Calls of trials become charges: every answer, every judge's call, every failure that may cost.

A charge names its evidence: its uri is `facts.db#attempt/ID`. Its identity is the provider's own
id of the call, so that a gateway's log of the same call is the same charge; without one it is
`trial:ID`. Where two calls came back under one id, as careless servers do, only the first has it.

Nothing is marked as charged: what the ledger holds, by uri, is charged, and the rest is appended.
So a process that dies at any moment leaves nothing to mend, and when a file of the ledger is lost
its calls are charged anew. Two processes that charge at once append the same record twice, which
changes nothing: a charge is a function of the set of its records.

Costs. What the price book prices carries usage alone: the ledger prices it, with the same book. A
tool's own rates, GPU hours and what is free by declaration go in as declared cost, which stands
before the book. A call of unknown usage is `unpriced`; it is never taken for free.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, cast

from clearbar.spend.charge import TRIAL_SOURCE as SOURCE
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.engine import connect
from clearbar.spend.identity import upstream
from clearbar.spend.storage.append import FileRead
from clearbar.spend.storage.record_files import parquet_sql
from clearbar.trial.attempts import AttemptEnd
from clearbar.trial.running.evidence_rows import usage_of
from clearbar.trial.stored_money import money
from clearbar.trial.stored_time import time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from clearbar.core.store import Store
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger

KIND_LABEL: Final = "trial"
JUDGE_LABEL: Final = "trial-judge"
PARSER_VERSION: Final = 1
_BATCH: Final = 5000
_MICROSECOND: Final = 1_000_000

_CALLS: Final = """
    SELECT a.attempt_id, a.kind, a.workflow, a.trial, a.tool, a.provider, a.model, a.started_at,
           e.ended, e.http_status, e.token_usage, e.cost_usd, e.cost_source, e.model,
           e.upstream_id, e.service_tier, e.speed, e.geo, e.latency_ms, e.finished_at,
           e.upstream_id <> '' AND EXISTS (
               SELECT 1 FROM attempt_end o JOIN attempt b USING (attempt_id)
               WHERE o.upstream_id = e.upstream_id AND b.provider = a.provider
                 AND (o.finished_at, o.attempt_id) < (e.finished_at, e.attempt_id))
    FROM attempt a JOIN attempt_end e USING (attempt_id)
    WHERE a.attempt_id IN (SELECT value FROM json_each(?))
    ORDER BY a.started_at, a.attempt_id"""


@dataclass(frozen=True, slots=True)
class EndedCall:
    """An attempt with its end: what a charge is made of."""

    attempt_id: str
    kind: str
    workflow: str
    trial: str
    tool: str
    provider: str
    model: str
    started_at: datetime
    end: AttemptEnd
    shares_id: bool
    """Whether an earlier call came back under the same upstream id."""


def charge_calls(store: Store, ledger: Ledger, book: PriceBook, now: datetime) -> int:
    """Append the charges of all calls that have ended and are not in the ledger.

    Return how many they are. Safe to repeat at any time, in any number of processes.
    """
    ended = store.rows("SELECT attempt_id FROM attempt_end ORDER BY finished_at")
    if not ended:
        return 0
    held = _charged(ledger)
    due = [str(each) for [each] in ended if uri_of(str(each)) not in held]
    charged = 0
    with ledger.appender(book, int(now.timestamp() * _MICROSECOND)) as appender:
        for start in range(0, len(due), _BATCH):
            for call in _ended_calls(store, due[start : start + _BATCH]):
                if call.end.may_have_cost:
                    appender.begin(FileRead(uri_of(call.attempt_id), SOURCE, PARSER_VERSION))
                    appender.add(record_of(call))
                    charged += 1
            appender.seal()
        published = list(appender.published)
    ledger.settle(published)
    return charged


def record_of(call: EndedCall) -> Record:
    """Return what a call tells the ledger."""
    end = call.end
    usage = end.usage
    told = {} if usage is None else {name: getattr(usage, name) for name in usage.__slots__}
    failed = end.ended != "answered"
    return Record(
        identity=_identity(call),
        evidence="client",
        origin=Origin(
            source=SOURCE,
            provider=call.provider,
            model=end.model or call.model,
            workflow=call.workflow,
            labels=label_text(
                {
                    "kind": JUDGE_LABEL if call.kind == "judge" else KIND_LABEL,
                    "tool": call.tool,
                    "trial": call.trial[:12],
                }
            ),
        ),
        started_at_us=_us(call.started_at),
        ended_at_us=_us(end.finished_at),
        status=_status(end) if failed else "ok",
        usage="missing" if usage is None else "final",
        service_tier=end.service_tier,
        speed=end.speed,
        geo=end.geo,
        reported_cost_usd=end.cost_usd if end.cost_source == "declared" else None,
        reported_basis="declared" if end.cost_source == "declared" else "estimated",
        upstream_id=end.upstream_id,
        latency_ms=end.latency_ms,
        **told,
    )


def _status(end: AttemptEnd) -> Any:
    """Return how a call without an answer stands in the ledger.

    An `error` without usage is free there; `cancelled` is not known, which is what a call is that
    broke off on the way or was lost.
    """
    return "error" if end.usage is not None else "cancelled"


def uri_of(attempt_id: str) -> str:
    """Return where a charge's evidence stands."""
    return f"facts.db#attempt/{attempt_id}"


def _identity(call: EndedCall) -> str:
    if not call.end.upstream_id or call.shares_id:
        return f"{SOURCE}:{call.attempt_id}"
    return upstream(call.provider, call.end.upstream_id)


def _charged(ledger: Ledger) -> set[str]:
    """Return the uris of the calls whose records the ledger holds."""
    files = ledger.folder.record_files()
    if not files:
        return set()
    connection = connect(ledger.folder.path / "staging")
    try:
        rows = connection.execute(  # our own paths, quoted
            f"SELECT DISTINCT uri FROM {parquet_sql(files.values())} WHERE source = ?",  # noqa: S608
            [SOURCE],
        ).fetchall()
    finally:
        connection.close()
    return {uri for [uri] in rows}


def _ended_calls(store: Store, attempt_ids: Sequence[str]) -> list[EndedCall]:
    return [_call(row) for row in store.rows(_CALLS, json.dumps(attempt_ids))]


def _call(row: tuple[object, ...]) -> EndedCall:
    values = cast("tuple[Any, ...]", row)
    (attempt_id, kind, workflow, trial, tool, provider, asked_model, started_at) = values[:8]
    ended, status, usage, cost, source, model, upstream_id, tier, speed, geo = values[8:18]
    latency, finished, shares_id = values[18:]
    end = AttemptEnd(
        attempt_id,
        ended,
        time(finished),
        http_status=status,
        usage=usage_of(usage),
        cost_usd=money(cost),
        cost_source=source,
        model=model,
        upstream_id=upstream_id,
        service_tier=tier,
        speed=speed,
        geo=geo,
        latency_ms=latency,
    )
    names = (attempt_id, kind, workflow, trial, tool, provider, asked_model)
    return EndedCall(*names, time(started_at), end, bool(shares_id))


def _us(at: datetime) -> int:
    """Return microseconds since 1970, exactly."""
    whole = at.astimezone(UTC).replace(microsecond=0)
    return int(whole.timestamp()) * _MICROSECOND + at.microsecond
