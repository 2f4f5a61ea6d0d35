"""What models cost, what was agreed, and where sources disagree: as a person sees it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import LINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine

SEATS = """
[[plan]]
name = "seats"
provider = "openai"
only = { team = "legal" }
from = 2026-09-01
usd_per_month = "30"
"""
LLAMA = """
[[self_hosted]]
name = "llama"
model = "llama-3*"
usd_per_gpu_hour = "3.06"
gpus = 1
input_tokens_per_second = 850
output_tokens_per_second = 850
utilisation = 0.5
"""


def declare(clearbar: CommandLine, text: str) -> None:
    path = clearbar.folder / "clearbar.toml"
    path.write_text(path.read_text() + text)


def rows(clearbar: CommandLine, *arguments: str) -> dict[str, Decimal]:
    found = clearbar("spend", *arguments, "--json").json["rows"]
    return {row["key"]: Decimal(row["cost_usd"]) for row in found}


def test_prices_of_all_models_that_calls_name_are_shown(filled: CommandLine) -> None:
    said = filled("spend", "prices")
    assert "openai/gpt-4o" in said.out
    assert "2.5" in said.out
    assert "from genai-prices" in said.out


def test_a_model_that_no_call_names_can_be_asked_for(clearbar: CommandLine) -> None:
    found = clearbar("spend", "prices", "google/gemini-2.5-pro", "--json").json["prices"]
    assert [row["input_tokens_over"] for row in found if not row["service_tier"]] == [0, 200_000]


def test_a_name_cannot_command_the_terminal(clearbar: CommandLine) -> None:
    clearbar("spend", "add", clearbar.usage({**LINE, "model": "\x1b[2Jgone"}))
    assert "\x1b" not in clearbar("spend", "prices").out


def test_recorded_costs_that_differ_from_the_book_are_shown_with_a_reason(
    filled: CommandLine,
) -> None:
    said = filled("spend", "prices", "--disagree")
    assert "2026-09 openai/gpt-4o: recorded $0.010, book $0.0035, gap $0.0065 (+185.7%)" in said.out
    assert "2 calls with a recorded cost; 2 differ by over 1% from the book" in said.out


def test_a_period_limits_what_is_compared(filled: CommandLine) -> None:
    said = filled("spend", "prices", "--disagree", "--period", "2026-08", "--json")
    assert [(row["month"], row["calls"]) for row in said.json["logs"]] == [("2026-08", 1)]


def test_a_table_of_prices_is_compared_with_the_book(filled: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    entry = {"litellm_provider": "openai", "output_cost_per_token": 2e-05}
    path.write_text(json.dumps({"gpt-4o": entry}))
    said = filled("spend", "prices", "--against", path)
    assert "output_tokens" in said.out
    assert "$0.0020" in said.out
    found = filled("spend", "prices", "openai/gpt-4o", "--against", path, "--json").json
    assert [row["effect_usd"] for row in found["tables"]] == ["0.002"]


def test_a_table_that_agrees_is_said_to(filled: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    entry = {"litellm_provider": "openai", "output_cost_per_token": 1e-05}
    path.write_text(json.dumps({"gpt-4o": entry}))
    said = filled("spend", "prices", "openai/gpt-4o", "--against", path)
    assert said.out == "the price book and the table differ nowhere by over 1%\n"


def test_a_plan_is_a_line_of_its_own_and_its_calls_cost_nothing_extra(
    clearbar: CommandLine,
) -> None:
    declare(clearbar, SEATS)
    clearbar("spend", "add", clearbar.usage(LINE))
    assert rows(clearbar) == {
        "(plans)": Decimal("0.0035"),
        "(plans, unused)": Decimal("13.9965"),
        "letters": 0,
    }
    report = clearbar("spend", "--json").json
    assert report["covered"] == [{"name": "plan:seats", "calls": 1, "list_usd": "0.0035"}]
    assert report["total"]["calls"] == 1
    said = clearbar("spend").out
    assert "covered by plan:seats: 1 calls, list value $0.0035, nothing extra" in said


def test_the_card_of_a_workflow_under_a_plan_says_what_its_calls_are_worth_at_list_price(
    clearbar: CommandLine,
) -> None:
    declare(clearbar, SEATS)
    clearbar("spend", "add", clearbar.usage(LINE))
    card = clearbar("own", "--workflow", "letters", "--json").json
    assert card["usage"]["cost_usd"] == "0"
    assert card["covered"] == {"calls": 1, "list_usd": "0.0035"}
    said = "1 call paid in advance: $0.0035 at list price"
    assert said in clearbar("own", "--workflow", "letters").out
    assert f"letters: {said}." in clearbar("own").out
    clearbar("report")
    assert "at list price" in (clearbar.folder / "report.html").read_text()


def test_what_plans_covered_before_a_period_is_not_in_its_cards(clearbar: CommandLine) -> None:
    declare(clearbar, SEATS)
    clearbar("spend", "add", clearbar.usage(LINE))
    assert clearbar("own", "2026-08", "--workflow", "letters", "--json").json["covered"] is None


def test_a_plan_that_is_split_goes_to_the_workflow_that_used_it(clearbar: CommandLine) -> None:
    declare(clearbar, f'{SEATS}split = "list_value"\n')
    clearbar("spend", "add", clearbar.usage(LINE))
    assert rows(clearbar) == {"letters": Decimal("0.0035"), "(plans, unused)": Decimal("13.9965")}


def test_a_plan_costs_its_days_in_a_period(clearbar: CommandLine) -> None:
    declare(clearbar, SEATS)
    assert clearbar("spend", "2026-09-01..2026-09-08", "--json").json["total"]["cost_usd"] == "7"


def test_a_plan_that_is_declared_later_needs_a_repricing(clearbar: CommandLine) -> None:
    clearbar("spend", "add", clearbar.usage(LINE))
    before = clearbar("spend", "--json").json["total"]["cost_usd"]
    declare(clearbar, SEATS)
    assert "1 records have a new price" in clearbar("spend", "reprice").out
    assert rows(clearbar, "--by", "source") == {
        "litellm": 0,
        "plan": Decimal(before),
        "plan-unused": 14 - Decimal(before),
    }


def test_a_credit_comes_off_as_a_line_of_its_own(clearbar: CommandLine) -> None:
    declare(clearbar, '[[credit]]\nname = "start"\nusd = "0.001"\nfrom = 2026-01-01\n')
    clearbar("spend", "add", clearbar.usage(LINE))
    assert rows(clearbar) == {"letters": Decimal("0.0035"), "(declared credits)": Decimal("-0.001")}


def test_a_self_hosted_model_costs_what_its_machines_do(clearbar: CommandLine) -> None:
    declare(clearbar, LLAMA)
    own = {**LINE, "model": "llama-3-70b", "custom_llm_provider": "hosted_vllm", "spend": 0}
    clearbar("spend", "add", clearbar.usage({**own, "prompt_tokens": 10**6}))
    assert rows(clearbar)["letters"] == Decimal("2.0002")


def test_a_self_hosted_model_that_is_not_declared_is_unpriced(clearbar: CommandLine) -> None:
    own = {**LINE, "model": "llama-3-70b", "custom_llm_provider": "hosted_vllm", "spend": 0}
    clearbar("spend", "add", clearbar.usage(own))
    assert clearbar("spend", "--json").json["unpriced_calls"] == 1


def test_reprice_takes_the_version_that_a_charge_was_priced_with(filled: CommandLine) -> None:
    [first, *_] = filled("spend", "trace", "--json").json["charges"]
    version = filled("spend", "trace", first["charge_id"], "--json").json["price_version"]
    declare(filled, '[[price]]\nprovider = "*"\nmodel = "*"\ndiscount = "0.5"\n')
    assert "2 records have a new price" in filled("spend", "reprice").out
    assert "2 records have a new price" in filled("spend", "reprice", "--book", version).out
    assert "0 records have a new price" in filled("spend", "reprice", "--book", version).out


def test_an_unknown_price_book_is_told_which_there_are(filled: CommandLine) -> None:
    said = filled("spend", "reprice", "--book", "genai-prices 0.0.1")
    assert said.code == 2
    assert 'no edition of the price book "genai-prices 0.0.1"' in said.err
    assert "there are: genai-prices 0.2.3+" in said.err


@pytest.mark.parametrize("arguments", [(), ("--disagree",)])
def test_an_empty_workspace_has_nothing_to_show(
    clearbar: CommandLine, arguments: tuple[str, ...]
) -> None:
    assert clearbar("spend", "prices", *arguments).code == 0


def test_the_trace_of_a_covered_call_shows_its_list_value(clearbar: CommandLine) -> None:
    declare(clearbar, SEATS)
    clearbar("spend", "add", clearbar.usage(LINE))
    [charge] = clearbar("spend", "trace", "--json").json["charges"]
    said = clearbar("spend", "trace", charge["charge_id"]).out
    assert "cost      $0.00 (priced)" in said
    assert "list      $0.0035, paid in advance" in said
    assert "covered: paid in advance: costs nothing extra" in said


def test_a_model_that_nobody_knows_is_refused_with_the_nearest_names(
    filled: CommandLine, tmp_path: Path
) -> None:
    table = tmp_path / "table.json"
    table.write_text('{"gpt-4o": {"litellm_provider": "openai", "output_cost_per_token": 2e-05}}')
    for more in ([], ["--json"], ["--against", str(table)]):
        said = filled("spend", "prices", "openai/gpt-4oo", *more)
        assert said.code == 2
        assert 'the price book does not know "openai/gpt-4oo". Did you mean' in said.err
        assert "openai/gpt-4o" in said.err
        assert "[[price]]" in said.err


def test_recorded_costs_of_a_model_that_no_call_names_are_refused(filled: CommandLine) -> None:
    said = filled("spend", "prices", "openai/gpt-4oo", "--disagree")
    assert said.code == 2
    assert 'no call names the model "openai/gpt-4oo". Did you mean "openai/gpt-4o"?' in said.err


@pytest.mark.parametrize("name", ["", "openai/"])
def test_a_model_without_a_name_is_refused(clearbar: CommandLine, name: str) -> None:
    said = clearbar("spend", "prices", name)
    assert said.code == 2
    assert "name a model, such as openai/gpt-4o" in said.err


def test_a_price_of_some_calls_alone_is_named_beside_the_list_price(filled: CommandLine) -> None:
    price = '[[price]]\nprovider = "openai"\nmodel = "GPT-4o*"\ndiscount = "0.2"\n'
    declare(filled, f'\n{price}only = {{ team = "sales" }}\n')
    told = "[[price]] number 1 is not shown: it is for calls of team sales alone"
    assert told in filled("spend", "prices").out
    assert told not in filled("spend", "prices", "anthropic/claude-sonnet-4-5").out
