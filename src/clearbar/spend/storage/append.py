"""Records in, record files out: gathered, priced, checked against what is known, published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from clearbar.spend.charge import EVIDENCE_RANK, digest_of
from clearbar.spend.columns import COST_TYPE, SHARED, STORED, TAKEN
from clearbar.spend.engine import connect, quoted
from clearbar.spend.prices import pricing
from clearbar.spend.prices.price_rows import enum
from clearbar.spend.storage.arrays import array_of, shown
from clearbar.spend.storage.batch import NANO_DOLLARS, Batch, kind_of, unsaid
from clearbar.spend.storage.folder import new_name
from clearbar.spend.storage.record_files import parquet_sql, publish_origins, publish_records

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from clearbar.spend.charge import Origin, Record
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.batch import Kind
    from clearbar.spend.storage.folder import LedgerFolder

BATCH_RECORDS: Final = 50_000
_BATCH_CHARACTERS: Final = 48_000_000
"""A batch of more is published at once, so that whatever records say, it fits into memory."""
_MEMORY: Final = "160MB"
_TEXTS: Final = ("identity", "aliases", "trace_id", "session_id", "task_id")
_MAX_CHARACTERS: Final = 1_000_000
"""Of the names and ids of one record."""


@dataclass(frozen=True, slots=True)
class FileRead:
    """The file that records come from."""

    uri: str
    source: str
    parser_version: int


class Appender:
    """Takes records; publishes them in batches. Nothing is acknowledged before `seal` returns."""

    def __init__(
        self,
        folder: LedgerFolder,
        book: PriceBook,
        read_at_us: int,
        held: Collection[Path] | None = None,
    ) -> None:
        """`held` are the files that may hold the same records already; None stands for all."""
        self.known = 0
        """Of the records published so far, those that the ledger already held, to the byte."""
        self.published: list[str] = []
        """Names of the record files made so far."""
        self.pending = 0
        """Records taken and not yet published."""
        self._folder = folder
        self._book = book
        self._read_at_us = read_at_us
        self._encoder = msgspec.json.Encoder()
        self._held = list(folder.record_files().values() if held is None else held)
        self._connection = connect(folder.path / "staging", _MEMORY, threads=1)
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what was taken and not sealed."""
        self._connection.close()

    def begin(self, file: FileRead) -> None:
        """Say from which file the next records come."""
        self._file = file
        self._origin: Origin | None = None

    def add(self, record: Record) -> bool:
        """Take a record of the file last begun; False if its names and ids are absurdly long."""
        if not record.digest:
            record = msgspec.structs.replace(record, digest=self._content_digest(record))
        origin, shared = kind_of(record)
        if origin is not self._origin or shared != self._shared:
            self._turn_to(origin, shared)
        characters = self._shared_characters + len(record.identity) + len(record.session_id)
        characters += len(record.aliases)
        characters += len(record.trace_id) + len(record.task_id)
        if characters >= _MAX_CHARACTERS:
            return False
        self._batch.add(record, self._given_number)
        self.pending += 1
        self._pending_characters += characters
        if self._pending_characters >= _BATCH_CHARACTERS:
            self.seal()
        return True

    def add_all(
        self, columns: Mapping[str, Sequence[Any]], kinds: Sequence[Kind], numbers: Sequence[int]
    ) -> None:
        """Take records of the file last begun as columns; none may have absurdly long names or ids.

        `columns` are fields of `TAKEN`, of which each record has a digest; what is not there is the
        default; `NANO_DOLLARS` may be one. `numbers` say which of the kinds each record is of.
        """
        given = [self._given.setdefault((self._file, *kind), len(self._given)) for kind in kinds]
        self._batch.add_all(columns, [given[number] for number in numbers])
        self.pending += len(numbers)
        for name in _TEXTS:
            self._pending_characters += sum(map(len, columns.get(name, ())))
        if self._pending_characters >= _BATCH_CHARACTERS:
            self.seal()

    def places(self, identities: Sequence[str], source: str) -> list[tuple[str, str, int]]:
        """Return which of some identities the ledger has, of one source, and where each stands.

        An identity, the uri of its file and the place in it: of each identity one of its records.
        """
        files = self._folder.record_files()
        if not files or not identities:
            return []
        column = {"identity": array_of(identities, "VARCHAR")}
        with shown(self._connection, "asked", {"identity": "VARCHAR"}, column):
            return self._connection.execute(
                f"""SELECT identity, any_value(uri), any_value(byte_offset)
                FROM {parquet_sql(files.values())} SEMI JOIN asked USING (identity)
                WHERE source = ? GROUP BY identity""",
                [source],
            ).fetchall()

    def _turn_to(self, origin: Origin, shared: tuple[str, ...]) -> None:
        """Note what the next record shares with many others: its file, its origin and more."""
        self._origin, self._shared = origin, shared
        self._shared_characters = sum(map(len, (*msgspec.structs.astuple(origin), *shared)))
        if self._shared_characters < _MAX_CHARACTERS:
            key = (self._file, origin, shared)
            self._given_number = self._given.setdefault(key, len(self._given))

    def _content_digest(self, record: Record) -> str:
        """Return what stands for a record that has no line of its own: what it says, not where."""
        placeless = msgspec.structs.replace(record, line=None, offset=None, length=None, lines=1)
        return digest_of(self._encoder.encode(placeless))

    def seal(self) -> None:
        """Publish what is pending. On return it is durable."""
        if self.pending:
            self._stage()
            known = self._drop_known()
            if known < self.pending:
                self._publish()
            self.known += known
            self._connection.execute("DROP VIEW staged; DROP TABLE own")
        self._start()

    def _start(self) -> None:
        self._batch = Batch()
        self.pending = 0
        self._pending_characters = 0
        self._given: dict[tuple[FileRead, Origin, tuple[str, ...]], int] = {}
        self._origin = None

    def _stage(self) -> None:
        """Make `staged`: each record with what it shares with others, which stands in `given`.

        What all records leave out stands in no table.
        """
        self._fill_given()
        own: list[str] = []
        rest: list[str] = []
        for name, (sql, *fields) in _OWN.items():
            told = [self._batch.tells(field) for field in fields]
            values = (
                f'"{field}"' if is_told else unsaid(field)
                for field, is_told in zip(fields, told, strict=True)
            )
            (own if any(told) else rest).append(f"{sql.format(*values)} AS {name}")
        with self._batch.shown(self._connection, "taken"):
            self._connection.execute(
                f"CREATE TEMP TABLE own AS SELECT row_id, given_number, {', '.join(own)} FROM taken"
            )
        self._batch = Batch()
        rest.append(f"make_timestamp({self._read_at_us}) AS read_at")
        self._connection.execute(
            f"""
            CREATE TEMP VIEW staged AS
            SELECT *, {", ".join(rest)}
            FROM own JOIN given USING (given_number)"""
        )

    def _fill_given(self) -> None:
        models = self._book.resolve({(o.provider, o.model) for _, o, _ in self._given})
        rows = [
            (
                number,
                f.uri,
                f.source,
                f.parser_version,
                *self._priced_as(o, models),
                *_ranked(shared),
            )
            for (f, o, shared), number in self._given.items()
        ]
        columns = {"given_number": "BIGINT", "uri": "VARCHAR", "source": "VARCHAR"}
        columns |= {"parser_version": "INTEGER", "origin_id": "BIGINT", "provider": "VARCHAR"}
        columns |= dict.fromkeys(("model", "price_model", "agreements"), "VARCHAR")
        columns |= {**SHARED, "evidence": "TINYINT"}
        values = dict(zip(columns, zip(*rows, strict=True), strict=True))
        arrays = {name: array_of(column, columns[name]) for name, column in values.items()}
        types = {**columns, **{name: _few(values[name]) for name in _SHARED_TEXTS}}
        typed = ", ".join(f"{name}::{kind} AS {name}" for name, kind in types.items())
        with shown(self._connection, "given_rows", columns, arrays):
            self._connection.execute(
                f"CREATE OR REPLACE TEMP TABLE given AS SELECT {typed} FROM given_rows"
            )

    def _priced_as(
        self, origin: Origin, models: Mapping[tuple[str, str], str | None]
    ) -> tuple[Any, ...]:
        provider, model = origin.provider, origin.model
        own = self._book.agreements_of(origin)
        return origin.origin_id, provider, model, models[provider, model], own

    def _drop_known(self) -> int:
        """Drop the records that the ledger held before, to the byte; return how many."""
        if not self._held:
            return 0
        days = self._connection.execute("SELECT min(day), max(day) FROM staged").fetchone() or ()
        low, high = (quoted(str(day)) for day in days)
        same = ", ".join(_SAME)
        [dropped] = self._connection.execute(
            f"""
            DELETE FROM own WHERE row_id IN (
                SELECT row_id FROM staged
                SEMI JOIN (SELECT {same} FROM {parquet_sql(self._held)}
                           WHERE day BETWEEN {low} AND {high}) USING ({same}))"""
        ).fetchone() or (0,)
        return int(dropped)

    def _publish(self) -> None:
        pricing.price(self._connection, self._book, "staged", keys=("given_number",))
        name = new_name(self._read_at_us)
        origins = list(dict.fromkeys(origin for _, origin, _ in self._given))
        publish_origins(self._connection, self._folder, name, origins)
        values = ", ".join(
            column if column in _ENUMERATED else f"{column}::{kind} AS {column}"
            for column, kind in STORED.items()
        )
        priced = f"(SELECT {values} FROM staged JOIN staged_priced USING (row_id))"
        publish_records(self._connection, self._folder.record_file(name), self._folder, priced)
        self.published.append(name)


