"""The scorecard in the terminal: 80 columns, two lines a workflow, readable without colour."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from clearbar.cli.spark import printable, spark
from clearbar.core.money import usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from clearbar.gate.verdict import Decision, Verdict
    from clearbar.own.card import Estimate, Scorecard, WorkflowCard
    from clearbar.tools.tool import Tier

_NAME_WIDTH: Final = 24
_SPARK_WIDTH: Final = 8
_STYLES: Final[dict[Decision, str]] = {"fund": "green", "pause": "yellow", "kill": "bold red"}
_TIER_LETTERS: Final[dict[Tier, str]] = {"frontier": "F", "small": "S", "none": "N", "unknown": "?"}
_TIER_WORDS: Final[dict[Tier, str]] = {
    "frontier": "frontier",
    "small": "small",
    "none": "no model",
    "unknown": "tier unknown",
}
_TIER_NOTE: Final = "Tiers, in percent of spend: F frontier, S small, N no model, ? not known."
_PLACES: Final = 5
"""Decimal places of a bound: two bounds of as many fit their column."""
_UNITS: Final = ((10**9, "B"), (10**6, "M"), (10**3, "k"))
_ROUNDS_UP: Final = 0.9995
"""From here on, three digits show the next unit: $999.60 is $1k."""
_GREATEST_PERCENT: Final = 999


def print_scorecard(
    console: Console, scorecard: Scorecard, verdicts: Mapping[str, Verdict] | None = None
) -> None:
    """Print a table of the workflows, dearest first, and what it leaves out.

    `verdicts`, by workflow, get a column of their own where they are given.
    """
    from rich.text import Text

    ascii_only = not console.encoding.startswith("utf")
    table = _table(scorecard, gated=verdicts is not None)
    for card in scorecard.cards:
        gate = [] if verdicts is None else [_gate_cell(verdicts.get(card.workflow.name))]
        table.add_row(_name_cell(card, ascii_only), *gate, *_figures(card, ascii_only=ascii_only))
    table.add_section()
    gate = [] if verdicts is None else [Text()]
    if scorecard.unattributed.calls:
        table.add_row("(unattributed)", *gate, usd(scorecard.unattributed.cost_usd))
    table.add_row("total", *gate, usd(scorecard.total.cost_usd))
    console.print(table)
    for note in (*_notes(scorecard), *_overrides(verdicts or {})):
        console.print(note, markup=False, highlight=False)


def short_usd(amount: float) -> str:
    """Return an amount with three digits: `$4.21k`, `$0.000191`."""
    return f"{'-' if amount < 0 else ''}${_figure(abs(amount), 12)}"


def interval_text(estimate: Estimate) -> str:
    """Return the bounds of an amount of US dollars: `0.0419..0.377`, at most 16 characters."""
    low, high = (
        None if bound is None else f"{'-' if bound < 0 else ''}{_figure(abs(bound), _PLACES)}"
        for bound in (estimate.low, estimate.high)
    )
    if low is None:
        return "no bounds" if high is None else f"{high} or less"
    return f"{low} or more" if high is None else f"{low}..{high}"


def trend_text(card: WorkflowCard) -> str:
    """Return the growth of cost against the period before: `+25%`; `new` from nothing."""
    if card.trend is None:
        return "new" if card.usage.cost_usd else "-"
    percent = round(100 * card.trend)
    return f"{percent:+d}%" if percent <= _GREATEST_PERCENT else ">10x"


def tier_text(card: WorkflowCard) -> str:
    """Return each tier's percent of the spend: `F80 S20`."""
    whole = sum(card.tier_cost_usd.values())
    if not whole:
        return ""
    shares = ((tier, round(100 * cost / whole)) for tier, cost in card.tier_cost_usd.items())
    return " ".join(f"{_TIER_LETTERS[tier]}{share}" for tier, share in shares if share)


def leak_text(card: WorkflowCard) -> str | None:
    """Return what the tool in use costs beyond the one that is needed; None where nothing leaks."""
    need = card.need
    if need is None or need.stale or not need.leak_usd_month:
        return None
    used, needed = (_TIER_WORDS.get(tier or "unknown") for tier in (need.used_tier, need.tier))
    uses = f"uses {need.used_tool} ({used}), needs {need.tool} ({needed})"
    return f"{usd(need.leak_usd_month)} a month: {uses}"


def saving_text(card: WorkflowCard) -> str | None:
    """Return what a route saves, as measured; None where nothing is held out to measure it."""
    saving = card.saving
    if saving is None:
        return None
    month, each = saving.usd_month, saving.usd_per_request
    share = "" if saving.share is None else f", {saving.share:.0%} of its cost"
    if month.low is None or month.high is None:
        bounds = "too few conversations for an interval"
    else:
        bounds = f"{100 * month.level:.3g}% interval {usd(month.low)} to {usd(month.high)}"
    return (
        f"{usd(month.value)} a month ({bounds}), {usd(each.value)} a request{share}: "
        f"{saving.routed_conversations:,} conversations routed, "
        f"{saving.held_out_conversations:,} held out"
    )


