"""Whether the ledger is whole: every file readable, every origin there, every row sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from clearbar.core.errors import LedgerError, Problem
from clearbar.spend.charge import BASES, METERS
from clearbar.spend.columns import STORED
from clearbar.spend.engine import connect
from clearbar.spend.record_files import parquet_sql, read_origins

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.folder import LedgerFolder
    from clearbar.spend.ledger import Ledger

_RESTORE = "restore the file, or delete it and add the usage files again"
_ADD_AGAIN = "restore the file, or add the usage files again: then they are read anew"


def verify_ledger(ledger: Ledger) -> list[Problem]:
    """Return what is wrong with the files of a ledger; nothing for a sound one."""
    connection = connect(ledger.folder.path / "staging")
    try:
        files = list(ledger.folder.record_files().values())
        problems = _folder_problems(connection, ledger.folder)
        for path in files:
            problems += _file_problems(connection, path, _RESTORE)
        if problems or not files:
            return problems
        return _row_problems(connection, ledger, files)
    finally:
        connection.close()


def _folder_problems(connection: duckdb.DuckDBPyConnection, folder: LedgerFolder) -> list[Problem]:
    try:
        merged = folder.manifest().merged
        lost = [Problem(f"{path} is missing", _ADD_AGAIN) for path in folder.lost_files()]
    except LedgerError as error:
        return [Problem(error.message, error.hint)]
    if merged is None:
        return lost
    hint = f"delete {folder.path / 'manifest.json'}: both are made anew from the records"
    return [*lost, *_file_problems(connection, folder.merged_file(merged), hint)]


def _file_problems(connection: duckdb.DuckDBPyConnection, path: Path, hint: str) -> list[Problem]:
    try:
        rows = parquet_sql([path])
        described = connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()
        connection.execute(f"SELECT max(COLUMNS(*)) FROM {rows}")  # reads every page
    except duckdb.Error:
        return [Problem(f"{path} cannot be read", hint)]
    found = {name: kind for name, kind, *_ in described}
    if found != STORED:
        wrong = sorted(set(found.items()) ^ set(STORED.items()))
        return [Problem(f"{path} has other columns: {wrong[0][0]}", hint)]
    return []


def _row_problems(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger, files: list[Path]
) -> list[Problem]:
    known = read_origins(connection, list(ledger.folder.origin_files().values()))
    rows = parquet_sql(files)
    problems = [
        Problem(f"origin {key} is {'altered' if key in known else 'missing'}", _RESTORE)
        for [key] in connection.execute(f"SELECT DISTINCT origin_id FROM {rows}").fetchall()
        if key not in known or known[key].origin_id != key
    ]
    bases = ", ".join(f"'{basis}'" for basis in BASES)
    checks = {
        "an id that is not its identity's": "charge_id != substr(sha256(identity), 1, 24)",
        "a basis that does not exist": f"basis NOT IN ({bases})",
        "a cost where it is unpriced, or none where it is not": (
            "(basis = 'unpriced') != (cost_usd IS NULL)"
        ),
        "a negative quantity": f"least(calls, cost_usd, {', '.join(METERS)}) < 0",
    }
    for what, wrong in checks.items():
        [count] = connection.execute(f"SELECT count(*) FROM {rows} WHERE {wrong}").fetchone() or (
            0,
        )
        if count:
            problems.append(Problem(f"{count:,} records have {what}", _RESTORE))
    return problems
