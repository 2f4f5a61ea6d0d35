"""A ledger of any size, made by SQL in the files of a real one. Deterministic.

300 workflows use 40 models over 91 days; each file holds consecutive days, as logs come in.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from clearbar.own.workflow import MatchRule, Workflow
from clearbar.spend.charge import Origin
from clearbar.spend.columns import STORED
from clearbar.spend.engine import connect, load_table, quoted
from clearbar.spend.storage.ledger import Ledger
from clearbar.spend.storage.record_files import publish_origins, publish_records

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOWS = 300
MODELS = 40
FIRST_DAY = date(2026, 6, 2)
DAYS = 91
END = FIRST_DAY + timedelta(days=DAYS)
_FILE_RECORDS = 500_000


def workflows() -> list[Workflow]:
    """Return the workflows; each takes the calls of one service."""
    return [
        Workflow(f"workflow-{n}", match_rules=(MatchRule((("service", (f"service-{n}",)),)),))
        for n in range(WORKFLOWS)
    ]


def make_ledger(folder: Path, count: int) -> None:
    """Write that many charges and their origins, and settle them."""
    ledger = Ledger(folder)
    origins = [_origin(workflow, model) for workflow in range(WORKFLOWS) for model in range(MODELS)]
    with connect(folder / "staging", threads=1) as connection:
        rows = [(number, origin.origin_id) for number, origin in enumerate(origins)]
        load_table(connection, "origin", {"number": "INTEGER", "origin_id": "BIGINT"}, rows)
        publish_origins(connection, ledger.folder, "all", origins)
        for start in range(0, count, _FILE_RECORDS):
            target = ledger.folder.record_file(f"{start:012d}")
            rows_sql = _records_sql(start, min(count, start + _FILE_RECORDS), count)
            publish_records(connection, target, ledger.folder, f"({rows_sql})")
    ledger.settle()
    ledger.close()


def _origin(workflow: int, model: int) -> Origin:
    return Origin(
        source="litellm",
        provider="anthropic" if model % 2 else "openai",
        model=f"model-{model}",
        service=f"service-{workflow}",
    )


def _records_sql(start: int, end: int, count: int) -> str:
    """Return SQL of the charges of a range; what it does not name is null or empty."""
    first = f"TIMESTAMP '{FIRST_DAY}'"
    began = f"{first} + to_microseconds(i * {DAYS * 86_400_000_000 // count})"
    made = {
        "charge_id": "substr(sha256(i::VARCHAR), 1, 24)",
        "started_at": began,
        "day": f"({began})::DATE",
        "identity": "'gateway:litellm:' || md5(i::VARCHAR)",
        "evidence": "3",
        "final": "2",
        "grain": "'call'",
        "calls": "1",
        "status": "'ok'",
        "usage": "'final'",
        "input_tokens": _random("a", 60_000),
        "cache_read_tokens": _random("b", 150_000),
        "cache_write_5m_tokens": f"CASE WHEN number % 2 = 1 THEN {_random('c', 20_000)} END",
        "output_tokens": _random("d", 8_000),
        "basis": f"CASE {_random('e', 20)} WHEN 0 THEN 'unpriced' WHEN 1 THEN 'estimated'"
        " ELSE 'priced' END",
        "cost_usd": f"CASE WHEN {_random('e', 20)} > 0"
        f" THEN {_random('f', 10**9)}::DECIMAL(38,0) * 0.000000001 END",
        "session_id": f"md5({_random('g', count // 20 + 1)}::VARCHAR)",
        "source": "'litellm'",
        "parser_version": "1",
        "uri": "'/exports/' || (i // 100000) || '.jsonl'",
        "line": "i % 100000",
        "byte_offset": "i % 100000 * 700",
        "byte_length": "700",
        "digest": "substr(md5(i::VARCHAR), 1, 16)",
        "lines": "1",
        "read_at": first,
    }
    texts = {name: quoted("") for name, kind in STORED.items() if kind == "VARCHAR"}
    nulls = dict.fromkeys(STORED, "NULL") | texts | {"price_id": "NULL", "price_version": "NULL"}
    values = {**nulls, "origin_id": "origin_id", **made}
    columns = ", ".join(f"({values[name]})::{kind} AS {name}" for name, kind in STORED.items())
    return f"""
        SELECT {columns}
        FROM (SELECT i, {_random("h", WORKFLOWS * MODELS)} AS number
              FROM range({start}, {end}) r(i)) JOIN origin USING (number)"""


def _random(salt: str, limit: int) -> str:
    """Return SQL of a number below a limit that depends on the row's number alone."""
    return f"(hash(i, '{salt}') % {limit})::BIGINT"
