from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import Problem
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import openai_costs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.spend.charge import Record

DAY = 1759276800


def result(value: object = 1, **changes: Any) -> dict[str, Any]:
    amount = {"value": value, "currency": "usd"}
    return {"object": "organization.costs.result", "amount": amount, **changes}


def page(*results: object, pulled_at: str | None = None, end: int = DAY + 86400) -> str:
    bucket = {"object": "bucket", "start_time": DAY, "end_time": end, "results": results}
    told = {"pulled_at": pulled_at} if pulled_at else {}
    return json.dumps({"object": "page", "data": [bucket], **told})


def one(read: Callable[..., Any], text: str) -> Record:
    records, problems = read("costs.json", text)
    assert problems == []
    (record,) = records
    return record  # type: ignore[no-any-return]


def why(read: Callable[..., Any], text: str) -> str:
    records, problems = read("costs.json", text)
    assert records == []
    (problem,) = problems
    return problem.what  # type: ignore[no-any-return]


def test_the_documented_answer_is_a_bill_of_six_cents(shared_data: Path) -> None:
    path = shared_data / "formats" / "openai_admin_api_docs" / "costs.json"
    assert openai_costs.recognises(open_source_file(path))
    (record,) = openai_costs.read(open_source_file(path))
    assert not isinstance(record, Problem)
    assert (record.reported_cost_usd, record.grain, record.calls) == (Decimal("0.06"), "bill", 0)


def test_the_digits_of_an_amount_are_kept_as_they_stand(read: Callable[..., Any]) -> None:
    text = page(result("@")).replace('"@"', "0.1000000000000000055511")
    assert one(read, text).reported_cost_usd == Decimal("0.1000000000000000055511")


@pytest.mark.parametrize("digits", ["1e-05", '"1E-5"', '"0.00001"'])
def test_an_amount_may_be_written_with_an_exponent_or_as_text(
    read: Callable[..., Any], digits: str
) -> None:
    text = page(result("@")).replace('"@"', digits)
    assert one(read, text).reported_cost_usd == Decimal("0.00001")


def test_a_zero_with_thousands_of_places_is_nothing(read: Callable[..., Any]) -> None:
    assert one(read, page(result("0E-6176"))).reported_cost_usd == 0


@pytest.mark.parametrize(
    "line_item",
    [
        "gpt-4o-2024-08-06, input",
        "gpt-4o-2024-08-06, cached input",
        "gpt-4o-2024-08-06, output, long context",
        "priority | gpt-4o-2024-08-06, output",
        "gpt-4o-2024-08-06 audio, input",
    ],
)
def test_the_model_of_a_line_item_that_names_one_is_known(
    read: Callable[..., Any], line_item: str
) -> None:
    record = one(read, page(result(line_item=line_item)))
    assert record.origin.model == "gpt-4o-2024-08-06"


@pytest.mark.parametrize(
    "line_item",
    ["web search tool calls", "Vector storage", "ft-gpt-4o, input", "storage, input", "a, b", ""],
)
def test_any_other_line_item_is_no_model(read: Callable[..., Any], line_item: str) -> None:
    assert not one(read, page(result(line_item=line_item))).origin.model


def test_the_tier_is_the_one_that_the_line_item_names(read: Callable[..., Any]) -> None:
    assert one(read, page(result(line_item="flex | o3-2025-04-16, input"))).service_tier == "flex"


def test_the_line_item_is_a_label(read: Callable[..., Any]) -> None:
    record = one(read, page(result(line_item="Vector storage")))
    assert record.origin.labels == "|line_item=Vector storage|"


def test_organisation_project_and_key_are_dimensions(read: Callable[..., Any]) -> None:
    told = {"organization_id": "org-acme", "project_id": "proj_1", "api_key_id": "key_1"}
    origin = one(read, page(result(**told))).origin
    assert (origin.account, origin.project, origin.credential) == ("org-acme", "proj_1", "key_1")


def test_a_new_name_of_a_project_is_the_same_line(read: Callable[..., Any]) -> None:
    before = one(read, page(result(project_id="proj_1", project_name="Old")))
    after = one(read, page(result(project_id="proj_1", project_name="New")))
    assert before.identity == after.identity


def test_a_dimension_that_nobody_knew_of_keeps_lines_apart(read: Callable[..., Any]) -> None:
    records, _ = read("costs.json", page(result(region="eu"), result(region="us")))
    assert len({record.identity for record in records}) == 2


def test_two_equal_lines_of_a_day_are_two_charges(read: Callable[..., Any]) -> None:
    records, _ = read("costs.json", page(result(1), result(2)))
    assert len({record.identity for record in records}) == 2


