"""What a trial would take, and which trials there are: on a terminal of 80 columns."""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import click

from clearbar.cli.spark import printable
from clearbar.cli.trial_view import print_labelled, print_wrapped
from clearbar.core.errors import ClearbarError
from clearbar.core.money import usd
from clearbar.trial.certifying.certificate_answer import answer, answer_text
from clearbar.trial.certifying.certificate_words import (
    bar_text,
    cases_text,
    per_thousand,
    percent_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from clearbar.trial.forecast import ToolForecast, TrialForecast
    from clearbar.trial.recorded.recorded_scores import RecordedScores
    from clearbar.trial.trial import Certificate

    Known = Mapping[str, tuple[Certificate, tuple[str, ...]] | None]
    """Workflow -> its last certificate and what makes it stale; None without one."""

LISTING_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "workflow": "Name of the workflow.",
        "answer": "`clears`, `fails` or `undecided`; null where there is no certificate yet.",
        "winner": "The cheapest tool that clears the bar; null where none does.",
        "decided_at": "When the trial ended, in UTC; null before.",
        "stale": "What changed since, in words; empty while the certificate holds.",
    }
)
"""Every field of one of the `trials` of `listing_json`."""

_NAME_WIDTH: Final = 28
_SHOWN_PROBLEMS: Final = 10


def print_forecast(console: Console, forecast: TrialForecast) -> None:
    """Print what is asked of the tools, what each would take, and the most that it can cost."""
    from rich.text import Text

    bar = bar_text(forecast.bar, forecast.metric)
    head = (
        f"{forecast.workflow}: {bar}, tried on up to {cases_text(forecast.cases)}; at most "
        f"{percent_text(forecast.certify)} of such trials certify a tool that is below its bar."
    )
    print_wrapped(console, head)
    console.print()
    names = _columns("$/1,000", "least", "likely", "at most")
    console.print(Text(f"{'tool':{_NAME_WIDTH}}{names}", "dim"), soft_wrap=True)
    for each in forecast.tools:
        _print_tool(console, each)
    console.print()
    relative = forecast.bar.at_least is None
    hoped = "it is as good as the tool in use" if relative else "its mean is halfway from bar to 1"
    console.print("least: so many cases passed in a row would do")
    console.print(f"likely: about how many it takes if {hoped}")
    for warning in forecast.warnings:
        print_labelled(console, "WARNING", warning, "bold yellow")
    print_wrapped(console, _cost_text(forecast), "bold")


def agree(forecast: TrialForecast, *, yes: bool) -> None:
    """Ask whether the money may be spent, if there is any to spend.

    Raises:
        ClearbarError: when nobody is there to ask.
        click.Abort: when the answer is no.
    """
    if yes or forecast.ceiling_usd == 0:
        return
    if not sys.stdin.isatty():
        raise ClearbarError(
            f"nobody is here to agree to it: {_cost_text(forecast)}",
            "add --yes to spend it, with --budget to spend less",
        )
    click.confirm("Begin?", abort=True, err=True)


def print_listing(console: Console, known: Known) -> None:
    """Print the declared trials, and what is known of each."""
    if not known:
        raise ClearbarError(
            "no trial is declared", "add [[tool]]s and a [[trial]] to clearbar.toml"
        )
    for workflow, found in known.items():
        name = printable(workflow)
        if found is None:
            print_wrapped(console, f"{name}: not tried yet", "bold")
            print_wrapped(
                console, f"see what it takes: clearbar trial {name} --dry-run", first="  "
            )
            continue
        certificate, stale = found
        word = "STALE" if stale else answer(certificate).upper()
        day = f"{certificate.decided_at:%Y-%m-%d}"
        print_wrapped(console, f"{name}: {word}, {day}", "bold")
        print_wrapped(console, answer_text(certificate), first="  ", rest="  ")
        if stale:
            print_wrapped(
                console, f"It no longer holds: {'; '.join(stale)}.", first="  ", rest="  "
            )


def listing_json(known: Known) -> dict[str, Any]:
    """Return the declared trials as JSON values."""
    return {"trials": [_listed_json(*each) for each in known.items()]}


def print_import(scores: RecordedScores) -> None:
    """Print what was taken in, and what was left out."""
    tools = {row.tool for row in scores.rows}
    cases = {row.case for row in scores.rows}
    click.echo(
        f"{len(scores.rows):,} scores: {len(tools):,} tools on {cases_text(len(cases))}, "
        f"{len(scores.problems):,} left out"
    )
    for problem in scores.problems[:_SHOWN_PROBLEMS]:
        where = scores.name if problem.line is None else f"{scores.name}:{problem.line}"
        click.echo(f"{printable(where)}: {problem.what}")
    if (more := len(scores.problems) - _SHOWN_PROBLEMS) > 0:
        click.echo(f"and {more:,} more")


def _listed_json(
    workflow: str, found: tuple[Certificate, tuple[str, ...]] | None
) -> dict[str, Any]:
    if found is None:
        return {"workflow": workflow, "answer": None, "winner": None, "decided_at": None,
                "stale": []}  # fmt: skip
    certificate, stale = found
    return {
        "workflow": workflow,
        "answer": answer(certificate),
        "winner": certificate.winner,
        "decided_at": certificate.decided_at.isoformat(),
        "stale": list(stale),
    }


def _print_tool(console: Console, each: ToolForecast) -> None:
    from rich.text import Text

    name = Text(printable(each.tool))
    if name.cell_len > _NAME_WIDTH:
        print_wrapped(console, each.tool)
        name = Text()
    name.pad_right(_NAME_WIDTH - name.cell_len)
    figures = _columns(
        per_thousand(each.usd_per_case),
        "-" if each.least_cases is None else f"{each.least_cases:,}",
        "-" if each.likely_cases is None else f"{each.likely_cases:,}",
        usd(each.ceiling_usd),
    )
    console.print(name + Text(figures), soft_wrap=True)
    if each.note:
        print_wrapped(console, each.note, "dim", first="  ")


def _columns(price: str, least: str, likely: str, most: str) -> str:
    return f" {price:>10} {least:>8} {likely:>8} {most:>10}"


def _cost_text(forecast: TrialForecast) -> str:
    if forecast.ceiling_usd == 0:
        return "it costs nothing"
    limit = "" if forecast.budget_usd is None else f"; its budget is {usd(forecast.budget_usd)}"
    if forecast.ceiling_usd is None:
        return f"what it can cost at most is not known{limit}"
    return f"it can cost at most {usd(forecast.ceiling_usd)}{limit}"
