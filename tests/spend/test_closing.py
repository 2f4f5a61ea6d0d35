"""Closed months: what was reported stays, what changes later corrects the month it is seen in."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import ClearbarError
from clearbar.core.period import ALL, Period, parse_period
from clearbar.spend.reconciling.closing import verify_closings
from clearbar.spend.report import report_json
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.report import SpendReport

DECLARED = """
[[workflow]]
name = "letters"
match = [{ team = "legal" }]

[[workflow]]
name = "tickets"
match = [{ team = "support" }]
"""
MOVED = DECLARED.replace('team = "support"', 'team = "*"').replace("legal", "nobody")
DAY = datetime(2026, 10, 5, 9, tzinfo=UTC)


def month(text: str) -> Period:
    return parse_period(text, DAY.date())


SEPTEMBER, OCTOBER, NOVEMBER = month("2026-09"), month("2026-10"), month("2026-11")


class Company:
    """A workspace on a day that can be set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = DAY
        self.files = 0

    def open(self, **settings: Any) -> Workspace:
        return Workspace(self.folder, clock=lambda: self.now, **settings)

    def declare(self, text: str) -> None:
        (self.folder / "clearbar.toml").write_text(text)

    def call(self, day: str, usd: str, team: str = "legal", model: str = "acme-1") -> None:
        """Log a call that costs so much."""
        self.files += 1
        line = {
            "request_id": f"gen-{self.files}",
            "startTime": f"{day}T08:00:00Z",
            "endTime": f"{day}T08:00:01Z",
            "model": model,
            "custom_llm_provider": "acme",
            "call_type": "acompletion",
            "api_key": "k",
            "spend": "COST",
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "metadata": {},
            "team_id": team,
        }
        path = self.folder / f"usage-{self.files}.jsonl"
        path.write_text(json.dumps(line).replace('"COST"', usd) + "\n")
        with self.open() as workspace:
            workspace.add([str(path)])

    def bill(self, day: str, usd: str) -> None:
        """Read a bill of one line, of what nobody logged."""
        start = datetime.fromisoformat(f"{day}T00:00:00+00:00")
        result = {
            "object": "organization.costs.result",
            "amount": {"value": usd, "currency": "usd"},
        }
        times = {"start_time": int(start.timestamp()), "end_time": int(start.timestamp()) + 86_400}
        bucket = {"object": "bucket", **times, "results": [result]}
        self.files += 1
        path = self.folder / f"costs-{self.files}.json"
        path.write_text(json.dumps({"object": "page", "data": [bucket], "has_more": False}))
        with self.open() as workspace:
            workspace.add([str(path)])

    def close(self, period: Period) -> None:
        with self.open() as workspace:
            workspace.close_month(period)

    def report(self, period: Period, by: str = "workflow", **settings: Any) -> SpendReport:
        with self.open(**settings) as workspace:
            return workspace.spend(period, by)

    def costs(self, period: Period, by: str = "workflow") -> dict[str, Decimal]:
        return {row.key: row.usage.cost_usd for row in self.report(period, by).rows}

    def entries(self) -> int:
        with self.open() as workspace:
            return len(workspace.closings())


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, prices: Path) -> Path:
    folder = tmp_path_factory.mktemp("company")
    shutil.copytree(prices, folder / ".clearbar" / "prices")
    made = Company(folder)
    made.declare(DECLARED)
    made.call("2026-09-10", "1.25")
    made.call("2026-09-20", "2.50", team="support")
    made.call("2026-10-02", "4.00")
    return folder


@pytest.fixture
def company(tmp_path: Path, template: Path) -> Company:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    made = Company(tmp_path)
    made.files = 3
    return made


def test_closing_changes_no_report(company: Company) -> None:
    views = ("workflow", "day", "model", "team", "provider", "label")
    before = [report_json(company.report(p, by)) for p in (SEPTEMBER, ALL) for by in views]
    company.close(SEPTEMBER)
    after = [report_json(company.report(p, by)) for p in (SEPTEMBER, ALL) for by in views]
    assert after == before


def test_a_late_call_corrects_the_month_it_is_seen_in(company: Company) -> None:
    company.close(SEPTEMBER)
    company.call("2026-09-11", "0.70")
    assert company.costs(SEPTEMBER) == {"letters": Decimal("1.25"), "tickets": Decimal("2.5")}
    assert company.costs(OCTOBER) == {"letters": Decimal("4.70")}
    assert company.costs(OCTOBER, "day")["2026-10-05"] == Decimal("0.70")
    assert company.costs(ALL)["letters"] == Decimal("5.95")


