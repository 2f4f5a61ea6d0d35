"""Real usage bodies of three APIs, and recorded answers: tokens and prices as others have them."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.sources.samples import cases

from clearbar.core.errors import Problem
from clearbar.core.store import Store
from clearbar.spend.charge import (
    CACHE_READ_METERS,
    CACHE_WRITE_METERS,
    INPUT_METERS,
    OUTPUT_METERS,
    charge_id,
)
from clearbar.spend.files.candidates import candidates
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.ingest import ingest
from clearbar.spend.sources import (
    anthropic_answers,
    anthropic_console,
    anthropic_costs,
    anthropic_usage,
    openai_answers,
    openai_costs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.spend.charge import Record
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.sources import Source
    from clearbar.spend.storage.ledger import Ledger

WHEN = "2026-06-30T00:00:00Z"
"""A day on which the prices were those with which the bodies came."""
ONE_SEARCH = Decimal("0.01")
SHAPES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "prompt_tokens": ("openai", "chat", {"object": "chat.completion", "choices": []}),
    "total_tokens": ("openai", "responses", {"object": "response", "status": "completed"}),
    "cache_creation_input_tokens": (
        "anthropic",
        "default",
        {"type": "message", "role": "assistant", "stop_reason": "end_turn"},
    ),
}
"""The field by which a usage is known -> who bills by it, the library's name, and its body."""


class Told:
    """A real usage in the answer that it came with, and what the library makes of it."""

    def __init__(self, number: int, item: dict[str, Any], field: str) -> None:
        self.provider, flavour, body = SHAPES[field]
        usage, model = item["body"]["usage"], item["body"].get("model")
        prefix = "msg_" if self.provider == "anthropic" else "chatcmpl-"
        self.id = f"{prefix}{number:024}"
        answer = {**body, "id": self.id, "model": model, "usage": usage}
        self.line = {"timestamp": WHEN, "provider": self.provider, "response": answer}
        self.counts = [extracted["usage"] for extracted in item["extracted"]]
        self.prices = {
            Decimal(found["input_price"]) + Decimal(found["output_price"])
            for extracted in item["extracted"]
            for found in extracted["extractors"]
            if (found["provider_id"], found["api_flavor"]) == (self.provider, flavour)
            and "input_price" in found
        }


@pytest.fixture(scope="module")
def told(shared_data: Path) -> list[Told]:
    path = shared_data / "usage_payloads" / "usages.json"
    found = []
    for number, item in enumerate(json.loads(path.read_text(encoding="utf-8"))):
        usage = item["body"].get("usage") or {}
        if "inputTokens" in usage:  # of another provider's API
            continue
        fields = [field for field in SHAPES if field in usage]
        if fields:
            found.append(Told(number, item, fields[0]))
    return found


def written(told: list[Told], folder: Path) -> dict[str, Path]:
    """Write the answers to a log for each provider; they may not be mixed."""
    paths = {provider: folder / f"{provider}.jsonl" for provider in ("openai", "anthropic")}
    for provider, path in paths.items():
        lines = [json.dumps(each.line) for each in told if each.provider == provider]
        path.write_text("\n".join(lines), encoding="utf-8")
    return paths


def total(record: Record, meters: tuple[str, ...]) -> int:
    return sum(getattr(record, meter) or 0 for meter in meters)


def counts(record: Record) -> dict[str, int]:
    """Return the sums as the library counts them: what was cached is a part of the input."""
    read, wrote = total(record, CACHE_READ_METERS), total(record, CACHE_WRITE_METERS)
    return {
        "input_tokens": total(record, INPUT_METERS) + read + wrote,
        "cache_read_tokens": read,
        "cache_write_tokens": wrote,
        "output_tokens": total(record, OUTPUT_METERS),
        "output_reasoning_tokens": record.reasoning_tokens or 0,
        "cache_write_5m_tokens": record.cache_write_5m_tokens or 0,
        "cache_write_1h_tokens": record.cache_write_1h_tokens or 0,
        "input_audio_tokens": record.input_audio_tokens or 0,
        "web_searches": record.web_searches or 0,
    }


def test_the_tokens_of_600_real_usages_are_those_of_the_price_library(
    told: list[Told], tmp_path: Path
) -> None:
    paths = written(told, tmp_path)
    items = [
        *openai_answers.read(open_source_file(paths["openai"])),
        *anthropic_answers.read(open_source_file(paths["anthropic"])),
    ]
    records = {
        r.upstream_id: r for r in items if not isinstance(r, Problem) and "#" not in r.identity
    }
    problems = [each.what for each in items if isinstance(each, Problem)]
    wrong = [
        each.id
        for each in told
        if each.id in records
        and not any(counts(records[each.id]).items() >= found.items() for found in each.counts)
    ]
    # The one that is refused counts 62 tokens in its total that it tells nowhere else.
    assert problems == ["total_tokens is not the sum of its parts"]
    assert (len(told), len(records), wrong) == (601, 600, [])


