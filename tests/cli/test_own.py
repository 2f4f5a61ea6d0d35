from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import LINE
from tests.cli.test_spend_reconcile import costs

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

OUTCOMES = """workflow,task_id,score,scored_at,said_by
letters,L-1,1,2026-09-01T09:00:00Z,crm
letters,L-2,0,2026-09-02T09:00:00Z,crm
letters,L-3,seven,2026-09-02T09:00:00Z,crm
"""
AGREED = """
[[price]]
provider = "anthropic"
model = "*"
discount = "0.17"
from = 2026-09-03

[[plan]]
name = "seats"
provider = "openai"
only = { team = "legal" }
from = 2026-09-02
usd_per_month = "19.99"
split = "list_value"

[[self_hosted]]
name = "cluster"
model = "llama-*"
usd_per_gpu_hour = "3.13"
gpus = 3
input_tokens_per_second = 700
output_tokens_per_second = 70
utilisation = "0.3"
hours_per_day = 7
from = 2026-09-01

[[credit]]
name = "grant"
usd = "0.777777777"
provider = "anthropic"
from = 2026-09-01

[[account]]
name = "acme"
provider = "openai"
aliases = ["org-abc"]
"""


def outcomes(clearbar: CommandLine) -> str:
    path = clearbar.folder / "letters.csv"
    path.write_text(OUTCOMES)
    return str(path)


def test_the_scorecard_names_every_workflow(filled: CommandLine) -> None:
    said = filled("own")
    assert said.code == 0
    assert "letters" in said.out


def test_the_scorecard_as_json_has_a_card_for_each(filled: CommandLine) -> None:
    [card] = filled("own", "2026-09", "--json").json["cards"]
    assert card["workflow"]["name"] == "letters"


def test_one_workflow_has_a_card_of_its_own(filled: CommandLine) -> None:
    said = filled("own", "--workflow", "letters")
    assert "letters-lead@example.com" in said.out


def test_one_card_as_json(filled: CommandLine) -> None:
    card = filled("own", "--workflow", "letters", "--json").json
    assert card["workflow"]["name"] == "letters"


def test_an_unknown_workflow_names_the_nearest(filled: CommandLine) -> None:
    said = filled("own", "--workflow", "leters")
    assert (said.code, said.out) == (2, "")
    assert 'Did you mean "letters"?' in said.err


@pytest.mark.parametrize("period", ["all", "2026", "2000-01-01..2040-12-31"])
def test_a_scorecard_may_cover_any_time(filled: CommandLine, period: str) -> None:
    assert filled("own", period).code == 0


def test_outcomes_are_added_and_bad_ones_named(filled: CommandLine) -> None:
    said = filled("own", "outcome", "add", outcomes(filled))
    assert said.out == "3 outcomes: 2 new, 0 known, 1 bad\n"
    assert "letters.csv:4:" in said.err
    assert "seven" not in said.err


def test_outcomes_as_json_are_counted(filled: CommandLine) -> None:
    path = outcomes(filled)
    filled("own", "outcome", "add", path)
    found = filled("own", "outcome", "add", path, "--json").json
    assert (found["new"], found["known"], len(found["problems"])) == (0, 2, 1)
    assert set(found["problems"][0]) == {"uri", "line", "what", "hint"}


def test_a_file_of_outcomes_that_is_not_there_is_an_error(filled: CommandLine) -> None:
    said = filled("own", "outcome", "add", "nowhere.csv")
    assert (said.code, said.out) == (2, "")
    assert "nowhere.csv" in said.err


@pytest.mark.parametrize("period", ["2026-09", "2026-09-03", "all"])
def test_the_scorecard_and_the_spend_are_the_same_to_the_last_digit(
    clearbar: CommandLine, period: str
) -> None:
    declared = clearbar.folder / "clearbar.toml"
    declared.write_text(declared.read_text() + AGREED)
    models = {"gpt-4o": "openai", "claude-sonnet-4-5": "anthropic", "llama-3": "vllm", "odd": ""}
    lines = [
        {
            **LINE,
            **dict.fromkeys(("startTime", "endTime"), f"2026-09-0{day}T08:00:00Z"),
            "request_id": f"chatcmpl-{day}{team}{model}",
            "team_id": team,
            "model": model,
            "custom_llm_provider": provider,
            "prompt_tokens": 997 + day,
        }
        for day in range(1, 6)
        for team in ("legal", "sales")
        for model, provider in models.items()
    ]
    bill = clearbar.folder / "costs.json"
    bill.write_text(costs(0.0035, 0.007, 0.0135, 0.0035, 0.01))
    assert clearbar("spend", "add", clearbar.usage(*lines), bill).code == 0
    card, spend = clearbar("own", period, "--json").json, clearbar("spend", period, "--json").json
    rows = {row.pop("key"): row for row in spend["rows"]}
    assert [each["workflow"]["name"] for each in card["cards"]] == ["letters"]
    assert card["cards"][0]["usage"] == rows["letters"]
    assert (card["total"], card["unattributed"]) == (spend["total"], spend["unattributed"])
    assert len(rows) > 3
