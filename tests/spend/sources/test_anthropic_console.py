from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import Problem
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import anthropic_console

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.spend.charge import Record

USAGE = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_output_tokens,inference_geo\n"
)
COST = (
    "usage_date_utc,model,workspace,api_key,usage_type,token_type,cost_usd,list_price_usd,"
    "cost_type,api_key_id\n"
)


def one(read: Callable[..., Any], text: str) -> Record:
    records, problems = read("export.csv", text)
    assert problems == []
    (record,) = records
    return record  # type: ignore[no-any-return]


def cost(model: str = "Claude Opus 5", usd: str = "1.30", key: str = "apikey_1") -> str:
    return f"2026-10-01,{model},Default,support-key,message,output,{usd},9.99,token,{key}\n"


def test_the_fixture_holds_157000_tokens_and_10_searches(shared_data: Path) -> None:
    path = shared_data / "formats" / "anthropic_console_csv" / "usage_export_fixture.csv"
    assert anthropic_console.recognises(open_source_file(path))
    records = list(anthropic_console.read(open_source_file(path)))
    inputs = outputs = searches = 0
    for record in records:
        assert not isinstance(record, Problem)
        inputs += record.input_tokens or 0
        outputs += record.output_tokens or 0
        searches += record.web_searches or 0
    assert (len(records), inputs, outputs, searches) == (2, 150_000, 7_000, 10)


def test_a_row_is_a_day_of_utc(read: Callable[..., Any]) -> None:
    record = one(read, USAGE + "2026-10-01,m,k,Default,standard,1,2,3,us\n")
    assert record.started_at_us == 1790812800000000
    assert record.ended_at_us == record.started_at_us + 86_400_000_000


def test_a_row_of_an_hour_has_no_known_end(read: Callable[..., Any]) -> None:
    record = one(read, USAGE + "2026-10-01T05:00:00Z,m,k,Default,standard,1,2,3,us\n")
    assert record.ended_at_us is None


def test_the_kinds_of_input_stand_beside_each_other(read: Callable[..., Any]) -> None:
    record = one(read, USAGE + "2026-10-01,m,k,Default,standard,1,2,3,us\n")
    assert (record.input_tokens, record.cache_write_5m_tokens, record.output_tokens) == (1, 2, 3)
    assert record.cache_read_tokens is record.cache_write_1h_tokens is None


def test_the_type_of_usage_is_the_tier(read: Callable[..., Any]) -> None:
    assert one(read, USAGE + "2026-10-01,m,k,Default,batch,1,2,3,us\n").service_tier == "batch"


def test_a_message_is_no_tier(read: Callable[..., Any]) -> None:
    assert not one(read, COST + cost()).service_tier


def test_costs_are_dollars_after_discounts(read: Callable[..., Any]) -> None:
    record = one(read, COST + cost())
    assert (record.reported_cost_usd, record.reported_basis) == (Decimal("1.30"), "billed")
    assert (record.grain, record.calls) == ("bill", 0)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("Claude Haiku 4.5", "claude-haiku-4-5"),
        ("Claude Opus 5", "claude-opus-5"),
        ("Claude Sonnet 3.7", "claude-3-7-sonnet"),
        ("claude-opus-4-6", "claude-opus-4-6"),
        ("Code Execution", ""),
        ("Claude Instant", ""),
    ],
)
def test_a_model_that_is_named_as_people_do_is_known_by_its_id(
    read: Callable[..., Any], name: str, model: str
) -> None:
    assert one(read, COST + cost(name)).origin.model == model


def test_a_name_that_is_no_model_is_a_label(read: Callable[..., Any]) -> None:
    assert "|model=Code Execution|" in one(read, COST + cost("Code Execution")).origin.labels


def test_two_keys_of_one_name_are_two_lines(read: Callable[..., Any]) -> None:
    records, _ = read("export.csv", COST + cost(key="apikey_1") + cost(key="apikey_2"))
    assert len({record.identity for record in records}) == 2


def test_an_export_from_before_keys_had_ids_is_the_same_line(read: Callable[..., Any]) -> None:
    older = COST.replace(",api_key_id", "") + cost().replace(",apikey_1", "")
    assert one(read, older).identity == one(read, COST + cost()).identity


def test_a_cost_that_is_missing_is_refused_and_not_zero(read: Callable[..., Any]) -> None:
    records, problems = read("export.csv", COST + cost(usd=""))
    assert (records, [each.what for each in problems]) == ([], ["cost_usd is missing"])


def test_a_negative_cost_is_a_credit(read: Callable[..., Any]) -> None:
    assert one(read, COST + cost(usd="-4.00")).charge_category == "credit"


def test_a_negative_count_is_refused(read: Callable[..., Any]) -> None:
    records, problems = read("export.csv", USAGE + "2026-10-01,m,k,Default,standard,-1,2,3,us\n")
    assert records == []
    assert [each.line for each in problems] == [2]
