"""From a number back to the bytes: price lines that multiply out, witnesses that can be checked."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.period import parse_period
from clearbar.spend.charge import Origin, charge_id
from clearbar.spend.trace import Trace, trace_json
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.trace import PriceLine

LINE: dict[str, Any] = {
    "request_id": "chatcmpl-1",
    "call_type": "acompletion",
    "startTime": "2026-09-01T08:00:00Z",
    "endTime": "2026-09-01T08:00:01Z",
    "model": "gpt-4o",
    "custom_llm_provider": "openai",
    "spend": 0.01,
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 400}}},
}
DECLARED = """
[[workflow]]
name = "letters"
owner = "letters-lead@example.com"
match = [{ team = "legal" }]
"""


@pytest.fixture
def workspace(tmp_path: Path, book: PriceBook) -> Iterator[Workspace]:
    shutil.copytree(book.path.parent, tmp_path / ".clearbar" / "prices")
    (tmp_path / "clearbar.toml").write_text(DECLARED)
    with Workspace(tmp_path) as opened:
        yield opened


def export(workspace: Workspace, *lines: dict[str, Any], name: str = "export.jsonl") -> Path:
    """Write an export with a first line of another request, and add it."""
    path = workspace.folder / name
    other = {**LINE, "request_id": "chatcmpl-0"}
    content = "".join(f"{json.dumps(line)}\n" for line in (other, *lines)).encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    workspace.add([str(path)])
    return path


def traced(workspace: Workspace) -> Trace:
    return workspace.trace(charge_id("upstream:chatcmpl-1"))


def lines_of(trace: Trace) -> dict[str, PriceLine]:
    return {line.meter: line for line in trace.lines}


def cost_of_lines(trace: Trace) -> Decimal:
    return sum((line.cost_usd or Decimal(0) for line in trace.lines), Decimal(0))


def test_the_price_lines_multiply_out_to_the_cost(workspace: Workspace) -> None:
    export(workspace, LINE)
    found = traced(workspace)
    assert found.cost_usd == cost_of_lines(found) == Decimal("0.003")


def test_each_meter_has_its_own_line(workspace: Workspace) -> None:
    export(workspace, LINE)
    lines = lines_of(traced(workspace))
    assert (lines["input_tokens"].quantity, lines["cache_read_tokens"].quantity) == (600, 400)
    assert lines["output_tokens"].unit_price_usd == Decimal("0.00001")


def test_reasoning_with_a_price_of_its_own_is_a_line_of_its_own(workspace: Workspace) -> None:
    usage = {"completion_tokens_details": {"reasoning_tokens": 30}}
    deep = {"model": "sonar-deep-research", "custom_llm_provider": "perplexity"}
    export(workspace, {**LINE, **deep, "metadata": {"usage_object": usage}})
    found = traced(workspace)
    lines = lines_of(found)
    assert (lines["output_tokens"].quantity, lines["reasoning_tokens"].quantity) == (70, 30)
    assert found.cost_usd == cost_of_lines(found)


def test_a_price_per_call_is_a_line(workspace: Workspace) -> None:
    toml = workspace.folder / "clearbar.toml"
    toml.write_text('[[price]]\nprovider = "openai"\nmodel = "gpt-4o"\nusd_per_call = "0.02"\n')
    export(workspace, LINE)
    found = traced(workspace)
    assert lines_of(found)["calls"].cost_usd == Decimal("0.02")
    assert found.cost_usd == cost_of_lines(found)


def test_a_charge_without_a_price_has_lines_without_prices(workspace: Workspace) -> None:
    export(workspace, {**LINE, "model": "acme-7", "custom_llm_provider": "acme", "spend": None})
    found = traced(workspace)
    assert (found.basis, found.cost_usd) == ("unpriced", None)
    assert {line.unit_price_usd for line in found.lines} == {None}
    assert {line.cost_usd for line in found.lines} == {None}


def test_the_workflow_and_its_rule_are_named(workspace: Workspace) -> None:
    export(workspace, {**LINE, "team_id": "legal"})
    found = traced(workspace)
    assert (found.workflow, "team = legal" in found.rule) == ("letters", True)


def test_the_origin_is_united_from_all_witnesses(workspace: Workspace) -> None:
    export(workspace, {**LINE, "team_id": "legal"})
    export(workspace, {**LINE, "user": "drafting-service"}, name="other.jsonl")
    origin: Origin = traced(workspace).origin
    assert (origin.team, origin.principal) == ("legal", "drafting-service")


def test_every_record_of_the_charge_is_a_witness_and_one_wins(workspace: Workspace) -> None:
    export(workspace, LINE)
    export(workspace, {**LINE, "completion_tokens": 150}, name="other.jsonl")
    witnesses = traced(workspace).witnesses
    assert [(each.uri.rpartition("/")[2], each.wins) for each in witnesses] == [
        ("other.jsonl", True),
        ("export.jsonl", False),
    ]


@pytest.mark.parametrize("name", ["export.jsonl", "export.jsonl.gz"])
def test_the_bytes_that_were_read_are_found_again(workspace: Workspace, name: str) -> None:
    export(workspace, LINE, name=name)
    [witness] = traced(workspace).witnesses
    assert (witness.line, witness.bytes) == (2, "unchanged")


def test_changed_bytes_are_seen(workspace: Workspace) -> None:
    path = export(workspace, LINE)
    path.write_text(path.read_text().replace('"prompt_tokens": 1000', '"prompt_tokens": 9000'))
    assert [each.bytes for each in traced(workspace).witnesses] == ["changed"]


def test_a_file_that_is_cut_short_is_seen(workspace: Workspace) -> None:
    path = export(workspace, LINE, name="export.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-20])
    assert [each.bytes for each in traced(workspace).witnesses] == ["changed"]


def test_a_file_that_is_gone_is_seen(workspace: Workspace) -> None:
    export(workspace, LINE).unlink()
    assert [each.bytes for each in traced(workspace).witnesses] == ["missing"]


def test_a_row_of_a_table_has_no_bytes_to_compare(workspace: Workspace) -> None:
    path = workspace.folder / "export.json"
    path.write_text(json.dumps([LINE]))
    workspace.add([str(path)])
    assert [each.bytes for each in traced(workspace).witnesses] == ["not kept"]


def test_json_holds_money_as_exact_text(workspace: Workspace) -> None:
    export(workspace, LINE)
    found = trace_json(traced(workspace))
    assert found["cost_usd"] == "0.003"
    assert {type(line["cost_usd"]) for line in found["lines"]} == {str}


def test_json_of_what_is_not_known_is_null(workspace: Workspace) -> None:
    export(workspace, {**LINE, "model": "acme-7", "custom_llm_provider": "acme", "spend": None})
    found = trace_json(traced(workspace))
    assert found["cost_usd"] is None
    assert {line["unit_price_usd"] for line in found["lines"]} == {None}


def test_a_price_that_is_declared_no_more_is_not_taken_for_another(workspace: Workspace) -> None:
    declare = workspace.folder / "clearbar.toml"
    price = '[[price]]\nprovider = "*"\nmodel = "{}"\nusd_per_million = {{ input_tokens = "{}" }}\n'
    declare.write_text(price.format("gpt-4o", 7))
    workspace.__dict__.pop("declared", None)
    export(workspace, LINE)
    declare.write_text(price.format("other", 99))
    with Workspace(workspace.folder) as later:
        assert {line.unit_price_usd for line in traced(later).lines} == {None}


def test_a_charge_whose_price_is_declared_no_more_can_be_traced(workspace: Workspace) -> None:
    declare = workspace.folder / "clearbar.toml"
    declare.write_text('[[price]]\nprovider = "*"\nmodel = "*"\ndiscount = "0.5"\n')
    workspace.__dict__.pop("declared", None)
    export(workspace, LINE)
    declare.write_text("")
    with Workspace(workspace.folder) as later:
        assert traced(later).cost_usd == Decimal("0.0015")


def test_a_price_by_a_rule_of_hours_is_traced_to_that_rule(workspace: Workspace) -> None:
    saturday = {**LINE, "model": "deepseek-v4-pro", "custom_llm_provider": "deepseek"}
    export(workspace, {**saturday, "startTime": "2026-10-24T02:00:00Z"})
    [found] = [
        one
        for one in workspace.dearest(parse_period("all", date(2026, 11, 2)))
        if "deepseek" in one["model"]
    ]
    price = workspace.trace(found["charge_id"]).price
    assert price["price_id"].endswith("+deepseek-weekend")
    assert price["weekdays_utc"] == "Sat-Sun"
    assert "off-peak at all hours of Saturday and Sunday" in price["source"]
