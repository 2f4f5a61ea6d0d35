"""The facts of measured saving, read from the charges of the gateway and the outcomes.

A conversation (`admit.arm_draw`: task, run or user, else the trace) is in the hold-out where any of
its calls is. Its cost holds every call that its requests led to: failed ones, fallbacks, both steps
of a cascade. Copies in a shadow are left out: they are what watching costs. Both arms count from
the day on from which there are both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clearbar.core.period import ALL
from clearbar.route.watching.saving import ArmSums, saving
from clearbar.spend.charge import labels_of
from clearbar.spend.engine import connect, load_table
from clearbar.spend.storage.record_files import parquet_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from clearbar.core.period import Period
    from clearbar.core.store import Store
    from clearbar.route.watching.saving import Saving
    from clearbar.spend.storage.ledger import Ledger

LEVEL: Final = 0.95
_SOURCE: Final = "gateway"
_ARMS: Final = frozenset({"tool", "holdout", "fallback", "first", "then", "agree"})
_CALLS: Final = """
CREATE OR REPLACE TEMP TABLE conversation AS
WITH call AS (
  SELECT DISTINCT ON (charge_id) workflow, arm, status, cost_usd, started_at, task_id,
    coalesce(nullif(task_id, ''), nullif(session_id, ''), nullif(who, ''), nullif(trace_id, ''),
      charge_id) AS conversation
  FROM {records} JOIN gateway_origin USING (origin_id)
  WHERE day >= ? AND day < ?
  ORDER BY charge_id, read_at DESC
)
SELECT workflow, conversation, max(task_id) AS task_id, bool_or(arm = 'holdout') AS held,
  min(started_at)::DATE AS began, count(*) FILTER (cost_usd IS NULL) AS unpriced,
  coalesce(sum(cost_usd), 0)::DOUBLE AS cost,
  count(*) FILTER (arm = 'first' OR (arm IN ('tool', 'holdout', 'fallback') AND status = 'ok'))
    AS requests
FROM call GROUP BY workflow, conversation
HAVING bool_or(arm IN ('tool', 'first', 'holdout'))
"""
_SUMS: Final = """
WITH both_from AS (
  SELECT workflow, greatest(min(began) FILTER (held), min(began) FILTER (NOT held)) AS since
  FROM conversation GROUP BY workflow HAVING bool_or(held) AND bool_or(NOT held)
)
SELECT workflow, held, count(*) FILTER (known), {sums}, count(*) FILTER (NOT known)
FROM (SELECT *, unpriced = 0 AS known, {per} AS r, cost AS c FROM conversation {scored})
JOIN both_from USING (workflow) WHERE began >= since GROUP BY workflow, held
"""
_SUMMED: Final = ", ".join(
    f"coalesce(sum({product}) FILTER (known), 0)::DOUBLE"
    for product in ("r", "c", "c*c", "c*r", "r*r")
)
_LATEST_SCORES: Final = """
SELECT workflow, task_id, score FROM outcome WHERE NOT EXISTS (
  SELECT 1 FROM outcome AS later WHERE later.workflow = outcome.workflow
  AND later.task_id = outcome.task_id
  AND (later.scored_at, later.outcome_id) > (outcome.scored_at, outcome.outcome_id))
"""

_Arms = tuple[ArmSums, ArmSums]


def measured_savings(
    ledger: Ledger, store: Store, period: Period = ALL, level: float = LEVEL
) -> dict[str, Saving]:
    """Return what each workflow with a hold-out saves, by workflow.

    Raises:
        LedgerError: when the ledger or the store cannot be read.
    """
    ours = {
        key: (origin.workflow, labels_of(origin.labels).get("arm", ""), origin.principal)
        for key, origin in ledger.origins().items()
        if origin.source == _SOURCE
    }
    origins = [(key, *what) for key, what in ours.items() if what[1] in _ARMS]
    if not any(arm == "holdout" for _, _, arm, _ in origins):
        return {}
    connection = connect(ledger.folder.path / "staging")
    try:
        return _measured(connection, ledger, store, period, level, origins)
    finally:
        connection.close()


def _measured(
    connection: DuckDBPyConnection,
    ledger: Ledger,
    store: Store,
    period: Period,
    level: float,
    origins: list[tuple[Any, ...]],
) -> dict[str, Saving]:
    columns = {"origin_id": "BIGINT", "workflow": "VARCHAR", "arm": "VARCHAR", "who": "VARCHAR"}
    load_table(connection, "gateway_origin", columns, origins)
    records = parquet_sql(ledger.folder.record_files().values())
    connection.execute(_CALLS.format(records=records), [period.start, period.end])
    arms = _sums(connection, _SUMS.format(sums=_SUMMED, per="requests", scored=""))
    scores = store.rows(_LATEST_SCORES)
    scored: dict[str, _Arms] = {}
    if scores:
        kinds = {"workflow": "VARCHAR", "task_id": "VARCHAR", "score": "DOUBLE"}
        load_table(connection, "scored", kinds, scores)
        joined = "JOIN scored USING (workflow, task_id)"
        scored = _sums(connection, _SUMS.format(sums=_SUMMED, per="score", scored=joined))
    found = {
        workflow: saving(workflow, sums, scored.get(workflow), level)
        for workflow, sums in arms.items()
    }
    return {workflow: each for workflow, each in found.items() if each is not None}


def _sums(connection: DuckDBPyConnection, query: str) -> dict[str, _Arms]:
    """Return (hold-out, routed) by workflow, of those that have both."""
    found: dict[tuple[str, bool], ArmSums] = {
        (workflow, held): ArmSums(*sums)
        for workflow, held, *sums in connection.execute(query).fetchall()
    }
    return {
        workflow: (sums, found[workflow, False])
        for (workflow, held), sums in found.items()
        if held and (workflow, False) in found
    }
