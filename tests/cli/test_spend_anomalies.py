"""`clearbar spend anomalies` as a person and a program see it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import LINE

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


@pytest.fixture
def unusual(clearbar: CommandLine) -> CommandLine:
    """A workflow of 300 usual calls and one of nine million tokens."""
    draw = Random(1)
    tokens = [int(draw.lognormvariate(7, 1)) for _ in range(300)]
    lines = [
        {**LINE, "request_id": f"chatcmpl-{number:020}", "prompt_tokens": count}
        for number, count in enumerate([*tokens, 9_000_000])
    ]
    clearbar("spend", "add", clearbar.usage(*lines))
    return clearbar


def test_a_call_far_outside_what_is_usual_is_shown_with_its_effect(unusual: CommandLine) -> None:
    said = unusual("spend", "anomalies").out
    assert "$22.50" in said
    assert "1 charges, $22.50 beyond what is usual; 1 kinds of charges compared" in said


def test_it_counts_in_the_sum_all_the_same(unusual: CommandLine) -> None:
    [anomaly] = unusual("spend", "anomalies", "--json").json["anomalies"]
    assert float(unusual("spend", "--json").json["total"]["cost_usd"]) > float(anomaly["cost_usd"])


def test_it_can_be_traced(unusual: CommandLine) -> None:
    [anomaly] = unusual("spend", "anomalies", "--json").json["anomalies"]
    traced = unusual("spend", "trace", anomaly["charge_id"])
    assert "9,000,000" in traced.out


def test_what_a_program_gets_names_the_workflow_and_model(unusual: CommandLine) -> None:
    told = unusual("spend", "anomalies", "--json").json
    [anomaly] = told["anomalies"]
    assert (anomaly["workflow"], anomaly["model"], told["compared"]) == ("letters", "gpt-4o", 1)


def test_with_few_charges_nothing_is_shown(filled: CommandLine) -> None:
    said = filled("spend", "anomalies").out
    assert "0 charges, $0.00 beyond what is usual; 0 kinds of charges compared" in said


def test_in_a_period_without_charges_nothing_is_shown(unusual: CommandLine) -> None:
    assert unusual("spend", "anomalies", "2025", "--json").json["anomalies"] == []


def test_an_empty_ledger_has_none(clearbar: CommandLine) -> None:
    assert clearbar("spend", "anomalies", "--json").json["compared"] == 0
