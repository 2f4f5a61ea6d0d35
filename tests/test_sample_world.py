"""The sample company, read as a new user would: every sum equals the known truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearbar.cli.init import make_demo
from clearbar.core.period import ALL, parse_period
from clearbar.own.workflow import UNATTRIBUTED
from clearbar.sample.world import write_sample
from clearbar.spend.usage import Usage
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.sample.truth import Totals, Truth
    from clearbar.spend.ingest import Summary

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return write_sample(tmp_path_factory.mktemp("truth"))


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company") / "demo"
    make_demo(folder)
    return folder


@pytest.fixture(scope="module")
def summary(company: Path) -> Summary:
    with Workspace.find(company) as workspace:
        workspace.add_declared_outcomes()
        return workspace.add([str(company / "usage")])


@pytest.fixture
def workspace(company: Path, summary: Summary) -> Iterator[Workspace]:
    assert summary.new
    with Workspace.find(company) as opened:
        yield opened


def same(usage: Usage, totals: Totals) -> None:
    tokens = ["input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"]
    names = ["calls", *tokens, "cost_usd", "calls_billed", "calls_unpriced"]
    found = {name: getattr(usage, name) for name in names}
    assert found == {name: getattr(totals, name) for name in names}


def test_every_workflow_costs_what_it_truly_cost(workspace: Workspace, truth: Truth) -> None:
    rows = {row.key: row.usage for row in workspace.spend(ALL, "workflow").rows}
    assert rows.keys() == {*truth.workflows, UNATTRIBUTED}
    for name, true in truth.workflows.items():
        same(rows[name], true.total)


@pytest.mark.parametrize("month", ["2026-08", "2026-09", "2026-10"])
def test_every_month_costs_what_it_truly_cost(
    workspace: Workspace, truth: Truth, month: str
) -> None:
    period = parse_period(month, workspace.as_of)
    rows = {row.key: row.usage for row in workspace.spend(period, "workflow").rows}
    for name, true in truth.workflows.items():
        same(rows[name], true.month(month))


def test_what_no_rule_takes_is_one_line(workspace: Workspace, truth: Truth) -> None:
    same(workspace.spend(ALL, "workflow").unattributed, truth.unattributed.total)


@pytest.mark.parametrize("by", ["model", "provider", "account", "day", "label", "source"])
def test_the_rows_add_up_to_the_total_whatever_they_are(workspace: Workspace, by: str) -> None:
    report = workspace.spend(ALL, by)
    assert sum((row.usage for row in report.rows), Usage()) == report.total


def test_the_total_is_the_truth(workspace: Workspace, truth: Truth) -> None:
    same(workspace.spend(ALL, "model").total, truth.total)


def test_broken_records_are_kept_with_a_reason(workspace: Workspace, truth: Truth) -> None:
    problems = workspace.problems()
    found = [problem["source"] for problem in problems]
    assert {source: found.count(source) for source in found} == truth.quarantined
    assert all(problem["what"] for problem in problems)


def test_every_record_is_new_known_merged_or_quarantined(summary: Summary) -> None:
    told = summary.new + summary.known + summary.merged + summary.quarantined
    assert summary.records == told


def test_reading_it_again_adds_nothing(workspace: Workspace, company: Path) -> None:
    before = workspace.spend(ALL, "workflow")
    again = workspace.add([str(company / "usage")])
    assert (again.new, again.merged, again.files) == (0, 0, 0)
    assert workspace.spend(ALL, "workflow") == before


def test_every_verdict_is_the_one_its_story_calls_for(workspace: Workspace, truth: Truth) -> None:
    found = {
        verdict.workflow: (verdict.decision, tuple(reason.rule for reason in verdict.reasons))
        for verdict in workspace.verdicts()
    }
    assert found == {name: (true.decision, true.rules) for name, true in truth.workflows.items()}


def test_outcomes_are_counted_with_their_failures(workspace: Workspace, truth: Truth) -> None:
    cards = {card.workflow.name: card for card in workspace.scorecard(ALL).cards}
    for name, true in truth.workflows.items():
        assert cards[name].outcomes == true.total.outcomes
        assert cards[name].good == pytest.approx(float(true.total.good))


def test_equal_usage_with_other_stakes_looks_different(workspace: Workspace) -> None:
    cards = {card.workflow.name: card for card in workspace.scorecard().cards}
    letters, tickets = cards["regulated-letters"], cards["ticket-routing"]
    assert float(letters.usage.cost_usd) == pytest.approx(float(tickets.usage.cost_usd), rel=0.01)
    assert letters.workflow.stakes != tickets.workflow.stakes