def test_a_correction_is_told_as_one(company: Company) -> None:
    company.close(SEPTEMBER)
    company.call("2026-09-11", "0.70")
    [found] = report_json(company.report(OCTOBER))["corrections"]
    assert (found["month"], found["day"], found["workflow"]) == (
        "2026-09",
        "2026-10-05",
        "letters",
    )
    assert found["usage"]["cost_usd"] == "0.7"
    assert report_json(company.report(SEPTEMBER))["corrections"] == []


def test_a_correction_keeps_the_day_on_which_it_was_seen(company: Company) -> None:
    company.close(SEPTEMBER)
    company.call("2026-09-11", "0.70")
    company.report(OCTOBER)
    company.now = datetime(2026, 11, 20, tzinfo=UTC)
    assert company.costs(OCTOBER)["letters"] == Decimal("4.70")
    assert company.costs(NOVEMBER) == {}


def test_what_nobody_looked_at_is_dated_when_it_is_seen(company: Company) -> None:
    company.close(SEPTEMBER)
    company.call("2026-09-11", "0.70")
    company.now = datetime(2026, 11, 20, tzinfo=UTC)
    assert company.costs(NOVEMBER) == {"letters": Decimal("0.70")}


def test_looking_again_records_nothing(company: Company) -> None:
    company.close(SEPTEMBER)
    company.call("2026-09-11", "0.70")
    company.report(OCTOBER)
    assert company.entries() == 2
    company.report(ALL)
    company.call("2026-10-03", "1")
    company.report(ALL)
    assert company.entries() == 2


def test_a_rule_that_takes_other_charges_moves_nothing_in_a_closed_month(
    company: Company,
) -> None:
    company.close(SEPTEMBER)
    company.declare(MOVED)
    assert company.costs(SEPTEMBER) == {"letters": Decimal("1.25"), "tickets": Decimal("2.5")}
    assert company.costs(OCTOBER) == {"letters": Decimal("-1.25"), "tickets": Decimal("5.25")}
    assert company.costs(ALL) == {"tickets": Decimal("7.75")}


def test_the_scorecard_of_a_closed_month_stays(company: Company) -> None:
    company.close(SEPTEMBER)
    company.declare(MOVED)
    company.call("2026-09-11", "0.70")
    with company.open() as workspace:
        card = workspace.scorecard(SEPTEMBER)
    costs = {each.workflow.name: each.usage.cost_usd for each in card.cards}
    assert costs == {"letters": Decimal("1.25"), "tickets": Decimal("2.5")}
    assert card.total.cost_usd == Decimal("3.75")


def test_what_a_closed_month_fixes_says_why_it_is_whose(company: Company) -> None:
    company.close(SEPTEMBER)
    company.declare(MOVED)
    with company.open() as workspace:
        found = {(each.workflow, each.why) for each in workspace.explain(SEPTEMBER)}
    why = "reported so when its month was closed"
    assert found == {("letters", why), ("tickets", why)}


def test_a_correction_of_a_correction_is_one_too(company: Company) -> None:
    company.close(SEPTEMBER)
    company.declare(MOVED)
    company.report(ALL)
    company.declare(DECLARED)
    company.now = datetime(2026, 11, 3, tzinfo=UTC)
    assert company.costs(NOVEMBER) == {"letters": Decimal("1.25"), "tickets": Decimal("-1.25")}
    assert company.costs(ALL) == {"letters": Decimal("5.25"), "tickets": Decimal("2.5")}


def test_a_month_with_corrections_in_it_is_closed_with_them(company: Company) -> None:
    company.close(SEPTEMBER)
    company.call("2026-09-11", "0.70")
    company.report(ALL)
    company.now = datetime(2026, 11, 3, tzinfo=UTC)
    company.close(OCTOBER)
    company.call("2026-10-12", "0.05")
    assert company.costs(OCTOBER) == {"letters": Decimal("4.70")}
    assert company.costs(NOVEMBER) == {"letters": Decimal("0.05")}
    assert company.costs(ALL)["letters"] == Decimal("6.00")


