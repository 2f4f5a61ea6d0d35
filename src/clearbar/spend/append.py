"""Records in, record files out: spooled, priced, checked against what is known, published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, Self

import msgspec

from clearbar.spend import pricing
from clearbar.spend.charge import EVIDENCE_RANK, METERS, digest_of
from clearbar.spend.columns import CONTEXT, SPOOLED, STORED
from clearbar.spend.engine import connect, load_table, quoted
from clearbar.spend.folder import new_name
from clearbar.spend.record_files import parquet_sql, publish_origins, publish_records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from clearbar.spend.charge import Origin, Record
    from clearbar.spend.folder import LedgerFolder
    from clearbar.spend.prices import PriceBook

BATCH_RECORDS: Final = 50_000
_BATCH_BYTES: Final = 48_000_000
"""A batch of more is published at once, so that whatever records say, it fits into memory."""
_MEMORY: Final = "160MB"
_MAX_SPOOLED_BYTES: Final = 1_000_000
_BUFFER_BYTES: Final = 1 << 18
_Context = tuple[str, str, str]
"""Service tier, speed and geo."""


@dataclass(frozen=True, slots=True)
class FileRead:
    """The file that records come from."""

    uri: str
    source: str
    parser_version: int


class Appender:
    """Takes records; publishes them in batches. Nothing is acknowledged before `seal` returns."""

    def __init__(self, folder: LedgerFolder, book: PriceBook, read_at_us: int) -> None:
        self.known = 0
        """Of the records published so far, those that the ledger already held, to the byte."""
        self.published: list[str] = []
        """Names of the record files made so far."""
        self._folder = folder
        self._book = book
        self._read_at_us = read_at_us
        self._encoder = msgspec.json.Encoder()
        self._held = list(folder.record_files().values())
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
        self._spool.close()
        self._path.unlink(missing_ok=True)
        self._connection.close()

    @property
    def pending(self) -> int:
        """Records taken and not yet published."""
        return self._pending

    def begin(self, file: FileRead) -> None:
        """Say from which file the next records come."""
        self._file = file
        self._origin: Origin | None = None
        self._context: _Context | None = None

    def add(self, record: Record) -> bool:
        """Take a record of the file last begun; False if its names and ids are absurdly long."""
        if not record.digest:
            record = msgspec.structs.replace(record, digest=self._content_digest(record))
        encoded = self._encoder.encode(record)
        if len(encoded) >= _MAX_SPOOLED_BYTES:
            return False
        context = (record.service_tier, record.speed, record.geo)
        if record.origin is not self._origin or context != self._context:
            self._turn_to(record.origin, context)
        self._spool.write(encoded.replace(self._origin_json, self._given_json, 1) + b"\n")
        self._pending += 1
        self._pending_bytes += len(encoded)
        if self._pending_bytes >= _BATCH_BYTES:
            self.seal()
        return True

    def _turn_to(self, origin: Origin, context: _Context) -> None:
        """Make ready what stands in the spool for this origin, which many records share."""
        number = self._given.setdefault((self._file, origin, context), len(self._given))
        self._origin, self._context = origin, context
        self._origin_json = b'"origin":' + self._encoder.encode(origin)
        self._given_json = b'"given_number":%d' % number

    def _content_digest(self, record: Record) -> str:
        """Return what stands for a record that has no line of its own: what it says, not where."""
        placeless = msgspec.structs.replace(record, line=None, offset=None, length=None, lines=1)
        return digest_of(self._encoder.encode(placeless))

    def seal(self) -> None:
        """Publish what is pending. On return it is durable."""
        if self._pending:
            self._spool.flush()
            self._stage()
            known = self._drop_known()
            if known < self._pending:
                self._publish()
            self.known += known
            self._connection.execute("DROP TABLE staged")
        self._spool.close()
        self._path.unlink()
        self._start()

    def _start(self) -> None:
        self._path: Path = self._folder.scratch(".jsonl")
        self._spool: IO[bytes] = self._path.open("wb", _BUFFER_BYTES)
        self._pending = 0
        self._pending_bytes = 0
        self._given: dict[tuple[FileRead, Origin, _Context], int] = {}
        self._origin = self._context = None

    def _stage(self) -> None:
        self._fill_given()
        ranks = " ".join(f"WHEN '{name}' THEN {rank}" for name, rank in EVIDENCE_RANK.items())
        columns = ", ".join(f"{quoted(name)}: '{kind}'" for name, kind in SPOOLED.items())
        self._connection.execute(
            f"""
            CREATE TEMP TABLE staged AS
            SELECT row_number() OVER () AS row_id,
                   substr(sha256(identity), 1, 24) AS charge_id,
                   given_number, origin_id, provider, model, price_model, {", ".join(CONTEXT)},
                   source, parser_version, uri,
                   make_timestamp(started_at_us) AS started_at,
                   CAST(make_timestamp(started_at_us) AS DATE) AS day,
                   make_timestamp(ended_at_us) AS ended_at,
                   make_timestamp(seen_at_us) AS seen_at,
                   make_timestamp({self._read_at_us}) AS read_at,
                   CASE evidence {ranks} END AS evidence,
                   coalesce(final, 0) AS final, coalesce(grain, 'call') AS grain,
                   coalesce(calls, 1) AS calls, coalesce(status, 'ok') AS status,
                   coalesce("usage", 'final') AS "usage",
                   {", ".join(METERS)}, reasoning_tokens,
                   reported_cost_usd, coalesce(reported_basis, 'estimated') AS reported_basis,
                   identity, coalesce(trace_id, '') AS trace_id,
                   coalesce(session_id, '') AS session_id, coalesce(task_id, '') AS task_id,
                   latency_ms, line, "offset" AS byte_offset, length AS byte_length,
                   coalesce(digest, '') AS digest, coalesce(lines, 1) AS lines
            FROM read_json(?, format = 'newline_delimited', columns = {{{columns}}},
                           maximum_object_size = {_MAX_SPOOLED_BYTES})
            JOIN given USING (given_number)""",
            [str(self._path)],
        )

    def _fill_given(self) -> None:
        models = self._book.resolve({(o.provider, o.model) for _, o, _ in self._given})
        rows = [
            (number, f.uri, f.source, f.parser_version, *_priced_as(o, models), *context)
            for (f, o, context), number in self._given.items()
        ]
        columns = {"given_number": "INTEGER", "uri": "VARCHAR", "source": "VARCHAR"}
        columns |= {"parser_version": "INTEGER", "origin_id": "BIGINT", "provider": "VARCHAR"}
        columns |= {"model": "VARCHAR", "price_model": "VARCHAR", **CONTEXT}
        load_table(self._connection, "given", columns, rows)

    def _drop_known(self) -> int:
        """Drop the records that the ledger held before, to the byte; return how many."""
        if not self._held:
            return 0
        days = self._connection.execute("SELECT min(day), max(day) FROM staged").fetchone() or ()
        low, high = (quoted(str(day)) for day in days)
        same = ", ".join(_SAME)
        [dropped] = self._connection.execute(
            f"""
            DELETE FROM staged WHERE row_id IN (
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
        values = ", ".join(f"{column}::{kind} AS {column}" for column, kind in STORED.items())
        priced = f"(SELECT {values} FROM staged JOIN staged_priced USING (row_id))"
        publish_records(self._connection, self._folder.record_file(name), self._folder, priced)
        self.published.append(name)


def _priced_as(origin: Origin, models: Mapping[tuple[str, str], str | None]) -> tuple[Any, ...]:
    price_model = models[origin.provider, origin.model]
    return origin.origin_id, origin.provider, origin.model, price_model


_SAME: Final = ("charge_id", "source", "parser_version", "digest", "started_at")
"""Equal in all of these, two records say the same: same charge, same bytes, same reading."""
