from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROW = {
    "request_id": "0f8fad5b-d9cb-469f-a165-708677280001",
    "request_created_at": "2026-10-05T09:14:00Z",
    "response_created_at": "2026-10-05T09:14:02Z",
    "response_status": 200,
    "provider": "ANTHROPIC",
    "prompt_tokens": 1000,
    "completion_tokens": 40,
    "prompt_cache_read_tokens": 900,
    "total_tokens": 1040,
    "cost": 0.5,
}


@pytest.fixture
def one(read: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function: changed fields of a request -> its record, or its problem."""

    def told(**changes: Any) -> Any:
        records, problems = read("r.json", json.dumps({"data": [{**ROW, **changes}]}))
        return (records + problems)[0]

    return told


def test_a_total_of_prompt_and_completion_has_the_cache_inside(one: Callable[..., Any]) -> None:
    record = one()
    assert (record.input_tokens, record.cache_read_tokens) == (100, 900)


def test_a_total_that_is_more_by_the_cache_has_it_beside(one: Callable[..., Any]) -> None:
    record = one(total_tokens=1940)
    assert (record.input_tokens, record.cache_read_tokens) == (1000, 900)


def test_a_total_that_fits_neither_is_refused(one: Callable[..., Any]) -> None:
    assert one(total_tokens=1500).what == "prompt and completion do not sum to total_tokens"


def test_without_a_total_a_smaller_prompt_cannot_hold_the_cache(one: Callable[..., Any]) -> None:
    assert one(total_tokens=None, prompt_tokens=5).input_tokens == 5


def test_an_answer_from_helicones_cache_costs_nothing(one: Callable[..., Any]) -> None:
    record = one(cache_reference_id="0f8fad5b-d9cb-469f-a165-708677280009")
    assert (record.status, record.reported_cost_usd, record.input_tokens) == ("cache_hit", 0, 0)


def test_a_reference_of_zeros_is_no_answer_from_a_cache(one: Callable[..., Any]) -> None:
    record = one(cache_reference_id="00000000-0000-0000-0000-000000000000")
    assert (record.status, record.input_tokens) == ("ok", 100)


@pytest.mark.parametrize(
    ("code", "status"),
    [(-1, "error"), (-2, "cancelled"), (-3, "error"), (429, "error"), (201, "ok")],
)
def test_a_status_below_zero_is_helicones_own(
    one: Callable[..., Any], code: int, status: str
) -> None:
    assert one(response_status=code).status == status


def test_a_zero_beside_tokens_is_no_price(one: Callable[..., Any]) -> None:
    assert one(cost=0).reported_cost_usd is None


def test_the_providers_id_goes_before_helicones(one: Callable[..., Any]) -> None:
    record = one(response_id="msg_invented0000000001")
    assert record.identity == "upstream:msg_invented0000000001"
    assert record.aliases == f"gateway:helicone:{ROW['request_id']}"


def test_properties_say_whose_it_is(one: Callable[..., Any]) -> None:
    record = one(properties={"clearbar_workflow": "triage", "note": "secret"})
    assert record.origin.workflow == "triage"
    assert "secret" not in repr(record)