def test_the_prices_of_real_usages_are_those_of_the_price_library(
    told: list[Told], tmp_path: Path, book: PriceBook, ledger: Ledger
) -> None:
    written(told, tmp_path)
    store = Store(tmp_path / "facts.db")
    now = datetime(2026, 11, 1, tzinfo=UTC)
    ingest(candidates(["*.jsonl"], tmp_path), ledger, book, store, (), tmp_path, now)
    store.close()
    frame = ledger.charges(["charge_id", "cost_usd", "web_searches"])
    assert frame is not None
    costs = {
        charge: None if cost is None else cost - ONE_SEARCH * (searches or 0)
        for charge, cost, searches in ledger.engine.rows(frame)
    }
    agree = Counter(
        costs[charge_id(f"upstream:{each.id}")] in each.prices for each in told if each.prices
    )
    assert agree == {True: 437}  # but for the fees of searches, which are no part of their prices


@pytest.fixture(scope="module")
def cassettes(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return name -> the cassette as JSON lines, as the source says that it wants it."""
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the cassettes")
    folder = tmp_path_factory.mktemp("cassettes")
    found = {}
    for path in (shared_data / "formats" / "openai_responses_cassettes_llm").glob("*.yaml"):
        lines = []
        for interaction in yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]:
            body = interaction["response"]["body"]
            if isinstance(body["string"], bytes):
                body["string"] = gzip.decompress(body["string"]).decode()
            lines.append(json.dumps(interaction))
        found[path.stem] = folder / f"{path.stem}.jsonl"
        found[path.stem].write_text("\n".join(lines), encoding="utf-8")
    return found


def recorded(path: Path) -> Iterator[Record]:
    assert openai_answers.recognises(open_source_file(path))
    for found in openai_answers.read(open_source_file(path)):
        assert not isinstance(found, Problem)
        yield found


def test_every_recorded_answer_is_read(cassettes: dict[str, Path]) -> None:
    records = [record for path in cassettes.values() for record in recorded(path)]
    assert len(cassettes) == 12
    tokens = sum((r.input_tokens or 0) + (r.output_tokens or 0) for r in records)
    texts = [path.read_text(encoding="utf-8") for path in cassettes.values()]
    totals = [int(n) for text in texts for n in re.findall(r'total_tokens\\+": ?(\d+)', text)]
    assert (len(records), tokens) == (len(totals), sum(totals)) == (26, 4030)
    assert {record.usage for record in records} == {"final"}


def test_a_recorded_answer_has_the_same_tokens_streamed_or_whole(
    cassettes: dict[str, Path],
) -> None:
    told = []
    for way in ("non_streaming", "streaming"):
        (record,) = recorded(cassettes[f"test_openai_responses__test_responses_basic_{way}"])
        told.append((record.input_tokens, record.output_tokens, record.service_tier))
    assert told == [(11, 5, "standard")] * 2


def test_cassettes_as_they_are_are_refused_with_a_way_out(shared_data: Path) -> None:
    for path in (shared_data / "formats" / "openai_responses_cassettes_llm").glob("*.yaml"):
        file = open_source_file(path)
        assert openai_answers.recognises(file)
        (problem,) = openai_answers.read(file)
        assert isinstance(problem, Problem)
        assert problem.what == "a cassette in YAML"


OURS: dict[Source, set[str]] = {
    openai_costs: {"costs.json"},
    openai_answers: set(),
    anthropic_answers: set(),
    anthropic_usage: set(),
    anthropic_costs: {"cost_report.json"},
    anthropic_console: {"usage_export_fixture.csv"},
}


@pytest.mark.parametrize("source", OURS, ids=lambda source: source.NAME)
def test_of_all_real_files_a_source_recognises_its_own_and_no_other(
    source: Source, shared_data: Path
) -> None:
    paths = [path for path in shared_data.rglob("*") if path.is_file()]
    known = {path.name for path in paths if source.recognises(open_source_file(path))}
    assert {name for name in known if not name.endswith(".yaml")} == OURS[source]


@pytest.mark.parametrize("source", OURS, ids=lambda source: source.NAME)
def test_of_all_samples_a_source_recognises_its_own_and_no_other(source: Source) -> None:
    known = {case for case in cases() if source.recognises(open_source_file(case))}
    assert known == {case for case in cases() if case.parent.name == source.NAME}