def test_under_another_day_a_correction_is_shown_and_not_recorded(company: Company) -> None:
    company.close(SEPTEMBER)
    company.call("2026-09-11", "0.70")
    found = company.report(ALL, as_of=OCTOBER.end)
    assert sum(each.usage.cost_usd for each in found.corrections) == Decimal("0.70")
    assert company.open(as_of=OCTOBER.end).closings()[-1].kind == "close"


def test_a_month_that_is_not_over_is_not_closed(company: Company) -> None:
    with pytest.raises(ClearbarError, match="2026-10 is not over"):
        company.close(OCTOBER)


def test_a_month_is_closed_once(company: Company) -> None:
    company.close(SEPTEMBER)
    with pytest.raises(ClearbarError, match="2026-09 was closed at 2026-10-05"):
        company.close(SEPTEMBER)


def test_a_month_without_any_spend_can_be_closed(company: Company) -> None:
    company.close(month("2026-08"))
    company.call("2026-08-11", "0.70")
    assert company.costs(month("2026-08")) == {}
    assert company.costs(OCTOBER) == {"letters": Decimal("4.70")}


def test_closed_months_are_sound_as_they_are_written(company: Company) -> None:
    company.close(SEPTEMBER)
    company.call("2026-09-11", "0.70")
    company.report(ALL)
    with company.open() as workspace:
        assert workspace.check() == []


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ('UPDATE closing_row SET usage = \'{"cost_usd":"9"}\'', "rows of 2026-09 were edited"),
        ("DELETE FROM closing_row", "rows of 2026-09 were edited or are gone"),
        ("UPDATE closing SET at = '2026-10-06T00:00:00+00:00'", "entry 1 .* was edited"),
        ("UPDATE closing SET entry = 7", "rows of closed months belong to no entry"),
        ('UPDATE closing_origin SET origin = \'{"source":"x"}\' WHERE origin_number = 1', "rows"),
    ],
)
def test_check_finds_what_was_edited(company: Company, sql: str, what: str) -> None:
    company.close(SEPTEMBER)
    path = company.folder / ".clearbar" / "facts.db"
    with sqlite3.connect(path) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(sql)
        for table in ("closing", "closing_row", "closing_origin"):
            for how in ("edited", "deleted"):
                connection.execute(f"DROP TRIGGER {table}_is_never_{how}")
        connection.execute(sql)
    connection.close()
    with company.open() as workspace:
        found = verify_closings(workspace.store)
    assert any(re.search(what, each.what) for each in found)


PLAN = """
[[plan]]
name = "team"
provider = "acme"
usd_per_month = 300
from = 2026-09-01
"""


def test_judged_on_an_earlier_day_a_closed_month_has_all_that_was_agreed(
    company: Company,
) -> None:
    company.declare(DECLARED + PLAN)
    company.close(SEPTEMBER)
    company.call("2026-10-03", "1")
    found = company.report(ALL, as_of=date(2026, 9, 10))
    assert found.corrections == ()


def test_a_declared_day_within_a_closed_month_corrects_nothing(company: Company) -> None:
    company.declare(DECLARED + PLAN)
    company.close(SEPTEMBER)
    company.declare("[workspace]\nas_of = 2026-09-10\n" + DECLARED + PLAN)
    assert company.report(ALL).corrections == ()
    assert company.entries() == 1


def test_a_month_that_is_over_is_closed_with_all_that_was_agreed(company: Company) -> None:
    company.declare("[workspace]\nas_of = 2026-09-10\n" + DECLARED + PLAN)
    company.close(SEPTEMBER)
    assert company.costs(SEPTEMBER)["(plans, unused)"] == 300


def test_a_credit_comes_off_the_bill_of_a_closed_month(company: Company) -> None:
    credit = '[[credit]]\nname = "start"\nusd = 20\nfrom = 2026-09-01\n'
    company.declare(DECLARED + credit)
    company.bill("2026-09-30", "7")
    company.close(SEPTEMBER)
    assert sum(company.costs(ALL).values()) == 0


def test_a_correction_is_no_spend_of_the_month_that_its_budget_is_for(company: Company) -> None:
    company.close(SEPTEMBER)
    company.call("2026-09-11", "70")
    assert company.costs(OCTOBER)["letters"] == 74
    company.now = DAY.replace(day=9)
    with company.open() as workspace:
        card = workspace.scorecard(OCTOBER)
    [letters] = [each for each in card.cards if each.workflow.name == "letters"]
    assert letters.month_to_date_usd == 4
