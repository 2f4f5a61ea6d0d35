from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.spend.charge import Record


def result(**changes: Any) -> dict[str, Any]:
    return {"uncached_input_tokens": 100, "output_tokens": 10, **changes}


def page(*results: object, hours: int = 24, **told: Any) -> str:
    end = "2026-10-02T00:00:00Z" if hours == 24 else f"2026-10-01T{hours:02}:00:00Z"
    bucket = {"starting_at": "2026-10-01T00:00:00Z", "ending_at": end, "results": results}
    return json.dumps({"data": [bucket], "has_more": False, **told})


def one(read: Callable[..., Any], text: str) -> Record:
    records, problems = read("usage.json", text)
    assert problems == []
    (record,) = records
    return record  # type: ignore[no-any-return]


def test_the_kinds_of_input_stand_beside_each_other(read: Callable[..., Any]) -> None:
    written = {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 1000}
    record = one(read, page(result(cache_creation=written, cache_read_input_tokens=200)))
    assert record.input_tokens == 100
    assert (record.cache_write_5m_tokens, record.cache_write_1h_tokens) == (500, 1000)
    assert record.cache_read_tokens == 200


def test_how_many_calls_there_were_is_not_told(read: Callable[..., Any]) -> None:
    record = one(read, page(result()))
    assert (record.grain, record.calls) == ("bucket", 0)


def test_what_is_not_reported_is_not_zero(read: Callable[..., Any]) -> None:
    record = one(read, page(result()))
    assert record.cache_read_tokens is record.cache_write_5m_tokens is record.web_searches is None


def test_web_searches_are_counted(read: Callable[..., Any]) -> None:
    assert one(read, page(result(server_tool_use={"web_search_requests": 7}))).web_searches == 7


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("model", "model"),
        ("workspace_id", "project"),
        ("api_key_id", "credential"),
        ("account_id", "principal"),
        ("service_account_id", "principal"),
    ],
)
def test_a_dimension_of_the_report_is_one_of_the_ledger(
    read: Callable[..., Any], name: str, field: str
) -> None:
    assert getattr(one(read, page(result(**{name: "x-1"}))).origin, field) == "x-1"


def test_tier_speed_and_place_are_as_served(read: Callable[..., Any]) -> None:
    told = {"service_tier": "batch", "speed": "fast", "inference_geo": "us"}
    record = one(read, page(result(**told)))
    assert (record.service_tier, record.speed, record.geo) == ("batch", "fast", "us")


def test_a_place_that_is_not_available_is_not_told(read: Callable[..., Any]) -> None:
    assert not one(read, page(result(inference_geo="not_available"))).geo


def test_each_dimension_makes_another_bucket(read: Callable[..., Any]) -> None:
    names = ("model", "workspace_id", "api_key_id", "context_window", "speed", "a_new_one")
    records, _ = read("usage.json", page(result(), *(result(**{name: "x"}) for name in names)))
    assert len({record.identity for record in records}) == len(names) + 1


def test_an_hour_is_another_bucket_than_its_day(read: Callable[..., Any]) -> None:
    assert one(read, page(result())).identity != one(read, page(result(), hours=1)).identity


def test_a_later_reading_of_a_bucket_replaces_the_earlier(read: Callable[..., Any]) -> None:
    early, late = one(read, page(result())), one(read, page(result(output_tokens=11)))
    assert early.identity == late.identity
    assert early.final < late.final


def test_the_reading_that_was_pulled_last_wins_also_where_it_is_smaller(
    read: Callable[..., Any],
) -> None:
    early = one(read, page(result(output_tokens=99), pulled_at="2026-10-02T00:00:00Z"))
    late = one(read, page(result(), pulled_at="2026-10-04T00:00:00Z"))
    assert early.final < late.final


@pytest.mark.parametrize(
    "changes",
    [
        {"uncached_input_tokens": -1},
        {"output_tokens": 1.5},
        {"output_tokens": 10**14},
        {"rbac_group_id": "group_1"},
        {"uncached_input_tokens": None, "output_tokens": None},
    ],
)
def test_a_result_that_cannot_be_is_refused(
    read: Callable[..., Any], changes: dict[str, Any]
) -> None:
    records, problems = read("usage.json", page(result(), result(**changes)))
    assert (len(records), len(problems)) == (1, 1)


def test_a_bucket_without_results_is_refused(read: Callable[..., Any]) -> None:
    text = page(result()) + "\n" + json.dumps(result())
    records, problems = read("usage.jsonl", text)
    assert [each.what for each in problems] == ["no bucket with its results"]
    assert len(records) == 1
