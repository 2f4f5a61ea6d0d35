"""The same queries on a cluster that speaks Spark Connect: the extra `clearbar[spark]`."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import narwhals as nw

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


_CONNECT_SECONDS: Final = 5.0


class SparkEngine:
    """An existing engine, reached at an address such as `sc://host:15002`.

    It reads the same files: the workspace's folder must be where the cluster sees it.
    """

    def __init__(self, address: str) -> None:
        _check_reachable(address)
        try:
            from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ClearbarError(
                "Spark Connect needs the extra", "pip install 'clearbar[spark]'"
            ) from error
        self._session = SparkSession.builder.remote(address).getOrCreate()

    def parquet(self, paths: Sequence[Path]) -> nw.LazyFrame[Any]:
        """Return the rows of some Parquet files."""
        frame: nw.LazyFrame[Any] = nw.from_native(
            self._session.read.parquet(*(str(path) for path in paths))
        )
        return frame

    def table(self, columns: dict[str, type], rows: Sequence[tuple[Any, ...]]) -> nw.LazyFrame[Any]:
        """Return a small table of given rows."""
        kinds = {int: "bigint", str: "string"}
        schema = ", ".join(f"{column} {kinds[kind]}" for column, kind in columns.items())
        frame: nw.LazyFrame[Any] = nw.from_native(self._session.createDataFrame(list(rows), schema))
        return frame

    def rows(self, frame: nw.LazyFrame[Any]) -> list[tuple[Any, ...]]:
        """Run the query and return its rows."""
        return [tuple(row) for row in frame.to_native().collect()]

    def close(self) -> None:
        """End the session."""
        self._session.stop()


def _check_reachable(address: str) -> None:
    """Fail at once where nothing listens; the client itself would try again for minutes."""
    parts = urlsplit(address)
    if parts.scheme != "sc" or not parts.hostname:
        raise ClearbarError(f'"{address}" is no Spark Connect address', "write sc://host:15002")
    try:
        place = (parts.hostname, parts.port or 15002)
        socket.create_connection(place, timeout=_CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise ClearbarError(
            f"nothing answers at {address}", "start the Spark Connect server, or leave --engine out"
        ) from error
