from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import Problem
from clearbar.spend.charge import CACHE_READ_METERS, CACHE_WRITE_METERS, INPUT_METERS
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import openai_usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.spend.charge import Record


def page(*results: dict[str, Any], end: int = 1730505600) -> str:
    bucket = {"object": "bucket", "start_time": 1730419200, "end_time": end, "results": results}
    return json.dumps({"object": "page", "data": [bucket]})


def completions(**changes: Any) -> dict[str, Any]:
    counts = {"input_tokens": 100, "output_tokens": 10, "num_model_requests": 5}
    return {"object": "organization.usage.completions.result", **counts, **changes}


def one(read: Callable[..., Any], result: dict[str, Any]) -> Record:
    records, problems = read("usage.json", page(result))
    assert problems == []
    return records[0]  # type: ignore[no-any-return]


def total(record: Record, meters: tuple[str, ...]) -> int:
    return sum(getattr(record, meter) or 0 for meter in meters)


def test_the_meters_of_the_documented_answer_sum_to_its_totals(
    shared_data: Path, read: Callable[..., Any]
) -> None:
    folder = shared_data / "formats" / "openai_admin_api_docs"
    result = json.loads((folder / "usage.completions.json").read_text())
    record = one(read, result)
    inputs = (*INPUT_METERS, *CACHE_READ_METERS, *CACHE_WRITE_METERS)
    assert total(record, inputs) == result["input_tokens"]
    assert total(record, CACHE_READ_METERS) == result["input_cached_tokens"]


@pytest.mark.parametrize(
    "name", ["embeddings", "moderations", "audio_speeches", "file_searches", "web_searches"]
)
def test_every_documented_kind_of_call_is_read(
    shared_data: Path, read: Callable[..., Any], name: str
) -> None:
    path = shared_data / "formats" / "openai_admin_api_docs" / f"usage.{name}.json"
    record = one(read, json.loads(path.read_text()))
    assert record.grain == "bucket"


def test_a_bare_result_has_no_time_and_is_refused(shared_data: Path) -> None:
    folder = shared_data / "formats" / "openai_admin_api_docs"
    for path in folder.glob("usage.[!i]*.json"):
        (problem,) = openai_usage.read(open_source_file(path))
        assert isinstance(problem, Problem)
        assert problem.what == "a result without its bucket has no time"


def test_costs_are_bills_and_not_usage(shared_data: Path) -> None:
    path = shared_data / "formats" / "openai_admin_api_docs" / "costs.json"
    assert not openai_usage.recognises(open_source_file(path))


def test_cached_and_written_tokens_are_taken_out_of_the_input(read: Callable[..., Any]) -> None:
    record = one(read, completions(input_cached_tokens=60, input_cache_write_tokens=30))
    assert (record.input_tokens, record.cache_read_tokens, record.cache_write_tokens) == (
        10,
        60,
        30,
    )


def test_a_later_reading_of_a_bucket_replaces_the_earlier(read: Callable[..., Any]) -> None:
    early, late = one(read, completions()), one(read, completions(num_model_requests=9))
    assert early.identity == late.identity
    assert early.final < late.final


def test_other_dimensions_are_another_bucket(read: Callable[..., Any]) -> None:
    dimensions = ("project_id", "user_id", "api_key_id", "model", "batch", "service_tier", "size")
    results = [completions(), *(completions(**{name: "true"}) for name in dimensions)]
    records, _ = read("usage.json", page(*results))
    assert len({record.identity for record in records}) == len(results)


def test_an_hour_is_another_bucket_than_its_day(read: Callable[..., Any]) -> None:
    days, _ = read("day.json", page(completions()))
    hours, _ = read("hour.json", page(completions(), end=1730422800))
    assert days[0].identity != hours[0].identity


def test_batch_is_the_tier_that_prices_it(read: Callable[..., Any]) -> None:
    assert one(read, completions(batch=True, service_tier="default")).service_tier == "batch"


def test_the_default_tier_is_standard(read: Callable[..., Any]) -> None:
    assert one(read, completions(batch=False, service_tier="default")).service_tier == "standard"