def _few(texts: Sequence[str]) -> str:
    """Return the engine's type of a column of texts: where there are few, a number for each."""
    distinct = set(texts)
    return enum(sorted(distinct)) if len(distinct) <= _FEW_TEXTS else "VARCHAR"


def _ranked(shared: tuple[str, ...]) -> tuple[Any, ...]:
    """Return what records share as columns, the evidence as its rank."""
    evidence, *others = shared
    return EVIDENCE_RANK[evidence], *others


_OWN: Final = {
    "charge_id": ("substr(sha256({}), 1, 24)", "identity"),
    "started_at": ("make_timestamp({})", "started_at_us"),
    "day": ("CAST(make_timestamp({}) AS DATE)", "started_at_us"),
    "ended_at": ("make_timestamp({})", "ended_at_us"),
    "seen_at": ("make_timestamp({})", "seen_at_us"),
    **{name: ("{}", name) for name in TAKEN if name in STORED},
    "reported_cost_usd": (
        f"coalesce({{}}, CAST({{}} * 0.000000001 AS {COST_TYPE}))",
        "reported_cost_usd",
        NANO_DOLLARS,
    ),
    "byte_offset": ("{}", "offset"),
    "byte_length": ("{}", "length"),
}
"""Column of `staged` -> the SQL of it, and what of a record it is made of."""
_SHARED_TEXTS: Final = ("uri", "source", *(name for name in SHARED if name != "evidence"))
_ENUMERATED: Final = frozenset((*_SHARED_TEXTS, "basis", "price_id", "price_version"))
"""Texts, or of enumerated types, which a file holds as texts: a cast of each would take long."""
_FEW_TEXTS: Final = 1_000
_SAME: Final = ("charge_id", "source", "parser_version", "digest", "started_at")
"""Equal in all of these, two records say the same: same charge, same bytes, same reading."""
