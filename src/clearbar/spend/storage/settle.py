"""Finds the charges of which several records tell, and publishes what they merge to.

Records tell of one charge where they have one identity, or identities that hang together (see
`uniting`). The id of a charge is made of one of its identities: the provider's before a gateway's,
a span's, a client's; of several, the first by their letters. So it changes only when something
better becomes known, and the ids that it had find it still. Only an id that several calls share is
none of theirs (see `worn`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Self

from msgspec.structs import replace

from clearbar.spend.engine import connect, load_table
from clearbar.spend.storage.folder import Manifest, new_name
from clearbar.spend.storage.links import any_alias, find_links, speaks_of_links, unite
from clearbar.spend.storage.merge import RANK, heads_sql, merged_sql, united
from clearbar.spend.storage.older_files import renew
from clearbar.spend.storage.record_files import (
    parquet_sql,
    publish_origins,
    publish_records,
    publish_table,
    read_origins,
)
from clearbar.spend.worn import INPUT_TOTAL, NEWEST_READING, WORN_ID, doubtful_sql, worn_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clearbar.spend.storage.folder import LedgerFolder

_THREADS: Final = 1
"""More would each hold a row group of every column: reading logs is to fit into 300 MB."""
_MEMORY: Final = "160MB"
NONE_UNITED: Final = (
    "SELECT '' AS charge_id, NULL::BIGINT AS input_total, '' AS united_id WHERE false"
)
"""SQL of a ledger in which no id became another."""


class Settled(NamedTuple):
    """What one look at new records gave."""

    joined: int
    """How many of them tell of a charge that an earlier new or an old one tells of."""
    derived: Manifest
    """The names of the derived files of all."""


class Settling:
    """One look at new records beside those that `before` covers. Use as a context manager."""

    def __init__(self, folder: LedgerFolder, before: Manifest) -> None:
        self._folder = folder
        self._before = before
        self._earlier = folder.derived_files(before)
        self._connection = connect(folder.path / "staging", _MEMORY, threads=_THREADS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def settle(self, new: Sequence[Path], old: Sequence[Path]) -> Settled:
        """Take new records into account; publish what changes."""
        renew(self._connection, self._folder, new)  # an earlier version may still be writing
        self._find_repeated(new, old)
        before = self._before
        aliases = before.aliases or any_alias(self._connection, new)
        derived = replace(before, covers=frozenset(), aliases=aliases)
        more_links = aliases and find_links(self._connection, new, old, self._earlier.get("links"))
        if more_links:
            derived = replace(derived, links=self._publish_links())
        if not (derived.links or before.united or self._any("repeated")):
            return Settled(0, derived)
        more_worn = self._find_worn([*new, *old])
        if derived.links and (more_links or more_worn or speaks_of_links(self._connection)):
            unite(self._connection, [*new, *old])
        else:
            self._connection.execute(
                """INSERT INTO united
                SELECT charge_id, united_id FROM was_united WHERE input_total IS NULL"""
            )
        joined = self._joined(new, old)
        if self._find_touched():
            derived = self._publish([*new, *old], derived)
        return Settled(joined, derived)

    def joined(self, mine: Sequence[Path], others: Sequence[Path]) -> int:
        """Return how many records tell of a charge that an earlier one or another tells of.

        All of them are settled.
        """
        self._find_repeated(mine, others)
        self._connection.execute(
            """
            INSERT INTO united SELECT DISTINCT charge_id, united_id FROM was_united;
            CREATE TEMP TABLE worn AS
                SELECT DISTINCT charge_id FROM was_united WHERE input_total IS NOT NULL"""
        )
        return self._joined(mine, others)

    def _find_repeated(self, new: Sequence[Path], old: Sequence[Path]) -> None:
        """Make `fresh`: the ids of new records and how many have each; and `known`: by old ones."""
        before = f"SELECT charge_id FROM {parquet_sql(old)}" if old else "SELECT '' WHERE false"
        earlier = self._earlier.get("united")
        was = f"FROM {parquet_sql([earlier])}" if earlier else NONE_UNITED
        self._connection.execute(
            f"""
            CREATE TEMP TABLE fresh AS
                SELECT charge_id, count(*) AS n FROM {parquet_sql(new)} GROUP BY ALL;
            CREATE TEMP TABLE known AS
                SELECT DISTINCT charge_id FROM ({before}) o(charge_id)
                SEMI JOIN fresh USING (charge_id);
            CREATE TEMP TABLE repeated AS
                SELECT charge_id FROM fresh WHERE n > 1 UNION SELECT charge_id FROM known;
            CREATE TEMP TABLE was_united AS {was};
            CREATE TEMP TABLE united (charge_id VARCHAR, united_id VARCHAR)"""
        )

    def _find_worn(self, files: Sequence[Path]) -> bool:
        """Make `worn`: the ids that several calls share; return whether any may be new."""
        records = parquet_sql(files)
        self._connection.execute(
            f"""
            CREATE TEMP TABLE worn AS
                SELECT DISTINCT charge_id FROM was_united WHERE input_total IS NOT NULL;
            CREATE TEMP TABLE doubtful AS {doubtful_sql(records, "repeated")}"""
        )
        if not self._any("doubtful"):
            return False
        worn = worn_sql(records, "doubtful")
        self._connection.execute(f"INSERT INTO worn ({worn} EXCEPT FROM worn)")
        return True

    def _joined(self, new: Sequence[Path], old: Sequence[Path]) -> int:
        """Return how many of the fresh records tell of a charge that another tells of before.

        Each but the first of an id, and that too where an old record has it. Of ids that are one
        charge all but the first, or all of them. Of a worn id, where each input is a charge, all
        but the first of an input.
        """
        [joined] = self._connection.execute(
            """
            SELECT (SELECT coalesce(sum(n) - count(*), 0) FROM fresh)
                + (SELECT count(*) FROM known)
                + (SELECT coalesce(sum(fresh - 1 + old), 0) FROM (
                    SELECT count(*) FILTER (is_fresh AND NOT is_known) AS fresh,
                           max(NOT is_fresh OR is_known)::INTEGER AS old
                    FROM (SELECT united_id, charge_id IN (SELECT charge_id FROM fresh) AS is_fresh,
                                 charge_id IN (FROM known) AS is_known FROM united)
                    GROUP BY united_id HAVING bool_or(is_fresh)))"""
        ).fetchone() or (0,)
        return int(joined) - self._told_apart(new, old)

    def _told_apart(self, new: Sequence[Path], old: Sequence[Path]) -> int:
        """Return how many charges fresh records with worn ids tell of, beyond one for each id."""
        if not self._any("worn"):
            return 0
        held = f"UNION ALL BY NAME SELECT *, true AS held FROM {parquet_sql(old)}" if old else ""
        [more] = self._connection.execute(
            f"""
            SELECT count(*) FILTER (NOT held) - (
                SELECT count(*) FROM fresh SEMI JOIN worn USING (charge_id)
                WHERE charge_id NOT IN (FROM known))
            FROM (SELECT own_id, bool_or(held) AS held FROM (
                SELECT {WORN_ID} AS own_id, held
                FROM (SELECT *, false AS held FROM {parquet_sql(new)} {held})
                SEMI JOIN worn USING (charge_id) QUALIFY {NEWEST_READING})
                GROUP BY own_id)"""
        ).fetchone() or (0,)
        return int(more)

    def _find_touched(self) -> bool:
        """Make `touched`: the ids whose charges change, with the charges'; return whether any do.

        And `dropped`, the ids of charges that are no more what they were.
        """
        self._connection.execute(
            """
            CREATE TEMP TABLE changed AS
                (SELECT charge_id, united_id FROM was_united WHERE input_total IS NULL
                 EXCEPT FROM united)
                UNION (FROM united EXCEPT SELECT charge_id, united_id FROM was_united);
            CREATE TEMP TABLE moved AS
                FROM repeated UNION SELECT charge_id FROM changed
                UNION SELECT charge_id FROM united SEMI JOIN fresh USING (charge_id);
            CREATE TEMP TABLE touched AS
                SELECT charge_id, coalesce(united_id, charge_id) AS united_id,
                       charge_id IN (FROM worn) AS worn
                FROM (
                    FROM moved UNION
                    SELECT charge_id FROM united SEMI JOIN
                        (SELECT united_id FROM united SEMI JOIN moved USING (charge_id))
                        USING (united_id)) LEFT JOIN united USING (charge_id);
            CREATE TEMP TABLE dropped AS
                SELECT charge_id FROM touched UNION SELECT united_id FROM touched
                UNION SELECT united_id FROM was_united SEMI JOIN touched USING (charge_id)"""
        )
        return self._any("touched")

    def _publish(self, files: Sequence[Path], derived: Manifest) -> Manifest:
        """Publish the touched charges, merged, beside those that stay; return the new names.

        The winners are found in a few columns; only their rows are then read whole.
        """
        name = new_name(len(files))
        place = "file_index << 40 | file_row_number AS place"
        records = f"(SELECT *, {place} FROM {parquet_sql(files)})"
        touched = f"(SELECT r.*, united_id, worn FROM {records} r JOIN touched USING (charge_id))"
        if self._any("worn"):
            own = f"CASE WHEN worn THEN {WORN_ID} ELSE united_id END AS united_id"
            touched = f"""(SELECT * REPLACE ({own}) FROM {touched}
                QUALIFY NOT worn OR {NEWEST_READING})"""
        self._connection.execute(f"CREATE TEMP TABLE head AS {heads_sql(touched)}")
        self._unite_origins(touched, name)
        rows = merged_sql(records, "head", "(witnessed JOIN whole USING (origin_ids))")
        if merged := self._earlier.get("merged"):
            kept = parquet_sql([merged])
            rows += f" UNION ALL BY NAME SELECT * FROM {kept} ANTI JOIN dropped USING (charge_id)"
        target = self._folder.merged_file(name)
        publish_records(self._connection, target, self._folder, f"({rows})")
        return replace(derived, merged=name, united=self._publish_united(touched, name))

    def _publish_united(self, touched: str, name: str) -> str | None:
        """Publish which ids became others; return the file's name, None where none did."""
        self._connection.execute(
            f"""
            CREATE TEMP TABLE now_united AS
            SELECT charge_id, NULL::BIGINT AS input_total, united_id FROM united
            UNION ALL
            SELECT DISTINCT charge_id, {INPUT_TOTAL}, united_id FROM {touched} WHERE worn
            UNION ALL
            SELECT charge_id, input_total, united_id FROM was_united
            ANTI JOIN touched USING (charge_id) WHERE input_total IS NOT NULL"""
        )
        if not self._any("now_united"):
            return None
        publish_table(self._connection, self._folder.united_file(name), self._folder, "now_united")
        return name

    def _publish_links(self) -> str:
        name = new_name(0)
        publish_table(self._connection, self._folder.links_file(name), self._folder, "link")
        return name

    def _any(self, table: str) -> bool:
        return self._connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None

    def _unite_origins(self, touched: str, name: str) -> None:
        """Make `whole`: the winners' origins, completed by what their other witnesses know."""
        self._connection.execute(
            f"""
            CREATE TEMP TABLE witnessed AS
            SELECT head.place, list(origin_id ORDER BY {RANK} DESC) AS origin_ids
            FROM {touched} r JOIN head USING (united_id) WHERE differ GROUP BY head.place"""
        )
        groups = self._connection.execute("SELECT DISTINCT origin_ids FROM witnessed").fetchall()
        whole = {}
        if groups:
            known = read_origins(self._connection, list(self._folder.origin_files().values()))
            for [ids] in groups:
                whole[tuple(ids)] = united([known[key] for key in dict.fromkeys(ids)])
            publish_origins(self._connection, self._folder, name, list(set(whole.values())))
        rows = [(list(ids), origin.origin_id) for ids, origin in whole.items()]
        columns = {"origin_ids": "BIGINT[]", "united_origin_id": "BIGINT"}
        load_table(self._connection, "whole", columns, rows)