def test_another_currency_is_no_dollars(read: Callable[..., Any]) -> None:
    text = page(result(2.5)).replace('"usd"', '"eur"')
    record = one(read, text)
    assert record.reported_cost_usd is None
    assert (record.reported_cost, record.reported_currency) == (Decimal("2.5"), "EUR")


def test_a_negative_amount_is_a_credit(read: Callable[..., Any]) -> None:
    assert one(read, page(result(-3))).charge_category == "credit"


def test_an_amount_of_null_is_refused_and_not_zero(read: Callable[..., Any]) -> None:
    assert why(read, page(result(None))) == "amount.value is missing"
    assert why(read, page({**result(), "amount": None})) == "amount.value is missing"


def test_a_currency_of_null_is_refused(read: Callable[..., Any]) -> None:
    text = page(result()).replace('"usd"', "null")
    assert why(read, text) == "amount.currency is missing"


@pytest.mark.parametrize("value", ["1E+999999999", "1E-999999999", "a lot", [], 10**12])
def test_an_amount_that_cannot_be_is_refused(read: Callable[..., Any], value: object) -> None:
    assert why(read, page(result(value))).startswith("amount.value is")


def test_a_bucket_without_width_is_refused(read: Callable[..., Any]) -> None:
    assert why(read, page(result(), end=DAY)) == "the bucket ends before it begins"


def test_an_empty_day_is_no_charge(read: Callable[..., Any]) -> None:
    text = page() + "\n" + page(result())
    records, problems = read("costs.jsonl", text)
    assert (len(records), problems) == (1, [])


def test_usage_in_the_same_page_is_refused(read: Callable[..., Any]) -> None:
    other = {"object": "organization.audit.result", "amount": {"value": 1, "currency": "usd"}}
    records, problems = read("costs.json", page(result(), other, {}))
    assert [each.what for each in problems] == ["no result of the Costs API", "an empty result"]
    assert len(records) == 1


def test_a_result_without_its_bucket_is_refused(read: Callable[..., Any]) -> None:
    assert why(read, json.dumps(result())) == "a result without its bucket has no time"


def test_a_day_in_a_second_grouping_is_refused(read: Callable[..., Any]) -> None:
    by_item = page(result("2"), result("1", line_item="Image models"))
    by_project = page(result("3", line_item=None, project_id="proj_1"))
    records, [problem] = read("costs.jsonl", f"{by_item}\n{by_project}\n")
    assert sum(record.reported_cost_usd for record in records) == 3
    assert problem.what == "a bucket that this file tells of in another grouping too"
    assert problem.line == 2


def test_a_day_read_again_may_name_a_dimension_that_was_null(read: Callable[..., Any]) -> None:
    first = page(result("2", project_id=None))
    again = page(result("2", project_id=None), result("1", project_id="proj_1"))
    records, problems = read("costs.jsonl", f"{first}\n{again}\n")
    assert problems == []
    assert [record.origin.labels for record in records] == ["", "|null_in=project|", ""]
    assert len({record.identity for record in records}) == 3  # of two groupings: the finer counts


def test_a_day_of_two_projects_asked_for_one_by_one_is_of_one_grouping(
    read: Callable[..., Any],
) -> None:
    one_by_one = [page(result("2", project_id=f"proj_{number}")) for number in (1, 2)]
    records, problems = read("costs.jsonl", "\n".join(one_by_one))
    assert (len(records), problems) == (2, [])


def test_the_reading_that_was_pulled_last_wins_also_where_it_is_smaller(
    read: Callable[..., Any],
) -> None:
    early = one(read, page(result(9), pulled_at="2025-10-02T00:00:00Z"))
    late = one(read, page(result(7), pulled_at="2025-10-05T00:00:00Z"))
    assert early.identity == late.identity
    assert early.final < late.final


def test_a_reading_that_says_when_it_was_pulled_goes_before_one_that_does_not(
    read: Callable[..., Any],
) -> None:
    pulled = one(read, page(result(1), pulled_at="2025-10-02T00:00:00Z"))
    assert pulled.final > one(read, page(result(10**9))).final


def test_pages_in_a_list_and_pages_in_lines_are_the_same(read: Callable[..., Any]) -> None:
    pages = [page(result(1, line_item="Images")), page(result(2, line_item="Files"))]
    in_list, _ = read("costs.json", f"[{','.join(pages)}]")
    in_lines, _ = read("costs.jsonl", "\n".join(pages))
    assert [r.identity for r in in_list] == [r.identity for r in in_lines]
    assert sum(r.reported_cost_usd for r in in_list) == 3
