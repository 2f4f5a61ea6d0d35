"""`clearbar trial replay`: decide from recorded scores alone. It needs no workspace."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from clearbar.cli.options import print_json, writing
from clearbar.cli.trial_options import HTML, SEED

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.own.workflow import Bar
    from clearbar.tools.tool import Tier
    from clearbar.trial.recorded.recorded_scores import Columns, RecordedScores
    from clearbar.trial.trial import Certificate

_SHARE: Final = click.FloatRange(0, 1)
_RATE: Final = click.FloatRange(0, 1, min_open=True, max_open=True)
_COLUMNS: Final = (
    "case",
    "tool",
    "score",
    "cost_usd",
    "cluster",
    "label",
    "category",
    "success",
    "input_tokens",
    "output_tokens",
)


def _number(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    """Return the value of an option; NaN lies in every range."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is no number")
    return value


def _column_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for name in reversed(_COLUMNS):
        flag = f"--{name.replace('_', '-')}-column"
        option = click.option(flag, f"{name}_column", metavar="NAME", help=f"Holds the {name}.")
        function = option(function)
    return function


@click.command("replay")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--bar", "at_least", type=_SHARE, callback=_number, help="The mean score to clear.")
@click.option(
    "--within",
    type=_SHARE,
    callback=_number,
    help="How far below the tool of --of is near enough.",
)
@click.option("--of", "of", metavar="TOOL", help="The tool in use, which others are compared with.")
@click.option("--in-use", metavar="TOOL", help="With --bar: the tool in use.")
@click.option(
    "--error-rate",
    type=_RATE,
    callback=_number,
    default=0.05,
    show_default=True,
    help="At most the share of such trials that certify a tool below the bar.",
)
@click.option(
    "--seed", metavar="N", type=SEED, default=0, show_default=True, help="Fixes the order of cases."
)
@click.option("--category", metavar="NAME", help="Only the rows of this category.")
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    metavar="TOOL=TIER",
    help="frontier, small or none (no model at all); may be given again.",
)
@click.option("--tool", metavar="TOOL", help="What was evaluated, where no file says so.")
@click.option("--metric", metavar="NAME", help="Which of several metrics is the score.")
@HTML
@click.option("--json", "as_json", is_flag=True, help="Print JSON with documented fields.")
@_column_options
def replay(
    files: tuple[Path, ...],
    at_least: float | None,
    within: float | None,
    of: str | None,
    in_use: str | None,
    error_rate: float,
    seed: int,
    category: str | None,
    tiers: tuple[str, ...],
    tool: str | None,
    metric: str | None,
    html: Path | None,
    *,
    as_json: bool,
    **columns: str | None,
) -> None:
    """Decide a trial from recorded scores: nothing is asked, nothing is spent.

    FILE is CSV, JSON Lines or Parquet, gzipped or not, with the columns case, tool and score
    (0 to 1) and, where known, cost_usd, cluster, label (a person's score), category, success,
    input_tokens and output_tokens. Columns of other names are told by the --...-column options.
    Or it is what promptfoo, Inspect AI, lm-evaluation-harness, DeepEval or OpenAI evals wrote for
    each sample, perhaps a file for each tool.

    \b
    Examples:
      clearbar trial replay scores.csv --bar 0.90
      clearbar trial replay scores.csv --within 0.03 --of opus --html certificate.html
      clearbar trial replay evals.jsonl --bar 0.9 --case-column sample_id --json
      clearbar trial replay opus.eval haiku.eval --within 0.03 --of opus
    """
    from datetime import UTC, datetime

    from clearbar.trial.plan import DROP_RATE, FUTILITY, SLACK
    from clearbar.trial.recorded.evaluation import Choice
    from clearbar.trial.recorded.evaluators import read_evaluations
    from clearbar.trial.recorded.replay import replay as replayed
    from clearbar.trial.trial import Error

    bar = _bar(at_least, within, of)
    scores = read_evaluations(files, Choice(tool, metric), _columns(columns))
    if category is not None:
        scores = _of_category(scores, category)
    certificate = replayed(
        scores,
        bar,
        Error(error_rate, DROP_RATE, SLACK, FUTILITY),
        seed,
        now=datetime.now(UTC),
        incumbent=in_use,
        tiers=_tiers(scores, tiers),
        workflow=category or "",
    )
    show_certificate(certificate, html, as_json=as_json)


def show_certificate(
    certificate: Certificate,
    html: Path | None,
    *,
    identifier: str | None = None,
    stale: tuple[str, ...] = (),
    as_json: bool,
) -> None:
    """Print a certificate, or its JSON; and write its page, if it is to have one."""
    if html is not None:
        from clearbar.web.certificate import render

        page = render(certificate, identifier=identifier, stale=stale)
        with writing(html, "--html"):
            html.write_text(page, encoding="utf-8")
    if as_json:
        from clearbar.trial.certifying.certificate_json import certificate_json

        print_json(certificate_json(certificate, identifier=identifier, stale=stale))
        return
    from clearbar.cli.terminal import console
    from clearbar.cli.trial_view import print_certificate

    print_certificate(console(), certificate, identifier=identifier, stale=stale)
    if html is not None:
        click.echo(f"\nthe page: {html}")


def _bar(at_least: float | None, within: float | None, of: str | None) -> Bar:
    from clearbar.own.workflow import Bar

    if (at_least is None) == (within is None) or (within is None) != (of is None):
        raise click.UsageError("give either --bar 0.90, or --within 0.03 together with --of TOOL")
    if at_least is not None:
        return Bar(at_least=at_least, text=f"score >= {at_least:.12g}")
    return Bar(within=within, of=of, text=f"within {within:.12g} of {of}")


def _columns(given: dict[str, str | None]) -> Columns:
    from clearbar.trial.recorded.recorded_scores import Columns

    told = {name.removesuffix("_column"): column for name, column in given.items() if column}
    return Columns(**told)


def _tiers(scores: RecordedScores, given: tuple[str, ...]) -> dict[str, Tier]:
    """Return the tiers of the tools: as given, else as the shipped table has the name."""
    from clearbar.own.tiers import shipped_tiers, tier_of

    table = shipped_tiers()
    tools = {row.tool for row in scores.rows}
    return {tool: tier_of(tool, (), table) for tool in tools} | dict(map(_tier, given))


def _tier(text: str) -> tuple[str, Tier]:
    from clearbar.tools.tool import TIERS

    name, _, said = text.rpartition("=")
    for tier in TIERS:
        if name and said == tier:
            return name, tier
    raise click.BadParameter(f'"{text}" is no TOOL=TIER; a tier is {", ".join(TIERS)}')


def _of_category(scores: RecordedScores, category: str) -> RecordedScores:
    from clearbar.core.errors import UnknownName, nearest

    rows = tuple(row for row in scores.rows if row.category == category)
    if not rows:
        names = sorted({row.category for row in scores.rows if row.category})
        raise UnknownName(
            f'no row is of the category "{category}".{nearest(category, names)}',
            f"there are: {', '.join(names[:20])}" if names else "no row has a category",
        )
    unscored = tuple(row for row in scores.unscored if row.category == category)
    return replace(scores, rows=rows, unscored=unscored)
