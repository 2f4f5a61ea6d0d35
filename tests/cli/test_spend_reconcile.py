"""`clearbar spend reconcile` and `close`, as a person runs them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.conftest import LINE

from clearbar.spend.reconciling.closing import FIELD_DOCS

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

FIRST = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())
DAY_SECONDS = 86_400


def costs(*amounts: float) -> str:
    """Return a page of OpenAI's costs, one amount a day."""
    buckets = [
        {
            "object": "bucket",
            "start_time": FIRST + number * DAY_SECONDS,
            "end_time": FIRST + (number + 1) * DAY_SECONDS,
            "results": [
                {
                    "object": "organization.costs.result",
                    "amount": {"value": amount, "currency": "usd"},
                    "line_item": None,
                    "project_id": None,
                    "api_key_id": None,
                    "quantity": None,
                }
            ],
        }
        for number, amount in enumerate(amounts)
    ]
    return json.dumps({"object": "page", "data": buckets, "has_more": False})


def logged(day: int) -> dict[str, Any]:
    """Return a call that costs 0.0035 by the price book."""
    times = dict.fromkeys(("startTime", "endTime"), f"2026-09-0{day}T08:00:00Z")
    return {**LINE, **times, "request_id": f"chatcmpl-{day}"}


@pytest.fixture
def billed(clearbar: CommandLine) -> CommandLine:
    """Return the command line in a workspace with four days of logs and five of a bill."""
    path = clearbar.folder / "costs.json"
    path.write_text(costs(0.0035, 0.007, 0.0035, 0.0035, 0.01))
    usage = clearbar.usage(*(logged(day) for day in range(1, 5)))
    assert clearbar("spend", "add", usage, path).code == 0
    return clearbar


def test_coverage_and_error_are_shown_with_what_is_missing(billed: CommandLine) -> None:
    said = billed("spend", "reconcile")
    assert said.code == 0
    for text in ("openai", "$0.028", "51%", "1 day (2026-09-05) without logs", "billed by day"):
        assert text in said.out


def test_every_line_fits_into_80_columns(billed: CommandLine) -> None:
    for by in ("provider", "account", "day"):
        lines = billed("spend", "reconcile", "--by", by).out.splitlines()
        assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(("by", "rows"), [("provider", 1), ("account", 1), ("day", 5)])
def test_a_row_is_what_was_asked_for(billed: CommandLine, by: str, rows: int) -> None:
    said = billed("spend", "reconcile", "2026-09", "--by", by)
    assert sum(line.startswith("openai ") and "$" in line for line in said.out.splitlines()) == rows


def test_json_has_every_day(billed: CommandLine) -> None:
    found = billed("spend", "reconcile", "--json").json
    [account] = found["accounts"]
    assert (account["billed_usd"], account["compared_usd"], account["residual_usd"]) == (
        "0.0275",
        "0.014",
        "0.0135",
    )
    assert len(account["days"]) == 5


def test_without_anything_it_says_what_to_do(clearbar: CommandLine) -> None:
    assert "clearbar spend add" in clearbar("spend", "reconcile").out


def test_without_a_bill_it_says_where_one_is(clearbar: CommandLine) -> None:
    clearbar("spend", "add", clearbar.usage(logged(1)))
    assert "clearbar spend pull openai" in clearbar("spend", "reconcile").out


def test_spend_shows_what_was_billed_beyond_the_logs(billed: CommandLine) -> None:
    said = billed("spend")
    assert "(billed, not logged)" in said.out
    assert "billed beyond the logs: $0.014, see spend reconcile" in said.out


def test_spend_shows_that_less_was_billed_than_logged(clearbar: CommandLine) -> None:
    path = clearbar.folder / "costs.json"
    path.write_text(costs(0.0005))
    clearbar("spend", "add", clearbar.usage(logged(1)), path)
    assert "billed less than logged: -$0.0030, see spend reconcile" in clearbar("spend").out


def test_a_closed_month_is_listed(billed: CommandLine) -> None:
    assert "no month is closed" in billed("spend", "close").out
    assert "2026-09 closed" in billed("spend", "close", "2026-09").out
    [entry] = billed("spend", "close", "--json").json["closings"]
    assert (entry["kind"], entry["month"]) == ("close", "2026-09")
    assert {f"closings[].{name}" for name in entry} | {"closings"} == set(FIELD_DOCS)


def test_what_comes_late_is_shown_as_a_correction(billed: CommandLine) -> None:
    before = billed("spend", "2026-09", "--json").json["total"]
    billed("spend", "close", "2026-09")
    late = {**logged(2), "request_id": "chatcmpl-late", "custom_llm_provider": "anthropic"}
    late["model"] = "claude-sonnet-4-5"
    billed("spend", "add", billed.usage(late, name="late.jsonl"))
    said = billed("spend")
    assert "corrections of 2026-09, which is closed: $0.0045" in said.out
    assert billed("spend", "2026-09", "--json").json["total"] == before
    assert "corrections of 20" in billed("spend", "close").out


@pytest.mark.parametrize("text", ["2026", "2026-09-01", "nonsense", "2026-99", ""])
def test_only_a_month_is_closed(billed: CommandLine, text: str) -> None:
    said = billed("spend", "close", text)
    assert said.code == 1
    assert said.err == (f'error: "{text}" is not one calendar month\nhint: write it as 2026-10\n')


def test_help_shows_examples(clearbar: CommandLine) -> None:
    for name in ("reconcile", "close"):
        assert "Examples:" in clearbar("spend", name, "--help").out


@pytest.mark.parametrize("width", [60, 80])
def test_names_give_way_before_sums_do(
    billed: CommandLine, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    call = {**logged(1), "request_id": "chatcmpl-far", "custom_llm_provider": "a-provider" * 4}
    billed("spend", "add", billed.usage(call, name="far.jsonl"))
    monkeypatch.setenv("COLUMNS", str(width))
    lines = billed("spend", "reconcile").out.splitlines()
    assert max(map(len, lines[:4])) <= width
    assert "error" in lines[0]
    assert any(line.startswith("openai") and "$0.028" in line for line in lines)
