"""Verdicts on a terminal of 80 columns, with and without colour."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from tests.gate.made import AS_OF, NOW, POLICY, USAGE, WORKFLOW, card, scorecard, verdict

from clearbar.cli.gate_view import mode_of, print_history, print_verdicts, summary_lines
from clearbar.core.store import Store
from clearbar.declared import Declared
from clearbar.gate.decide import verdicts
from clearbar.gate.docket import history
from clearbar.gate.docket_entries import defend, override, record_verdicts
from clearbar.gate.recorded import DocketState
from clearbar.gate.verdict import Override
from clearbar.route.declared_route import DeclaredRoute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.gate.policy_settings import Mode
    from clearbar.gate.verdict import Verdict
    from clearbar.route.route import Mode as RouteMode

UNOWNED = card(replace(WORKFLOW, owner=None), usage=replace(USAGE, cost_usd=Decimal("412.10")))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "facts.sqlite")
    yield opened
    opened.close()


def shown(*found: Verdict, mode: str = "advise") -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_verdicts(console, found, scorecard(), "enforce" if mode == "enforce" else "advise")
    return text_of(console)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_verdict_is_a_word_with_its_money_reason_next_step_and_lapse() -> None:
    board = scorecard(UNOWNED)
    assert shown(*verdicts(board, POLICY, DocketState())).splitlines()[:6] == [
        "KILL     support-replies  $412.10 a month",
        "         no_owner: spent $412.10 in 30 days, and no owner is declared (grace of",
        "         14 days ended 2026-08-17)",
        "next     Whoever runs it declares `owner` in clearbar.toml:12, or switches it",
        "         off.",
        "         owner nobody, lapses 2026-12-01",
    ]


def test_no_line_is_wider_than_eighty_columns() -> None:
    wide = replace(verdict(workflow="x" * 300), next_step="word " * 90, override=overridden())
    assert max(len(line) for line in shown(wide).splitlines()) <= 80


def overridden() -> Override:
    until = AS_OF + timedelta(days=30)
    return Override("w", "fund", "Head of Support", "The audit needs it", AS_OF, until)


def test_an_override_names_who_decided_until_when_and_why() -> None:
    overruled = replace(verdict(), decision="fund", override=overridden())
    assert (
        "by       fund until 2026-12-01, by Head of Support: The audit needs it"
        in shown(overruled).splitlines()
    )


def test_the_day_since_which_a_decision_stands_is_shown() -> None:
    assert "owner nobody, since 2026-11-01, lapses" in shown(replace(verdict(), since=AS_OF))


def test_codes_and_markup_in_a_name_reach_the_terminal_as_text() -> None:
    text = shown(verdict(workflow="[red]evil\x1b[2J"))
    assert "[red]evil?[2J" in text


def test_colour_is_added_where_the_terminal_has_it() -> None:
    console = Console(
        file=io.StringIO(), width=80, color_system="standard", force_terminal=True, no_color=False
    )
    print_verdicts(console, [verdict("kill")], scorecard(), "advise")
    assert "\x1b[1;31mKILL" in text_of(console)


def test_the_summary_adds_up_the_money_under_each_decision() -> None:
    found = [verdict("kill"), verdict("pause"), verdict("pause")]
    assert list(summary_lines(found, scorecard(), "enforce")) == [
        "KILL        1        $300.10 a month",
        "PAUSE       2        $600.20 a month",
        "FUND        0          $0.00 a month",
    ]


def test_the_summary_says_how_much_money_passes_without_a_verdict() -> None:
    unattributed = replace(USAGE, cost_usd=Decimal("12.5"), calls_unpriced=3)
    lines = list(summary_lines([], scorecard(unattributed=unattributed), "enforce"))
    assert lines[-1] == (
        "Of no workflow, so without a verdict: $12.50 in 30 days and 3 unpriced calls."
    )
    lines = list(summary_lines([], scorecard(unattributed=USAGE), "enforce"))
    assert lines[-1] == "Of no workflow, so without a verdict: $300.00 in 30 days."


@pytest.mark.parametrize(
    ("policy", "route", "said"),
    [
        ("advise", None, "advise"),
        ("advise", "shadow", "advise"),
        ("advise", "enforce", "enforce"),
        ("enforce", "advise", "enforce"),
    ],
)
def test_one_enforced_route_is_enough_to_say_no_more_that_nothing_is_refused(
    policy: Mode, route: RouteMode | None, said: str
) -> None:
    routes = (DeclaredRoute("support-replies", mode=route),)
    declared = Declared(policy=replace(POLICY, mode=policy), routes=routes)
    assert mode_of(declared) == said


def test_advise_mode_says_that_nothing_is_refused() -> None:
    assert shown().splitlines()[-1] == "Mode is advise: nothing is refused."
    assert "advise" not in shown(mode="enforce")


def test_the_history_tells_verdicts_defences_and_overrides_in_order(store: Store) -> None:
    who = "support-lead@example.com"
    later = AS_OF + timedelta(days=30)
    record_verdicts(store, [verdict()], NOW)
    defend(store, WORKFLOW.name, by=who, why="It works", on=AS_OF, expires=later, now=NOW)
    override(store, WORKFLOW.name, "fund", by=who, why="The audit", until=later, now=NOW)
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_history(console, WORKFLOW.name, history(store, WORKFLOW.name))
    assert [line.rstrip() for line in text_of(console).splitlines()] == [
        "PAUSE    2026-11-01  entry 1, lapses 2026-12-01",
        "         unmeasured: the fact of unmeasured",
        "DEFENCE  2026-11-01  entry 2, 2026-11-01 to 2026-12-01",
        "         support-lead@example.com: It works",
        "OVERRIDE 2026-11-01  entry 3",
        "         fund until 2026-12-01, by support-lead@example.com: The audit",
    ]


def test_a_workflow_without_a_history_is_named() -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_history(console, "w", [])
    assert "The docket says nothing of w." in text_of(console)
