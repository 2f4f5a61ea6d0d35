from __future__ import annotations

import tomllib
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.period import last_days
from clearbar.own.estimate import growth
from clearbar.sample import AS_OF, DAYS, FIRST_DAY, Totals, WorkflowTruth, write_sample
from clearbar.sample.company import WORKFLOWS

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.core.period import Period
    from clearbar.sample import Truth

NOW = last_days(30, AS_OF)


def declared(sample: Path, name: str) -> dict[str, Any]:
    text = (sample / "clearbar.toml").read_text()
    return next(each for each in tomllib.loads(text)["workflow"] if each["name"] == name)


def over(truth: WorkflowTruth, period: Period) -> Totals:
    return truth.between(period.start, period.end)


def daily(truth: WorkflowTruth, field: str, period: Period) -> list[float]:
    days = (period.start + timedelta(days=index) for index in range(period.days))
    return [float(getattr(truth.days.get(day, Totals()), field)) for day in days]


def grown(truth: WorkflowTruth, field: str) -> tuple[float, float]:
    """The bounds of a field's growth in the last thirty days against the thirty before."""
    estimate = growth(daily(truth, field, NOW.previous()), daily(truth, field, NOW), 0.95)
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


def test_the_sample_spans_the_ninety_days_before_its_day(truth: Truth) -> None:
    days = truth.workflows["coding-assistant"].days
    assert min(days) == FIRST_DAY
    assert max(days) < AS_OF == FIRST_DAY + timedelta(days=DAYS)


def test_the_whole_is_the_sum_of_its_parts(truth: Truth) -> None:
    parts = [*truth.workflows.values(), truth.unattributed]
    for field in fields(Totals):
        total = getattr(truth.total, field.name)
        assert total == sum(getattr(part.total, field.name) for part in parts)


def test_the_months_sum_to_the_whole(truth: Truth) -> None:
    for workflow in truth.workflows.values():
        months = (workflow.month(name) for name in ("2026-08", "2026-09", "2026-10"))
        assert sum(months, Totals()) == workflow.total


def test_something_is_unattributed_and_something_is_unpriced(truth: Truth) -> None:
    assert truth.unattributed.total.cost_usd > 0
    assert truth.workflows["knowledge-search"].total.calls_unpriced > 100
    assert truth.total.calls_unpriced < 1_000


def test_a_few_records_are_broken_in_every_kind_of_log(truth: Truth) -> None:
    assert truth.quarantined_records == 7
    assert all(truth.quarantined.values())
    assert truth.quarantined_outcomes == 1


def test_a_task_scored_again_counts_once(sample: Path, truth: Truth) -> None:
    rows = (sample / "outcomes/faq-answers.csv").read_text().splitlines()[1:]
    tasks = {row.split(",")[1] for row in rows}
    assert truth.workflows["faq-answers"].total.outcomes == len(tasks) < len(rows)


def test_half_good_outcomes_count_half(truth: Truth) -> None:
    good = truth.workflows["invoice-extraction"].total.good
    assert good % 1 in (Decimal(0), Decimal("0.5"))


def test_each_rule_has_one_story(truth: Truth) -> None:
    rules = [rule for workflow in truth.workflows.values() for rule in workflow.rules]
    own = [rule for rule in rules if rule != "earns_its_tier"]
    assert len(own) == len(set(own)) == 9


def test_the_letters_and_the_tickets_use_nearly_the_same(truth: Truth) -> None:
    letters = over(truth.workflows["regulated-letters"], NOW).cost_usd
    tickets = over(truth.workflows["ticket-routing"], NOW).cost_usd
    assert abs(letters / tickets - 1) < Decimal("0.1")


def test_the_letters_and_the_tickets_have_different_stakes(sample: Path) -> None:
    assert declared(sample, "regulated-letters")["stakes"] == "high"
    assert declared(sample, "ticket-routing")["stakes"] == "low"


def test_some_prompts_cross_the_price_cliff(truth: Truth) -> None:
    invoices = truth.workflows["invoice-extraction"].total
    flat = (
        invoices.input_tokens * Decimal("1.25")
        + invoices.cache_read_tokens * Decimal("0.125")
        + invoices.output_tokens * 10
    ).scaleb(-6)
    assert invoices.cost_usd > flat * Decimal("1.02")


def with_more_tokens_and_no_more_outcomes(truth: Truth) -> list[str]:
    return [
        name
        for name, workflow in truth.workflows.items()
        if workflow.total.outcomes
        and grown(workflow, "input_tokens")[0] > 0.2
        and grown(workflow, "good")[1] < 0.1
    ]


def test_only_one_workflow_has_more_tokens_and_no_more_outcomes(truth: Truth) -> None:
    assert with_more_tokens_and_no_more_outcomes(truth) == ["listing-descriptions"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_its_tokens_grow_whatever_the_seed(seed: int, tmp_path: Path) -> None:
    truth = write_sample(tmp_path, seed)
    assert with_more_tokens_and_no_more_outcomes(truth) == ["listing-descriptions"]


def test_only_one_workflow_is_over_its_budget(sample: Path, truth: Truth) -> None:
    over_budget = {
        name
        for name, workflow in truth.workflows.items()
        if workflow.month("2026-10").cost_usd > Decimal(declared(sample, name)["budget_usd_month"])
    }
    assert over_budget == {"invoice-extraction"}


def test_only_one_workflow_costs_more_than_it_is_worth(sample: Path, truth: Truth) -> None:
    losing = {
        name
        for name, workflow in truth.workflows.items()
        if (worth := declared(sample, name).get("worth_usd"))
        and over(workflow, NOW).good * Decimal(worth) < over(workflow, NOW).cost_usd * 2
    }
    assert losing == {"review-replies"}


def test_one_good_reply_costs_more_than_its_kill_rule_allows(sample: Path, truth: Truth) -> None:
    last = over(truth.workflows["sales-outreach"], last_days(28, AS_OF))
    assert declared(sample, "sales-outreach")["kill"] == ["usd_per_good > 0.60 for 28d"]
    assert last.cost_usd / last.good > Decimal("0.75")


def test_only_one_workflow_has_no_owner_and_only_one_no_metric(sample: Path) -> None:
    names = [story.name for story in WORKFLOWS]
    assert [n for n in names if "owner" not in declared(sample, n)] == ["meeting-notes"]
    assert [n for n in names if "metric" not in declared(sample, n)] == ["knowledge-search"]


def test_only_one_measured_workflow_has_no_outcome(truth: Truth) -> None:
    silent = [n for n, workflow in truth.workflows.items() if not workflow.total.outcomes]
    assert silent == ["market-digest"]


def test_only_one_defence_has_lapsed(truth: Truth) -> None:
    lapsed = [
        defence.workflow
        for defence in truth.defences
        if defence.on + timedelta(days=defence.expires_days) <= AS_OF
    ]
    assert lapsed == ["market-digest"]


def test_every_owner_has_defended_what_they_own(sample: Path, truth: Truth) -> None:
    defended = {defence.workflow: defence.by for defence in truth.defences}
    owners = {
        story.name: owner
        for story in WORKFLOWS
        if (owner := declared(sample, story.name).get("owner"))
    }
    assert defended == owners
