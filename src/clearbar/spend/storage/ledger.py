"""The ledger: records appended, charges read. Charges are a function of the set of records."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from clearbar.core.errors import UnknownName
from clearbar.spend import queries
from clearbar.spend.columns import QUERIED, STORED
from clearbar.spend.engine import DuckDBEngine, connect
from clearbar.spend.storage.append import Appender
from clearbar.spend.storage.folder import LedgerFolder, Manifest
from clearbar.spend.storage.merge import RANK
from clearbar.spend.storage.older_files import COLUMNS_ID, bring_up_to_date
from clearbar.spend.storage.record_files import parquet_sql, read_origins
from clearbar.spend.storage.settle import NONE_UNITED, Settling
from clearbar.spend.worn import INPUT_TOTAL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    import duckdb
    import narwhals as nw

    from clearbar.spend.charge import Origin
    from clearbar.spend.engine import Engine
    from clearbar.spend.prices.book import PriceBook

_SHORTEST_ID: Final = 4


class Ledger:
    """The ledger in a folder. `engine` runs the queries; None is DuckDB in this process."""

    def __init__(self, path: Path, engine: Engine | None = None) -> None:
        self.folder = LedgerFolder(path)
        bring_up_to_date(self.folder)
        self._engine = engine

    @cached_property
    def engine(self) -> Engine:
        """What runs the queries."""
        return self._engine or DuckDBEngine(self._connection)

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return connect(self.folder.path / "staging")  # only once asked for: adding has its own

    def close(self) -> None:
        """Close the connection."""
        if "_connection" in vars(self):
            self._connection.close()

    @property
    def is_whole(self) -> bool:
        """Whether records are here, and none that were here once are gone."""
        return bool(self.folder.record_files()) and not self.folder.lost_files()

    def forget_lost_files(self) -> None:
        """Take the records that are left for all there are; charges are merged of them anew."""
        self.folder.publish_manifest(Manifest())

    def appender(
        self, book: PriceBook, read_at_us: int, held: Collection[Path] | None = None
    ) -> Appender:
        """Return what takes records in.

        `held` are the files of records that may hold the same already; None stands for all.
        """
        return Appender(self.folder, book, read_at_us, held)

    def unsettled(self) -> int:
        """Return how many files of records no merging has taken into account yet."""
        return len(self.folder.record_files().keys() - self.folder.manifest().covers)

    def settle(self, mine: Collection[str] = ()) -> int:
        """Merge the charges that new records touch.

        Return how many records of the files `mine` tell of a charge that an earlier one of them, or
        any other file, tells of too. Safe at any time, in any number of processes: it only reads
        records and publishes a result that says which of them it covers.
        """
        settled, new, joined = self._merge_new()
        if not mine:
            return 0
        if new == frozenset(mine):
            return joined
        files = self.folder.record_files()
        others = [path for name, path in files.items() if name not in mine]
        with Settling(self.folder, settled) as settling:
            return settling.joined([files[name] for name in mine], others)

    def _merge_new(self) -> tuple[Manifest, frozenset[str], int]:
        """Return what the charges are made of now, which files are new in it, and the joined."""
        before = self.folder.manifest()
        files = self.folder.record_files()
        lost = before.covers - files.keys()
        if any(not path.exists() for path in self.folder.derived_files(before).values()):
            before = Manifest(lost)
        new = {name: path for name, path in files.items() if name not in before.covers}
        if not new:
            return before, frozenset(), 0
        covered = [path for name, path in files.items() if name in before.covers]
        with Settling(self.folder, before) as settling:
            joined, derived = settling.settle(list(new.values()), covered)
        settled = replace(derived, covers=lost.union(files), columns=COLUMNS_ID)
        self.folder.publish_manifest(settled)
        return settled, frozenset(new), joined

    def charges(self, columns: Sequence[str] = QUERIED) -> nw.LazyFrame[Any] | None:
        """Return all charges, one row each; None while there are none.

        `columns` are some of `STORED`, `charge_id` among them.
        """
        manifest, _, _ = self._merge_new()  # another process may publish an older one any time
        files = self.folder.record_files()
        records = [files[name] for name in sorted(manifest.covers & files.keys())]
        if not records:
            return None
        derived = self.folder.derived_files(manifest)
        frames = {kind: self.engine.parquet([path]) for kind, path in derived.items()}
        told = self.engine.parquet(records)
        if (united := frames.get("united")) is not None:
            told = told.join(united.select("charge_id"), on="charge_id", how="anti")
        return queries.charges(told, frames.get("merged"), columns)

    def origins(self) -> dict[int, Origin]:
        """Return all origins by id."""
        return read_origins(self._connection, list(self.folder.origin_files().values()))

    def records_of(self, prefix: str) -> list[dict[str, Any]]:
        """Return the records of one charge, the winner first, by the beginning of an id.

        An id that the charge had before it was known to be another's finds it too.

        Raises:
            UnknownName: when no charge, or more than one, begins like that.
        """
        if len(prefix) < _SHORTEST_ID:
            raise UnknownName(f'"{prefix}" is too short', "give at least 4 digits of a charge's id")
        manifest, _, _ = self._merge_new()
        files = self.folder.record_files()
        ids: list[str] = []
        if files:
            self._show_united(manifest)
            found = self._connection.execute(
                f"""SELECT DISTINCT coalesce(united_id, charge_id) FROM (
                    SELECT charge_id FROM {parquet_sql(files.values())}
                    WHERE starts_with(charge_id, $1)) LEFT JOIN united USING (charge_id)
                UNION SELECT united_id FROM united WHERE starts_with(united_id, $1)""",
                [prefix.lower()],
            ).fetchall()
            ids = [charge_id for [charge_id] in found]
        if not ids:
            raise UnknownName(f'no charge begins with "{prefix}"', "see ids: clearbar spend trace")
        if len(ids) > 1:
            raise UnknownName(f'{len(ids)} charges begin with "{prefix}"', "give more digits")
        return self._told_of(ids[0], files.values())

    def _show_united(self, manifest: Manifest) -> None:
        """Make the view `united`: which ids became others."""
        path = self.folder.derived_files(manifest).get("united")
        rows = f"FROM {parquet_sql([path])}" if path else NONE_UNITED
        self._connection.execute(f"CREATE OR REPLACE TEMP VIEW united AS {rows}")

    def _told_of(self, charge_id: str, files: Iterable[Path]) -> list[dict[str, Any]]:
        """Return the records of a charge, the winner first; of thousands the first thousand."""
        columns = ", ".join("r." + name for name in STORED if name != "charge_id")
        found = self._connection.execute(
            f"""
            WITH ids AS (SELECT charge_id, input_total FROM united WHERE united_id = $1),
                 own AS (SELECT $1 AS charge_id, NULL::BIGINT AS input_total
                         WHERE $1 NOT IN (SELECT charge_id FROM united))
            SELECT $1 AS charge_id, {columns} FROM {parquet_sql(files)} r
            JOIN (FROM ids UNION FROM own) i ON i.charge_id = r.charge_id
                AND (i.input_total IS NULL OR i.input_total = {INPUT_TOTAL})
            ORDER BY {RANK} DESC LIMIT 1000""",
            [charge_id],
        ).fetchall()
        names = ["charge_id", *(name for name in STORED if name != "charge_id")]
        return [dict(zip(names, values, strict=True)) for values in found]
