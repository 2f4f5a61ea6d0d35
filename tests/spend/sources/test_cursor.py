from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import Problem
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import cursor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[..., Any]

HEADER = (
    "Date,User,Kind,Model,Max Mode,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,"
    "Output Tokens,Total Tokens,Cost"
)
ROW = {
    "at": "2026-09-14T08:00:00.123Z",
    "user": "dev@example.com",
    "kind": "On-Demand",
    "model": "gpt-5-codex",
    "mode": "No",
    "written": "27567",
    "fresh": "775",
    "read": "105891",
    "output": "21282",
    "total": "155515",
    "cost": "0.19",
}
USAGE = {"inputTokens": 775, "outputTokens": 21282, "cacheWriteTokens": 27567} | {
    "cacheReadTokens": 105891,
    "totalCents": 19.0625,
}
EVENT = {
    "timestamp": "1789372800123",
    "model": "gpt-5-codex",
    "kind": "Usage-based",
    "isTokenBasedCall": True,
    "tokenUsage": USAGE,
    "userEmail": "dev@example.com",
}


def row(read: Read, **changes: str) -> Any:
    values = ",".join(f'"{value}"' for value in (ROW | changes).values())
    [record], problems = read("usage.csv", f"{HEADER}\n{values}\n")
    assert problems == []
    return record


def event(read: Read, **changes: Any) -> Any:
    [record], problems = read("events.json", json.dumps({"usageEvents": [EVENT | changes]}))
    assert problems == []
    return record


def test_the_columns_of_tokens_are_disjoint(read: Read) -> None:
    record = row(read)
    assert (record.input_tokens, record.cache_write_tokens) == (775, 27567)
    assert (record.cache_read_tokens, record.output_tokens) == (105891, 21282)


def test_columns_that_do_not_sum_to_the_total_are_refused(read: Read) -> None:
    values = ",".join((ROW | {"total": "155514"}).values())
    records, [problem] = read("usage.csv", f"{HEADER}\n{values}\n")
    assert (records, problem.what) == ([], "the kinds of tokens do not sum to Total Tokens")


def test_what_is_charged_on_demand_is_billed(read: Read) -> None:
    record = row(read, cost="$1,234.56")
    assert (record.reported_cost_usd, record.reported_basis) == (Decimal("1234.56"), "billed")


@pytest.mark.parametrize("cost", ["0.19", "0", "Included", "-", "", "NaN"])
def test_what_the_plan_includes_has_no_reported_cost_and_a_label(cost: str, read: Read) -> None:
    record = row(read, kind="Included", cost=cost)
    assert record.reported_cost_usd is None
    assert record.origin.labels == "|kind=included|max_mode=no|"


def test_tokens_on_demand_for_nothing_have_no_reported_cost(read: Read) -> None:
    assert row(read, cost="0").reported_cost_usd is None


def test_what_cursor_says_it_did_not_charge_cost_nothing(read: Read) -> None:
    record = row(read, kind="Errored, No Charge", cost="0.19")
    assert (record.status, record.reported_cost_usd) == ("error", 0)


def test_with_ones_own_key_another_bills(read: Read) -> None:
    record = row(read, kind="User API Key")
    assert (record.reported_cost_usd, "kind=user_key" in record.origin.labels) == (None, True)


def test_a_kind_that_is_not_known_is_estimated_and_keeps_its_name(read: Read) -> None:
    record = row(read, kind="Bonus")
    assert (record.reported_basis, "kind=Bonus" in record.origin.labels) == ("estimated", True)


def test_cents_are_divided_exactly(read: Read) -> None:
    record = event(read, chargedCents=21.3625)
    assert (record.reported_cost_usd, record.reported_basis) == (Decimal("0.213625"), "billed")


def test_what_the_model_cost_is_an_estimate_of_what_was_charged(read: Read) -> None:
    record = event(read)
    assert (record.reported_cost_usd, record.reported_basis) == (Decimal("0.190625"), "estimated")


def test_the_dashboards_own_sum_is_what_was_charged(read: Read) -> None:
    assert event(read, usageBasedCosts="$0.20").reported_cost_usd == Decimal("0.20")
    assert event(read, usageBasedCosts="-").reported_cost_usd == Decimal("0.190625")


def test_an_included_event_of_the_api_has_no_reported_cost(read: Read) -> None:
    record = event(read, kind="USAGE_EVENT_KIND_INCLUDED_IN_BUSINESS", chargedCents=19)
    assert record.reported_cost_usd is None


def test_an_event_is_the_same_in_csv_and_json(read: Read) -> None:
    assert row(read).identity == event(read).identity


def test_a_request_without_tokens_has_unknown_usage(read: Read) -> None:
    record = event(read, tokenUsage=None, kind="USAGE_EVENT_KIND_ABORTED_NOT_CHARGED")
    assert (record.usage, record.status, record.input_tokens) == ("missing", "cancelled", None)


def test_the_older_export_tells_what_it_cost_and_what_of_it_one_paid(read: Read) -> None:
    header = HEADER.replace("User,Kind,", "").replace("Max Mode,", "") + ",Cost to you"
    values = "2026-09-14T08:00:00Z,gpt-4o,10,5,0,15,30,$0.10"
    records, problems = read(
        "usage.csv", f"{header}\n{values},$0.08\n{values.replace('15,30', '16,31')},$0.00\n"
    )
    assert problems == []
    assert [each.reported_cost_usd for each in records] == [Decimal("0.08"), None]
    assert [each.origin.labels for each in records] == ["", "|kind=included|"]


def test_a_negative_count_is_refused(read: Read) -> None:
    bad = {"usageEvents": [EVENT | {"tokenUsage": USAGE | {"inputTokens": -1}}, EVENT]}
    [_], [problem] = read("events.json", json.dumps(bad))
    assert (problem.what, problem.line) == ("inputTokens is negative", 1)


def test_events_may_stand_one_a_line(read: Read) -> None:
    lines = json.dumps(EVENT) + "\n" + json.dumps(EVENT | {"timestamp": "1789372800124"}) + "\n{\n"
    records, [problem] = read("events.jsonl", lines)
    assert ([each.line for each in records], problem.line) == ([1, 2], 3)


def test_a_fixture_is_read_or_refused_for_its_total(shared_data: Path) -> None:
    path = shared_data / "formats/cursor_csv/usage_events_fixture.csv"
    problem, record = cursor.read(open_source_file(path))
    assert isinstance(problem, Problem)
    assert problem.what == "the kinds of tokens do not sum to Total Tokens"
    assert not isinstance(record, Problem)
    assert record.input_tokens == 40_000
    assert (record.cache_write_tokens, record.cache_read_tokens) == (50_000, 10_000)
    assert (record.output_tokens, record.reported_cost_usd) == (3_000, None)
