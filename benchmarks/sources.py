"""What reading costs, source by source: rows per CPU second, beside decoding the same bytes.

    python benchmarks/sources.py [--records N] [SOURCE...]

For each source a file of about N records is made from its own samples, with ids of their own. Three
things take turns, three each, and the best counts: decoding the bytes alone (JSON, CSV, Parquet,
SQLite, protobuf, none of it kept), reading with the source, and the whole ingest into a fresh
ledger, priced and merged. CPU seconds are user and system time of this process over all threads.

Ratios only: a source's reading by its decoding, and its rate by the median of all sources.
"""

from __future__ import annotations

import argparse
import csv
import gc
import io
import json
import re
import sqlite3
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.spend.sources.samples import HERE, _mapping

from clearbar.core.errors import Problem
from clearbar.core.store import Store
from clearbar.spend.files.candidates import candidates
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.ingest import ingest
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.sources import SOURCES
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TURNS = 3
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = {
    "table": "generations.in.csv",
    "codex": "usage_records_and_their_echoes.in.jsonl",
    "codex_exec": "turns.in.jsonl",
    "gemini_cli": "told_again_and_rewound.in.jsonl",
    "azure_apim": "diagnostic_log.in.jsonl",
    "bedrock": "calls.in.jsonl",
    "claude_code": "one_call_on_three_lines.in.jsonl",
    "litellm": "export.in.jsonl",
    "openai_usage": "pages.in.jsonl",
    "otlp": "copilot_lines.in.jsonl",
    "langfuse": "buckets_that_overlap.in.jsonl",
    "helicone": "requests.in.json",
    "openrouter": "generations.in.jsonl",
    "openrouter_activity": "days.in.json",
    "withdrawn": "no_longer_told.in.jsonl",
    "aws_cur": "four_kinds_of_tokens.in.csv",
    "focus": "version_1_0.in.csv",
    "gcp_billing": "rows.in.jsonl",
    "openai_costs": "line_items.in.json",
    "anthropic_usage": "grouped.in.json",
    "anthropic_costs": "cents.in.json",
    "anthropic_console": "usage.in.csv",
    "anthropic_answers": "messages.in.jsonl",
    "openai_answers": "chat_completions.in.jsonl",
    "cursor": "export.in.csv",
    "copilot_billing": "detailed.in.csv",
    "opencode": "opencode_with_a_fork.in.db",
}
"""Source -> the sample that is multiplied."""
_ID = re.compile(
    r'("(?:id|uuid|messageId|requestId|request_id|requestID|response_id|generation_id|traceId|spanId'
    r"|trace_id|span_id|parentSpanId|correlationId|thread_id|session_id|sessionId|identity|turn_id"
    r'|custom_id|api_key_id|project_id|workspace_id)": ?")([^"]{1,200})(")'
)


class Made(NamedTuple):
    """A file that was made, and how its bytes are decoded alone."""

    path: Path
    decode: Callable[[Path], int]


