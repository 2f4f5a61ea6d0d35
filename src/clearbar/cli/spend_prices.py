"""`clearbar spend prices`: what a model costs, from which source; and where sources disagree."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clearbar.cli.options import chosen_period, print_json, workspace_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.spend.prices.price_sources import Differs, PriceRow
    from clearbar.spend.repricing.price_logs import ModelMonth
    from clearbar.workspace import Workspace

_SHOWN = 60
_METERS = ("input_tokens", "cache_read_tokens", "output_tokens")


@click.command("prices")
@click.argument("model", required=False)
@click.option("--disagree", is_flag=True, help="Show where recorded costs differ from the book.")
@click.option(
    "--against",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Show where LiteLLM's table of prices differs from the book.",
)
@click.option("--period", help="For --disagree and --against: whose calls. Default: all.")
@workspace_options
def command(
    workspace: Workspace,
    model: str | None,
    against: Path | None,
    period: str | None,
    *,
    disagree: bool,
    as_json: bool,
) -> None:
    """Show what models cost today, or what one MODEL costs at all times; and where sources differ.

    Without MODEL: all models that calls name. MODEL is provider/model as calls report them, such as
    openai/gpt-4o.

    --disagree compares the cost that logs and gateways recorded with the price book, by model and
    month, and says why they differ as far as the calls themselves tell. --against compares the book
    with LiteLLM's model_prices_and_context_window.json, and says what the difference would come to.

    \b
    Examples:
      clearbar spend prices
      clearbar spend prices anthropic/claude-sonnet-4-5
      clearbar spend prices --disagree --period 2026-10
      clearbar spend prices --against model_prices_and_context_window.json
    """
    chosen = chosen_period(workspace, period, "all")
    tables = workspace.prices_against(against, model, chosen) if against else None
    logs = workspace.recorded_against_book(model, chosen) if disagree else None
    prices = workspace.prices(model) if tables is None and logs is None else None
    if as_json:
        print_json(_json(prices, tables, logs))
        return
    if prices is not None:
        _print_prices(prices)
    if tables is not None:
        _print_tables(tables)
    if logs is not None:
        _print_logs(logs)


def _json(
    prices: Sequence[PriceRow] | None,
    tables: Sequence[Differs] | None,
    logs: Sequence[ModelMonth] | None,
) -> dict[str, Any]:
    from clearbar.spend.prices.price_sources import differs_json, row_json
    from clearbar.spend.repricing.price_logs import month_json

    found: dict[str, Any] = {}
    if prices is not None:
        found["prices"] = [row_json(row) for row in prices]
    if tables is not None:
        found["tables"] = [differs_json(row) for row in tables]
    if logs is not None:
        found["logs"] = [month_json(row) for row in logs]
    return found


def _print_prices(rows: Sequence[PriceRow]) -> None:
    table = _table("model", "when", "input", "cached", "output", left=2)
    for row in rows[:_SHOWN]:
        table.add_row(_named(row), _when(row), *_three(row))
    _print(table)
    _more(len(rows))
    for source in dict.fromkeys(row.source for row in rows[:_SHOWN] if row.rate):
        click.echo(f"from {source}")
    if any(row.rate and row.rate.covered for row in rows[:_SHOWN]):
        click.echo("(paid): paid in advance, so that it costs nothing extra; what is shown is list")
    click.echo("US dollars for a million tokens; all meters: --json")


def _when(row: PriceRow) -> str:
    from clearbar.spend.prices.price_rate import FIRST_DAY, LAST_DAY
    from clearbar.spend.prices.price_sources import hours_of, sizes_of

    rate = row.rate
    if rate is None:
        return ""
    said = [
        row.service_tier,
        "" if rate.start == FIRST_DAY else f"from {rate.start}",
        "" if rate.end == LAST_DAY else f"until {rate.end}",
        hours_of(rate),
        sizes_of(rate),
        "(paid)" if rate.covered else "",
    ]
    return " ".join(part for part in said if part) or "always"


def _three(row: PriceRow) -> list[str]:
    from clearbar.spend.prices.price_sources import shown_price

    prices = row.rate.prices if row.rate else {}
    return [_price(shown_price(name, prices[name])) if name in prices else "-" for name in _METERS]


def _print_tables(rows: Sequence[Differs]) -> None:
    table = _table("model", "meter", "book", "table", "effect", left=2)
    compared = [row for row in rows if row.meter]
    for row in compared[:_SHOWN]:
        condition = row.condition
        over = f"over {condition.over // 1000}k" if condition.over else ""
        meter = " ".join(text for text in (row.meter, condition.service_tier, over) if text)
        ours, theirs = _of_million(row.book_usd), _of_million(row.table_usd)
        table.add_row(_named(row), meter, ours, theirs, _usd(row.effect_usd))
    if compared:
        _print(table)
        _more(len(compared))
        click.echo("US dollars for a million tokens; effect: table minus book, for what was used")
    else:
        click.echo("the price book and the table differ nowhere by over 1%")
    alone = [row for row in rows if not row.meter]
    for in_book, place in ((True, "the price book"), (False, "the table")):
        names = [_named(each) for each in alone if (each.listed_as is None) is in_book]
        if names:
            click.echo(f"only in {place}: {', '.join(names)}")


def _print_logs(rows: Sequence[ModelMonth]) -> None:
    shown = [row for row in rows if row.calls_off]
    for row in shown[:_SHOWN]:
        share = "" if row.gap_share is None else f" ({row.gap_share:+.1%})"
        costs = f"recorded {_usd(row.recorded_usd)}, book {_usd(row.book_usd)}"
        click.echo(f"{row.month} {_named(row)}: {costs}, gap {_usd(row.gap_usd)}{share}")
        for reason in row.reasons:
            calls = f"{reason.calls:,} call{'s' if reason.calls > 1 else ''}"
            click.echo(f"{_usd(reason.effect_usd):>13}  {calls}: {reason.text}")
    _more(len(shown))
    count = sum(row.calls for row in rows)
    off = sum(row.calls_off for row in rows)
    click.echo(f"{count:,} calls with a recorded cost; {off:,} differ by over 1% from the book")


def _named(row: ModelMonth | PriceRow | Differs) -> str:
    from clearbar.cli.spark import printable

    return printable(f"{row.provider}/{row.model}" if row.provider else row.model)


def _more(count: int) -> None:
    if count > _SHOWN:
        click.echo(f"{count - _SHOWN:,} more are not shown; --json has them all")


def _of_million(price: Decimal | None) -> str:
    return "-" if price is None else _price(price * 10**6)


def _price(amount: Decimal) -> str:
    from clearbar.core.money import plain

    return plain(Decimal(f"{amount:.6g}"))


def _usd(amount: Decimal | None) -> str:
    from clearbar.core.money import usd

    return usd(amount)


def _table(*names: str, left: int) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, name in enumerate(names):
        if number < left:
            table.add_column(name, overflow="fold")
        else:
            table.add_column(name, justify="right", no_wrap=True)
    return table


def _print(table: Any) -> None:
    from clearbar.cli.terminal import console

    console().print(table)