def covered_text(card: WorkflowCard) -> str | None:
    """Return what was paid in advance, at list price; None where nothing was."""
    covered = card.covered
    if covered is None:
        return None
    worth = f"{usd(covered.list_usd)} at list price" if covered.list_usd else "no list price known"
    calls = f"{covered.calls:,} call{'' if covered.calls == 1 else 's'}"
    return f"{calls} paid in advance: {worth}"


def _need_text(card: WorkflowCard) -> str:
    need = card.need
    return f" needs {_TIER_LETTERS[need.tier]}" if need and need.tier and not need.stale else ""


def _figure(size: float, places: int) -> str:
    scale, unit = next((each for each in _UNITS if size >= each[0] * _ROUNDS_UP), (1, ""))
    if size >= 1:
        return f"{size / scale:#.3g}".rstrip(".") + unit
    leading_zeros = -math.floor(math.log10(size)) - 1 if size else 0
    return f"{size:.{min(leading_zeros + 3, places)}f}" if size else "0"


def _table(scorecard: Scorecard, *, gated: bool) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    interval = _interval_heading(scorecard)
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("workflow\n  stakes, tiers", width=_NAME_WIDTH, no_wrap=True, overflow="crop")
    if gated:
        table.add_column("gate", width=5, overflow="fold")
    table.add_column("spend\nby day", justify="right", width=11, overflow="fold")
    table.add_column("trend", justify="right", width=5, overflow="fold")
    table.add_column(f"per good\n{interval}", justify="right", width=16, overflow="fold")
    table.add_column(f"return\n{interval}", justify="right", width=14, overflow="fold")
    return table


def _interval_heading(scorecard: Scorecard) -> str:
    estimates = (card.cost_per_good_usd or card.return_usd for card in scorecard.cards)
    level = next((estimate.level for estimate in estimates if estimate), None)
    return "" if level is None else f"{100 * level:.3g}% interval"


def _name_cell(card: WorkflowCard, ascii_only: bool) -> Text:  # noqa: FBT001 - private
    from rich.text import Text

    name = Text(printable(card.workflow.name))
    name.truncate(_NAME_WIDTH, overflow="crop" if ascii_only else "ellipsis")
    stakes = Text(f"\n  {card.workflow.stakes}", "bold" if card.workflow.stakes == "high" else "")
    return Text.assemble(name, stakes, f" {tier_text(card)}{_need_text(card)}")


def _gate_cell(verdict: Verdict | None) -> Text:
    from rich.text import Text

    if verdict is None:
        return Text("-")
    by_person = "\n*" if verdict.override else ""
    return Text(verdict.decision.upper() + by_person, _STYLES[verdict.decision])


def _figures(card: WorkflowCard, *, ascii_only: bool) -> tuple[str, ...]:
    costs = [float(day.cost_usd) for day in card.days]
    by_day = spark(costs, _SPARK_WIDTH, ascii_only=ascii_only)
    unpriced = " +?" if card.usage.calls_unpriced else ""
    return (
        f"{usd(card.usage.cost_usd)}\n{by_day}{unpriced}",
        trend_text(card),
        _estimate_cell(card.cost_per_good_usd),
        _estimate_cell(card.return_usd),
    )


def _estimate_cell(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{short_usd(estimate.value)}\n{interval_text(estimate)}"


def _notes(scorecard: Scorecard) -> Iterator[str]:
    yield ""
    yield _TIER_NOTE
    if unpriced := scorecard.total.calls_unpriced:
        yield f"+? {unpriced:,} calls have no known price: they are not in the spend."
    if scorecard.unattributed.calls:
        share = scorecard.unattributed.cost_usd / (scorecard.total.cost_usd or 1)
        calls = f"{scorecard.unattributed.calls:,} calls"
        yield f"{calls}, {share:.1%} of the spend, belong to no workflow."
    if scorecard.quarantined_records:
        yield f"{scorecard.quarantined_records:,} records were not taken in."
    for card in scorecard.cards:
        if leak := leak_text(card):
            yield f"{printable(card.workflow.name)} leaks {leak}."
        if saving := saving_text(card):
            yield f"{printable(card.workflow.name)} saves {saving}."
        if covered := covered_text(card):
            yield f"{printable(card.workflow.name)}: {covered}."
    if incomplete := sum(1 for card in scorecard.cards if card.gaps):
        yield f"{incomplete} of {len(scorecard.cards)} workflows have gaps."


def _overrides(verdicts: Mapping[str, Verdict]) -> Iterator[str]:
    for name, verdict in verdicts.items():
        if verdict.override:
            yield f"* {printable(name)}: decided by a person, until {verdict.override.until}."
