"""Whether the ledger is whole: every file readable, every origin there, every row sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from clearbar.core.errors import LedgerError, Problem
from clearbar.spend.charge import BASES, METERS
from clearbar.spend.columns import STORED
from clearbar.spend.engine import connect
from clearbar.spend.storage.links import TELLING, aliases_sql
from clearbar.spend.storage.record_files import parquet_sql, read_origins
from clearbar.spend.storage.uniting import MOST_IDENTITIES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clearbar.spend.storage.folder import LedgerFolder
    from clearbar.spend.storage.ledger import Ledger

_RESTORE = "restore the file, or delete it and add the usage files again"
_DERIVED = "delete {}: what is derived is made anew from the records"
_COLUMNS = {
    "merged": STORED,
    "united": {"charge_id": "VARCHAR", "input_total": "BIGINT", "united_id": "VARCHAR"},
    "links": {"charge_id": "VARCHAR", "alias": "VARCHAR"},
}
_APART = (
    "their records stand apart, and what is one call may count twice: see which program gives one"
    " id to many calls"
)
_ADD_AGAIN = "restore the file, or add the usage files again: then they are read anew"


def verify_ledger(ledger: Ledger) -> list[Problem]:
    """Return what is wrong with the files of a ledger; nothing for a sound one."""
    connection = connect(ledger.folder.path / "staging")
    try:
        files = list(ledger.folder.record_files().values())
        problems = _folder_problems(connection, ledger.folder)
        for path in files:
            problems += _file_problems(connection, path, _RESTORE, STORED)
        if problems or not files:
            return problems
        problems = _row_problems(connection, ledger, files)
        return problems + _id_problems(connection, ledger.folder, files)
    finally:
        connection.close()


def _folder_problems(connection: duckdb.DuckDBPyConnection, folder: LedgerFolder) -> list[Problem]:
    try:
        derived = folder.derived_files(folder.manifest())
        lost = [Problem(f"{path} is missing", _ADD_AGAIN) for path in folder.lost_files()]
    except LedgerError as error:
        return [Problem(error.message, error.hint)]
    hint = _DERIVED.format(folder.path / "manifest.json")
    return lost + [
        problem
        for kind, path in derived.items()
        for problem in _file_problems(connection, path, hint, _COLUMNS[kind])
    ]


def _file_problems(
    connection: duckdb.DuckDBPyConnection, path: Path, hint: str, columns: Mapping[str, str]
) -> list[Problem]:
    try:
        rows = parquet_sql([path])
        described = connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()
        connection.execute(f"SELECT max(COLUMNS(*)) FROM {rows}")  # reads every page
    except duckdb.Error:
        return [Problem(f"{path} cannot be read", hint)]
    found = {name: kind for name, kind, *_ in described}
    if found != columns:
        wrong = sorted(set(found.items()) ^ set(columns.items()))
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
        "a negative quantity": f"least(calls, {', '.join(METERS)}) < 0",
        "a negative cost that no bill says": "cost_usd < 0 AND grain <> 'bill'",
    }
    for what, wrong in checks.items():
        [count] = connection.execute(f"SELECT count(*) FROM {rows} WHERE {wrong}").fetchone() or (
            0,
        )
        if count:
            problems.append(Problem(f"{count:,} records have {what}", _RESTORE))
    return problems


def _id_problems(
    connection: duckdb.DuckDBPyConnection, folder: LedgerFolder, files: list[Path]
) -> list[Problem]:
    """Return which ids are of several calls, so that they unite nothing."""
    shared = f"""SELECT alias, count(DISTINCT charge_id) AS charges
        FROM {aliases_sql(files)} GROUP BY alias HAVING charges > 1"""
    [plain, many] = connection.execute(
        f"""SELECT count(*) FILTER (NOT {TELLING}),
            count(*) FILTER ({TELLING} AND charges > {MOST_IDENTITIES}) FROM ({shared})"""
    ).fetchone() or (0, 0)
    worn = 0
    if path := folder.derived_files(folder.manifest()).get("united"):
        [worn] = connection.execute(
            f"""SELECT count(DISTINCT charge_id) FROM {parquet_sql([path])}
            WHERE input_total IS NOT NULL"""
        ).fetchone() or (0,)
    found = {
        "ids that several calls share are too short or too plain to be of one": plain,
        f"ids are of more than {MOST_IDENTITIES} calls": many,
        "ids of answers are of several calls, told apart by their input": worn,
    }
    return [Problem(f"{count:,} {what}", _APART) for what, count in found.items() if count]
