"""A company of which the truth is known: bill, gateway, trace and agent's log of the same calls.

Each misses a tenth of what it should have seen. What the ledger says is what the generator knows,
to the last decimal.
"""

from __future__ import annotations

import shutil
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from tests.spend.witnesses.company import WORKFLOWS, Company
from tests.spend.witnesses.written import write_bills, write_company
from tests.spend.written_usage import add, charges_of, started

from clearbar import Workspace
from clearbar.core.period import ALL
from clearbar.own.workflow import UNATTRIBUTED

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.report import SpendReport

DECLARED = "".join(
    f"""
[[workflow]]
name = "{name}"
owner = "{name}-lead@example.com"
match = [
  {{ workflow = "{name}" }},
  {{ team = "{name}-team" }},
  {{ project = "{name}-project" }},
]
"""
    for name in WORKFLOWS
)
CALLS = 400


def opened(folder: Path, book: PriceBook) -> Workspace:
    shutil.copytree(book.path.parent, folder / ".clearbar" / "prices")
    (folder / "clearbar.toml").write_text(DECLARED)
    return Workspace(folder)


class World:
    """The company, and what a workspace makes of all that it wrote down."""

    def __init__(self, folder: Path, book: PriceBook, seed: int) -> None:
        self.company = Company(seed, CALLS)
        with opened(folder, book) as workspace:
            journal = workspace.route_folder / "journal"
            for path in write_company(self.company, folder / "logs", journal):
                workspace.add([str(path)])
            workspace.charge_journals()
        with Workspace(folder) as workspace:
            self.quarantined = workspace.problems()
            self.logged = workspace.spend(ALL, "workflow")
            self.problems = workspace.check()
            bills = write_bills(self.company, folder / "bills")
            workspace.add([str(path) for path in bills])
            self.billed = workspace.spend(ALL, "workflow")
            self.quarantined += workspace.problems()


@pytest.fixture(scope="module", params=[1, 2, 3])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> World:
    return World(tmp_path_factory.mktemp("company"), book, request.param)


@pytest.mark.slow
def test_many_processes_at_once_come_to_the_same_charges(tmp_path: Path, book: PriceBook) -> None:
    company = Company(9, CALLS)
    clean, shared = tmp_path / "clean", tmp_path / "shared"
    for folder in (clean, shared):
        folder.mkdir()
        opened(folder, book).close()
    paths = write_company(company, tmp_path / "logs", tmp_path / "journal")
    first = started(add, clean, paths, 10_000)
    first.join()
    writers = [started(add, shared, paths[n:] + paths[:n], 40) for n in (0, 5, 10)]
    for writer in writers:
        writer.join()
    assert {process.exitcode for process in (first, *writers)} == {0}
    assert charges_of(shared) == charges_of(clean) != []


def by_workflow(report: SpendReport) -> dict[str, Decimal]:
    rows = {row.key: row.usage.cost_usd for row in report.rows}
    return {name: rows.get(name, Decimal(0)) for name in WORKFLOWS}


def test_the_company_is_as_hard_as_it_should_be(world: World) -> None:
    company = world.company
    seen_twice = [each for each in company.seen if len(each.sights) > 1]
    assert len(seen_twice) > CALLS / 3
    assert len(company.seen) < len(company.attempts)
    assert {each.ending for each in company.seen} == {"ok", "cut", "failed", "hit"}
    assert company.unpriced > 0
    assert 0 < sum(company.attributed_usd.values()) < company.logged_usd


def test_no_record_is_refused_and_the_ledger_is_sound(world: World) -> None:
    assert world.quarantined == []
    assert world.problems == []


def test_every_call_is_one_charge_whoever_saw_it(world: World) -> None:
    assert world.logged.total.calls == len(world.company.seen)


def test_the_total_of_the_logs_is_the_truth(world: World) -> None:
    assert world.logged.total.cost_usd == world.company.logged_usd


def test_what_nobody_measured_is_counted_and_not_priced(world: World) -> None:
    assert world.logged.total.calls_unpriced == world.company.unpriced


def test_each_workflow_is_charged_what_is_known_to_be_its_own(world: World) -> None:
    assert by_workflow(world.logged) == world.company.attributed_usd


def test_what_nobody_knows_whose_it_is_belongs_to_none(world: World) -> None:
    company = world.company
    left = company.logged_usd - sum(company.attributed_usd.values())
    assert world.logged.unattributed.cost_usd == left
    assert UNATTRIBUTED in {row.key for row in world.logged.rows}


def test_with_bills_the_total_is_the_truth(world: World) -> None:
    company = world.company
    unbilled = company.logged_usd - company.logged_on_billed_days_usd
    assert world.billed.total.cost_usd == sum(company.billed_usd.values()) + unbilled


def test_what_bills_say_beyond_the_logs_is_the_residual(world: World) -> None:
    assert world.company.residual_usd != 0
    assert world.billed.residual.cost_usd == world.company.residual_usd


def test_bills_take_nothing_from_a_workflow_and_give_it_nothing(world: World) -> None:
    assert by_workflow(world.billed) == world.company.attributed_usd


def test_the_attributed_share_is_the_truth(world: World) -> None:
    company = world.company
    attributed = sum(company.attributed_usd.values())
    total = company.logged_usd + company.residual_usd
    said = world.billed.total.cost_usd - world.billed.unattributed.cost_usd
    assert (said, world.billed.total.cost_usd) == (attributed, total)
