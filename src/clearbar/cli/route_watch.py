"""`clearbar route watch`: how the tools in force do, and what they save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from clearbar.cli.options import print_json, workspace_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.own.card import Estimate
    from clearbar.route.watching.overview import Overview, Seen
    from clearbar.route.watching.saving import Saving
    from clearbar.workspace import Workspace

_NOTHING: Final = (
    "Nothing is watched: a tool in force needs a certificate, a tool before it, and a "
    "`shadow_share` above 0 in its [[route]]."
)


@click.command("watch")
@workspace_options
def command(workspace: Workspace, *, as_json: bool) -> None:
    """Show whether tools in force still clear their bars, what alarmed, what is saved.

    \b
    Examples:
      clearbar route watch
      clearbar route watch --json
    """
    shown = _overview(workspace)
    if as_json:
        from clearbar.route.watching.overview import overview_json

        print_json(overview_json(shown))
        return
    from clearbar.cli.terminal import console
    from clearbar.cli.trial_view import print_labelled, print_wrapped

    screen = console()
    if not (shown.seen or shown.alarms or shown.savings):
        print_wrapped(screen, _NOTHING)
    for word, text, style in lines(shown):
        print_labelled(screen, word, text, style)


def lines(shown: Overview) -> Iterator[tuple[str, str, str]]:
    """Yield a word for the margin, a text and a style for each line of an overview."""
    from clearbar.route.watching.watch import proposed

    for stored, stands in shown.alarms:
        alarm = stored.alarm
        word, style = ("ALARM", "bold red") if stands else ("ended", "dim")
        yield word, f"{alarm.workflow}, {alarm.at:%Y-%m-%d %H:%M} UTC: {alarm.what}", style
        if stands:
            proposal = proposed(alarm)
            yield "next", f"{proposal.command}: {proposal.why}", "dim"
    for seen in shown.seen:
        yield ("FELL" if seen.stand.alarmed else "watch"), _stands(seen), "bold"
        for sign in seen.signs:
            yield "sign", f"{sign}; more is sampled for a while", "yellow"
    for saving in shown.savings:
        yield "saves", _saves(saving), "green"


def _overview(workspace: Workspace) -> Overview:
    from clearbar.route.watching.overview import overview
    from clearbar.route.watching.saving_facts import measured_savings
    from clearbar.route.watching.watch import watched_routes

    watched = watched_routes(workspace.route_table(), workspace.watched_certificates())
    savings = measured_savings(workspace.ledger, workspace.store)
    return overview(workspace.store, watched, savings)


def _stands(seen: Seen) -> str:
    stand, watched = seen.stand, seen.stand.watched
    who = f"{watched.workflow}: {watched.tool}"
    if stand.mean is None or stand.recent is None:
        return f"{who}: no answer was graded yet"
    words = {
        "score": "scores",
        "difference": f"differs from {watched.old_tool} by",
        "agreement": f"agrees with {watched.old_tool} on",
    }
    bar = "its bar is learnt still" if stand.bar is None else f"its bar is {stand.bar:.3g}"
    return (
        f"{who} {words[stand.kind or 'score']} {stand.mean:.3f} over {stand.n:,} graded answers "
        f"({stand.recent:.3f} of late), {bar}; the bet that it fell stands at "
        f"{stand.statistic:,.0f} of {stand.threshold:,.0f}"
    )


def _saves(saving: Saving) -> str:
    from clearbar.core.money import usd

    share = "" if saving.share is None else f" ({saving.share:.0%})"
    good = ""
    if saving.per_good_usd is not None:
        good = f"; {_interval(saving.per_good_usd)} per good outcome"
    unpriced = saving.holdout.unpriced + saving.routed.unpriced
    left = f"; {unpriced:,} conversations of unknown cost are left out" if unpriced else ""
    return (
        f"{saving.workflow}: {_interval(saving.each_usd)} per request{share}{good}; "
        f"{usd(saving.saved_usd)} in {saving.routed.requests:,.0f} routed requests, against "
        f"{saving.holdout.requests:,.0f} held out{left}"
    )


def _interval(estimate: Estimate) -> str:
    from clearbar.core.money import usd

    if estimate.low is None or estimate.high is None:
        return f"{usd(estimate.value)} (too few for an interval)"
    level = f"{estimate.level:.0%} interval"
    return f"{usd(estimate.value)} ({level} {usd(estimate.low)} to {usd(estimate.high)})"
