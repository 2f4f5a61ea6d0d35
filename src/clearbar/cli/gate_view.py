"""Verdicts and their history on a terminal: words before colours, 80 columns are enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.cli.spark import printable
from clearbar.core.money import ZERO, usd
from clearbar.gate.docket_entries import said
from clearbar.gate.verdict import SEVERITY, Override, Verdict
from clearbar.own.card import Defence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console

    from clearbar.declared import Declared
    from clearbar.gate.docket import Entry
    from clearbar.gate.policy_settings import Mode
    from clearbar.gate.verdict import Decision
    from clearbar.own.card import Scorecard

_STYLE: Final[dict[Decision, str]] = {"fund": "green", "pause": "yellow", "kill": "bold red"}
_MARGIN: Final = 8
_Row = tuple[str, str, str]
"""A word in the margin, a text, and the style of the word."""


def print_verdicts(
    console: Console, verdicts: Sequence[Verdict], scorecard: Scorecard, mode: Mode
) -> None:
    """Print each verdict with its reasons, dearest first, then what they add up to."""
    for verdict in verdicts:
        _print_rows(console, _verdict_rows(verdict))
        console.print()
    for line in summary_lines(verdicts, scorecard, mode):
        console.print(line, markup=False, highlight=False)


def mode_of(declared: Declared) -> Mode:
    """Return `enforce` where the verdict on any workflow is enforced."""
    modes = {declared.policy.mode, *(each.mode for each in declared.routes)}
    return "enforce" if "enforce" in modes else "advise"


def summary_lines(verdicts: Sequence[Verdict], scorecard: Scorecard, mode: Mode) -> Iterator[str]:
    """Yield the money at stake under each decision, and what passed without a verdict."""
    for decision in sorted(SEVERITY, key=SEVERITY.__getitem__, reverse=True):
        stakes = [v.at_stake_usd_month for v in verdicts if v.decision == decision]
        money = usd(sum(stakes, ZERO))
        yield f"{decision.upper():{_MARGIN}} {len(stakes):4} {money:>14} a month"
    usage = scorecard.unattributed
    if usage.calls:
        calls = f" and {usage.calls_unpriced:,} unpriced calls" if usage.calls_unpriced else ""
        money = f"{usd(usage.cost_usd)} in {scorecard.period.days} days{calls}"
        yield f"Of no workflow, so without a verdict: {money}."
    if mode == "advise":
        yield "Mode is advise: nothing is refused."


def print_history(console: Console, workflow: str, entries: Iterable[Entry]) -> None:
    """Print what the docket says of a workflow, oldest first.

    Raises:
        LedgerError: when an entry cannot be understood.
    """
    rows = [row for entry in entries for row in _entry_rows(entry)]
    _print_rows(console, rows or [("", f"The docket says nothing of {workflow}.", "")])


def _verdict_rows(verdict: Verdict) -> Iterator[_Row]:
    stake = f"{usd(verdict.at_stake_usd_month)} a month"
    yield verdict.decision.upper(), f"{verdict.workflow}  {stake}", _STYLE[verdict.decision]
    if verdict.override:
        yield "by", _override_text(verdict.override), "bold"
    for reason in verdict.reasons:
        yield "", f"{reason.rule}: {reason.fact}", ""
    yield "next", verdict.next_step, "dim"
    since = f", since {verdict.since}" if verdict.since else ""
    yield "", f"owner {verdict.owner or 'nobody'}{since}, lapses {verdict.lapses_on}", ""


def _entry_rows(entry: Entry) -> Iterator[_Row]:
    head = f"{entry.at[:10]}  entry {entry.entry}"
    if entry.kind == "verdict":
        verdict = said(entry, Verdict)
        yield (
            verdict.decision.upper(),
            f"{head}, lapses {verdict.lapses_on}",
            _STYLE[verdict.decision],
        )
        for reason in verdict.reasons:
            yield "", f"{reason.rule}: {reason.fact}", ""
    elif entry.kind == "defence":
        defence = said(entry, Defence)
        yield "DEFENCE", f"{head}, {defence.on} to {defence.expires}", "bold"
        yield "", f"{defence.by}: {defence.why}", ""
    else:
        override = said(entry, Override)
        yield "OVERRIDE", head, "bold"
        yield "", _override_text(override), ""


def _override_text(override: Override) -> str:
    return f"{override.decision} until {override.until}, by {override.by}: {override.why}"


def _print_rows(console: Console, rows: Iterable[_Row]) -> None:
    from rich.text import Text

    width = max(console.width - _MARGIN - 1, _MARGIN)
    for word, text, style in rows:
        margin = Text(f"{word:{_MARGIN}} ", style=style)
        for line in Text(printable(text)).wrap(console, width):
            line.rstrip()
            console.print(margin + line, soft_wrap=True)
            margin = Text(" " * (_MARGIN + 1))
