"""Every shared query gives equal values on DuckDB, on Polars and on Sail through Spark Connect."""

from __future__ import annotations

import random
import sys
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.ledger_cases import append
from tests.spend.polars_engine import PolarsEngine
from tests.spend.record_makers import NOON_US, record

from clearbar.core.period import ALL, Period
from clearbar.spend.charge import Origin
from clearbar.spend.reading import LedgerReading
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.spend.charge import Record
    from clearbar.spend.engine import Engine
    from clearbar.spend.prices.book import PriceBook

pytestmark = pytest.mark.slow

MODELS = [("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-5-mini"), ("acme", "acme-7")]
PERIOD = Period(date(2026, 9, 22), date(2026, 9, 25))
DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, book: PriceBook) -> Path:
    path = tmp_path_factory.mktemp("ledger")
    ledger = Ledger(path)
    append(ledger, book, list(company(1)), at=1)
    append(ledger, book, list(company(2)), at=2)
    append(ledger, book, buckets(), at=3)
    append(ledger, book, bills(), at=4)
    ledger.close()
    return path


def company(seed: int) -> Iterator[Record]:
    """Calls of three models, a third of them told of by both files."""
    order = random.Random(seed)
    for number in range(300):
        provider, model = order.choice(MODELS)
        shared = number < 100
        origin = Origin(
            source="litellm" if shared or seed == 1 else "otlp",
            provider=MODELS[number % 3][0] if shared else provider,
            model=MODELS[number % 3][1] if shared else model,
            team=f"team-{seed}",
        )
        day = number % 6 if shared else order.randrange(6)
        yield record(
            f"upstream:msg_{number if shared else seed * 1000 + number}",
            origin=origin,
            started_at_us=NOON_US + day * DAY_US + number,
            input_tokens=order.randrange(10**6),
            input_audio_tokens=order.choice([None, None, 0]),
            cache_read_tokens=order.choice([None, 0, 512]),
            cache_write_5m_tokens=order.choice([None, 7]) if provider == "anthropic" else None,
            output_tokens=order.choice([None, 0, 10**4]),
        )


def buckets() -> list[Record]:
    origin = Origin(source="openai_usage", provider="openai", model="gpt-5-mini-2025-08-07")
    return [
        record(
            f"bucket:{day}",
            origin=origin,
            evidence="provider",
            grain="bucket",
            calls=40,
            started_at_us=(NOON_US // DAY_US + day) * DAY_US,
            ended_at_us=(NOON_US // DAY_US + day + 1) * DAY_US,
            input_tokens=9 * 10**6,
            output_tokens=10**5,
        )
        for day in range(3)
    ]


def bills() -> list[Record]:
    """Lines of a bill of a day, and of two weeks over the new year."""
    origin = Origin(source="openai_costs", provider="openai", account="org-1")
    spans = [(NOON_US // DAY_US, 1), ((date(2026, 12, 25) - date(1970, 1, 1)).days, 14)]
    return [
        record(
            f"bill:{day}",
            origin=origin,
            evidence="provider",
            grain="bill",
            calls=0,
            started_at_us=day * DAY_US,
            ended_at_us=(day + days) * DAY_US,
            input_tokens=None,
            output_tokens=None,
            reported_cost_usd=Decimal("12.5"),
            reported_basis="billed",
        )
        for day, days in spans
    ]


@pytest.fixture(scope="module")
def sail() -> Iterator[str]:
    server = pytest.importorskip("pysail.spark").SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    _, port = server.listening_address
    yield f"sc://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(params=["polars", "sail"])
def other(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    if request.param == "polars":
        yield PolarsEngine()
        return
    from clearbar.spend.storage.spark import SparkEngine

    # PySpark takes a main module without a file for a doctest; a parallel test run has none.
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)
    engine = SparkEngine(request.getfixturevalue("sail"))
    yield engine
    engine.close()


def answers(folder: Path, engine: Engine | None) -> dict[str, Any]:
    ledger = Ledger(folder, engine)
    reading = LedgerReading(ledger)
    workflows = {key: f"workflow-{key % 3}" for key in reading.origins}
    found = {
        "by origin": reading.by_origin(ALL),
        "by origin in a period": reading.by_origin(PERIOD),
        "by day": reading.by_day(PERIOD),
        "by origin and day": reading.by_origin_and_day(ALL),
        "told": sorted(reading.told(ALL), key=repr),
        "lines": reading.lines(ALL),
        "by workflow and day": reading.by_workflow_and_day(ALL, workflows),
        "overlap": reading.overlap(ALL),
        "first days": reading.first_days(),
        "dearest": reading.dearest(ALL, 25),
    }
    ledger.close()
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_every_query_gives_equal_values(folder: Path, other: Engine) -> None:
    assert answers(folder, other) == answers(folder, None)


def test_the_case_covers_merged_charges_unpriced_calls_and_aggregates(folder: Path) -> None:
    found = answers(folder, None)
    unpriced = sum(usage.calls_unpriced for usage in found["by origin"].values())
    calls = sum(usage.calls for usage in found["by origin"].values())
    assert unpriced > 0
    assert found["overlap"].calls < 0
    assert {line[0].labels for line in found["lines"]} >= {"", "|days=2026-12-25..2027-01-08|"}
    assert calls == 500 + 120 + found["overlap"].calls