def make(source: str, records: int, folder: Path) -> Made:
    """Return a file of about so many records."""
    case = HERE / source / SAMPLES[source]
    told = sum(1 for item in _read(case) if not isinstance(item, Problem))
    copies = max(1, records // max(1, told))
    path = folder / case.name
    ending = case.suffix
    if ending == ".csv":
        _copy_csv(case, path, copies)
        return Made(path, _decode_csv)
    if ending == ".db":
        _copy_database(case, path, copies)
        return Made(path, _decode_database)
    text = case.read_text(encoding="utf-8")
    if ending == ".jsonl":
        lines = [_as_copy(text.rstrip("\n"), copy) for copy in range(copies)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return Made(path, _decode_lines)
    path.write_text(json.dumps(_multiplied(json.loads(text), copies)), encoding="utf-8")
    return Made(path, _decode_document)


def _as_copy(text: str, copy: int) -> str:
    """Return a text in which each id is another one, of the same length where digits allow."""
    mark = f"{copy:06x}"
    return _ID.sub(lambda found: found[1] + _other(found[2], mark) + found[3], text)


def _other(text: str, mark: str) -> str:
    return text[: -len(mark)] + mark if len(text) > 2 * len(mark) else text + mark


def _multiplied(value: Any, copies: int) -> Any:
    """Return a document whose list of records, wherever it stands, has so many copies."""
    if isinstance(value, list):
        text = json.dumps(value)
        return [each for copy in range(copies) for each in json.loads(_as_copy(text, copy))]
    key = max(
        (name for name, inner in value.items() if isinstance(inner, list)),
        key=lambda name: len(json.dumps(value[name])),
    )
    return {**value, key: _multiplied(value[key], copies)}


def _copy_csv(case: Path, path: Path, copies: int) -> None:
    header, *rows = csv.reader(io.StringIO(case.read_text(encoding="utf-8-sig")))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for _ in range(copies):
            writer.writerows(rows)


def _copy_database(case: Path, path: Path, copies: int) -> None:
    path.write_bytes(case.read_bytes())
    with sqlite3.connect(path) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(message)")]
        rows = connection.execute("SELECT * FROM message").fetchall()
        holes = ", ".join("?" * len(names))
        for copy in range(1, copies):
            other = [
                [f"{v}-{copy}" if n == "id" else v for n, v in zip(names, row, strict=True)]
                for row in rows
            ]
            connection.executemany(f"INSERT INTO message VALUES ({holes})", other)
    connection.close()


def _decode_lines(path: Path) -> int:
    with path.open("rb") as stream:
        return _decode_each(stream)


def _decode_each(payloads: Iterable[bytes | str]) -> int:
    decode, count = msgspec.json.Decoder().decode, 0
    for payload in payloads:
        with suppress(msgspec.DecodeError):  # some samples have a line that is broken
            decode(payload)
        count += 1
    return count


def _decode_document(path: Path) -> int:
    return bool(msgspec.json.decode(path.read_bytes()))


def _decode_csv(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as stream:
        return sum(1 for _ in csv.reader(stream))


def _decode_database(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return _decode_each(data for [data] in connection.execute("SELECT data FROM message"))


def _read(path: Path) -> Any:
    file = open_source_file(path, _mapping(HERE / path.parent.name / path.name))
    return next(source for source in SOURCES if source.recognises(file)).read(file)


def best(work: Callable[[], int]) -> tuple[float, int]:
    """Return the CPU seconds of the best turn, and what the work gave."""
    turns = []
    for _ in range(TURNS):
        gc.collect()
        began = time.process_time()
        given = work()
        turns.append(time.process_time() - began)
    return min(turns), given


def whole(path: Path, folder: Path, book: PriceBook, mapping: Any) -> int:
    """Ingest a file into a fresh ledger; return its records."""
    with tempfile.TemporaryDirectory(dir=folder) as home:
        ledger, store = Ledger(Path(home) / "ledger"), Store(Path(home) / "facts.db")
        files, mappings = candidates([str(path)], folder), [mapping] if mapping else []
        summary = ingest(files, ledger, book, store, mappings, folder, NOW)
        ledger.close()
        store.close()
    return summary.records


def measured(source: str, records: int, folder: Path, book: PriceBook) -> dict[str, Any]:
    made = make(source, records, folder)
    decoding, _ = best(lambda: made.decode(made.path))
    reading, told = best(lambda: sum(getattr(item, "lines", 1) for item in _read(made.path)))
    mapping = _mapping(HERE / source / made.path.name)
    ingesting, taken = best(lambda: whole(made.path, folder, book, _at(mapping, made.path)))
    return {
        "source": source,
        "mb": made.path.stat().st_size / 1e6,
        "records": told,
        "taken": taken,
        "decoding": decoding,
        "reading": reading,
        "ingesting": ingesting,
    }


def _at(mapping: Any, path: Path) -> Any:
    return mapping and replace(mapping, files=str(path))


def show(rows: list[dict[str, Any]]) -> None:
    middle = median(row["records"] / row["reading"] for row in rows)
    print(
        f"{'source':<20}{'MB':>7}{'records':>9}{'read/s':>10}{'ingest/s':>10}"
        f"{'decode/s':>11}{'read:decode':>12}{'of median':>10}"
    )
    for row in sorted(rows, key=lambda row: row["records"] / row["reading"]):
        rate = row["records"] / row["reading"]
        print(
            f"{row['source']:<20}{row['mb']:>7.1f}{row['records']:>9,}{rate:>10,.0f}"
            f"{row['records'] / row['ingesting']:>10,.0f}{row['records'] / row['decoding']:>11,.0f}"
            f"{row['reading'] / row['decoding']:>12.1f}{rate / middle:>10.2f}"
            f"{'  more than 4 times slower than the median' if rate < middle / 4 else ''}"
        )


def main() -> None:
    """Measure all sources, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("sources", nargs="*", default=[source.NAME for source in SOURCES])
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        book = PriceBook.open(folder / "prices")
        for source in asked.sources:
            home = folder / source
            home.mkdir()
            rows.append(measured(source, asked.records, home, book))
    show(rows)


if __name__ == "__main__":
    main()
