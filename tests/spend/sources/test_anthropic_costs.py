from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import Problem
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import anthropic_costs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.spend.charge import Record


def result(amount: object = "100", **changes: Any) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD", "cost_type": "tokens", **changes}


def page(*results: object, **told: Any) -> str:
    day = {"starting_at": "2026-10-01T00:00:00Z", "ending_at": "2026-10-02T00:00:00Z"}
    return json.dumps({"data": [{**day, "results": results}], **told})


def one(read: Callable[..., Any], text: str) -> Record:
    records, problems = read("costs.json", text)
    assert problems == []
    (record,) = records
    return record  # type: ignore[no-any-return]


def test_the_documented_amount_is_a_dollar_and_some_cents(shared_data: Path) -> None:
    path = shared_data / "formats" / "anthropic_admin_api_docs" / "cost_report.json"
    assert anthropic_costs.recognises(open_source_file(path))
    (record,) = anthropic_costs.read(open_source_file(path))
    assert not isinstance(record, Problem)
    assert record.reported_cost_usd == Decimal("1.2378912")
    assert (record.origin.model, record.service_tier) == ("claude-opus-5", "standard")
    assert (record.grain, record.calls, record.reported_basis) == ("bill", 0, "billed")


@pytest.mark.parametrize(
    ("cents", "dollars"),
    [("123.45", "1.2345"), ("0.01", "0.0001"), ("100", "1"), (250, "2.5"), ("1E-20", "1E-22")],
)
def test_an_amount_is_in_cents(read: Callable[..., Any], cents: object, dollars: str) -> None:
    assert one(read, page(result(cents))).reported_cost_usd == Decimal(dollars)


def test_no_digit_of_a_long_amount_is_lost(read: Callable[..., Any]) -> None:
    digits = "12345.678901234567890123456789012345"
    expected = Decimal("123.45678901234567890123456789012345")
    assert one(read, page(result(digits))).reported_cost_usd == expected


def test_a_negative_amount_is_a_credit(read: Callable[..., Any]) -> None:
    record = one(read, page(result("-500.5")))
    assert (record.reported_cost_usd, record.charge_category) == (Decimal("-5.005"), "credit")


def test_the_kind_of_cost_and_of_token_are_labels(read: Callable[..., Any]) -> None:
    record = one(read, page(result(token_type="output_tokens", description="Output")))  # noqa: S106 - no password
    assert record.origin.labels == "|cost_type=tokens|description=Output|token_type=output_tokens|"


def test_the_workspace_is_the_project(read: Callable[..., Any]) -> None:
    assert one(read, page(result(workspace_id="wrkspc_01"))).origin.project == "wrkspc_01"


def test_each_description_is_another_line(read: Callable[..., Any]) -> None:
    lines = [result(), result(description="a"), result(description="b"), result(speed="fast")]
    records, _ = read("costs.json", page(*lines))
    assert len({record.identity for record in records}) == 4


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"currency": "EUR"}, "the currency is not USD"),
        ({"amount": None}, "amount is missing"),
        ({"amount": "a lot"}, "amount is not a number"),
        ({"amount": "1E+999999"}, "amount is no amount of money"),
        ({"rbac_group_id": "group_1"}, "groups overlap: a user in two of them counts twice"),
    ],
)
def test_a_line_that_cannot_be_is_refused(
    read: Callable[..., Any], changes: dict[str, Any], what: str
) -> None:
    records, problems = read("costs.json", page(result(), result(**changes)))
    assert ([each.what for each in problems], len(records)) == ([what], 1)


def test_the_reading_that_was_pulled_last_wins_also_where_it_is_smaller(
    read: Callable[..., Any],
) -> None:
    early = one(read, page(result("900"), pulled_at="2026-10-02T00:00:00Z"))
    late = one(read, page(result("700"), pulled_at="2026-10-04T00:00:00Z"))
    assert early.identity == late.identity
    assert early.final < late.final
