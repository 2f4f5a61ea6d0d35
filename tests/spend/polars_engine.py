"""Polars as a second opinion on every shared query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class PolarsEngine:
    def parquet(self, paths: Sequence[Path]) -> nw.LazyFrame[Any]:
        return nw.from_native(pl.scan_parquet([str(path) for path in paths]))

    def table(self, columns: dict[str, type], rows: Sequence[tuple[Any, ...]]) -> nw.LazyFrame[Any]:
        kinds = {int: pl.Int64, str: pl.String}
        schema = {name: kinds[kind] for name, kind in columns.items()}
        return nw.from_native(pl.LazyFrame(rows, schema=schema, orient="row"))

    def rows(self, frame: nw.LazyFrame[Any]) -> list[tuple[Any, ...]]:
        collected: pl.DataFrame = frame.to_native().collect()
        return collected.rows()
