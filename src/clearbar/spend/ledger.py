"""The ledger: records appended, charges read. Charges are a function of the set of records."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import UnknownName
from clearbar.spend import queries
from clearbar.spend.append import Appender
from clearbar.spend.columns import STORED
from clearbar.spend.engine import DuckDBEngine, connect
from clearbar.spend.folder import LedgerFolder, Manifest
from clearbar.spend.merge import RANK
from clearbar.spend.record_files import parquet_sql, read_origins
from clearbar.spend.settle import Settling

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import duckdb
    import narwhals as nw

    from clearbar.spend.charge import Origin
    from clearbar.spend.engine import Engine
    from clearbar.spend.prices import PriceBook

_SHORTEST_ID: Final = 4


class Ledger:
    """The ledger in a folder. `engine` runs the queries; None is DuckDB in this process."""

    def __init__(self, path: Path, engine: Engine | None = None) -> None:
        self.folder = LedgerFolder(path)
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
        _, new, joined = self._merge_new()
        if not mine:
            return 0
        if new == frozenset(mine):
            return joined
        files = self.folder.record_files()
        others = [path for name, path in files.items() if name not in mine]
        with Settling(self.folder) as settling:
            return settling.touched([files[name] for name in mine], others)

    def _merge_new(self) -> tuple[Manifest, frozenset[str], int]:
        """Return what the charges are made of now, which files are new in it, and the joined."""
        before = self.folder.manifest()
        files = self.folder.record_files()
        lost = before.covers - files.keys()
        if before.merged and not self.folder.merged_file(before.merged).exists():
            before = Manifest(lost)
        new = {name: path for name, path in files.items() if name not in before.covers}
        if not new:
            return before, frozenset(), 0
        covered = [path for name, path in files.items() if name in before.covers]
        merged = before.merged
        with Settling(self.folder) as settling:
            if joined := settling.touched(list(new.values()), covered):
                merged = settling.publish(list(files.values()), merged)
        settled = Manifest(lost.union(files), merged)
        self.folder.publish_manifest(settled)
        return settled, frozenset(new), joined

    def charges(self) -> nw.LazyFrame[Any] | None:
        """Return all charges, one row each; None while there are none."""
        manifest, _, _ = self._merge_new()  # another process may publish an older one any time
        files = self.folder.record_files()
        records = [files[name] for name in sorted(manifest.covers & files.keys())]
        if not records:
            return None
        merged = None
        if manifest.merged:
            merged = self.engine.parquet([self.folder.merged_file(manifest.merged)])
        return queries.charges(self.engine.parquet(records), merged)

    def origins(self) -> dict[int, Origin]:
        """Return all origins by id."""
        return read_origins(self._connection, list(self.folder.origin_files().values()))

    def records_of(self, prefix: str) -> list[dict[str, Any]]:
        """Return the records of one charge, the winner first, by the beginning of its id.

        Raises:
            UnknownName: when no charge, or more than one, begins like that.
        """
        files = self.folder.record_files()
        found: list[tuple[Any, ...]] = []
        if files and len(prefix) >= _SHORTEST_ID:
            found = self._connection.execute(
                f"""SELECT {", ".join(STORED)} FROM {parquet_sql(files.values())}
                WHERE starts_with(charge_id, ?) ORDER BY charge_id, {RANK} DESC LIMIT 1000""",
                [prefix.lower()],
            ).fetchall()
        rows = [dict(zip(STORED, values, strict=True)) for values in found]
        ids = {row["charge_id"] for row in rows}
        if len(prefix) < _SHORTEST_ID:
            raise UnknownName(f'"{prefix}" is too short', "give at least 4 digits of a charge's id")
        if not ids:
            raise UnknownName(f'no charge begins with "{prefix}"', "see ids: clearbar spend trace")
        if len(ids) > 1:
            raise UnknownName(f'{len(ids)} charges begin with "{prefix}"', "give more digits")
        return rows
