"""`clearbar spend prices`: what a model costs, from which source; and where sources disagree."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clearbar.cli.completing import complete_model, complete_period
from clearbar.cli.options import chosen_period, print_json, workspace_options
from clearbar.cli.terminal import console, say, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.spend.prices.price_override import PriceOverride
    from clearbar.spend.prices.price_sources import Differs, PriceRow
    from clearbar.spend.repricing.price_logs import ModelMonth
    from clearbar.workspace import Workspace

_SHOWN = 60
_METERS = {"input_tokens": "input", "cache_read_tokens": "cached", "output_tokens": "output"}
"""What is shown of a price, with its heading."""


@click.command("prices")
@click.argument("model", required=False, shell_complete=complete_model)
@click.option("--disagree", is_flag=True, help="Show where recorded costs differ from the book.")
@click.option(
    "--against",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Show where LiteLLM's table of prices differs from the book.",
)
@click.option(
    "--period",
    shell_complete=complete_period,
    help="For --disagree and --against: whose calls. Default: all.",
)
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
    if model is not None and not model.rpartition("/")[2].strip():
        raise click.BadParameter("name a model, such as openai/gpt-4o", param_hint="MODEL")
    chosen = chosen_period(workspace, period, "all")
    tables = workspace.prices_against(against, model, chosen) if against else None
    logs = workspace.recorded_against_book(model, chosen) if disagree else None
    prices = workspace.prices(model) if tables is None and logs is None else None
    if as_json:
        print_json(_json(prices, tables, logs))
        return
    if prices is not None:
        _print_prices(prices, model)
        _print_only_some(prices, workspace.declared.prices)
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


def _print_prices(rows: Sequence[PriceRow], model: str | None) -> None:
    from clearbar.spend.prices.price_sources import sizes_of

    if not rows:
        say("no call names a model yet: clearbar spend add PATH")
        say("or ask for one: clearbar spend prices openai/gpt-4o")
        return
    merged = _by_hours(rows)
    alone = model is not None and len({_named(row) for row in rows}) == 1
    if alone:
        say(_named(rows[0]))
    made = table(*([] if alone else ["model"]), "when", *_METERS.values(), left=2 - alone)
    for row, hours in merged[:_SHOWN]:
        made.add_row(*([] if alone else [_named(row)]), _when(row, hours), *_three(row))
    console().print(made)
    _more(len(merged))
    for source in dict.fromkeys(part for row, _ in merged[:_SHOWN] for part in _sources(row)):
        say(f"from {source}")
    if any(row.rate and row.rate.covered for row, _ in merged[:_SHOWN]):
        say("(paid): paid in advance, so that it costs nothing extra; what is shown is list")
    say("US dollars for a million tokens; days and hours are UTC; all meters: --json")
    if any(row.rate and sizes_of(row.rate) for row, _ in merged[:_SHOWN]):
        say("up to, over: how many tokens of input a call has")
    if unknown := len({_named(row) for row in rows if row.rate is None}):
        models = f"{unknown} model{'' if unknown == 1 else 's'}"
        say(f"{models} without a price: declare [[price]] in clearbar.toml, then run")
        say("  clearbar spend reprice")


def _print_only_some(rows: Sequence[PriceRow], declared: Sequence[PriceOverride]) -> None:
    """Say which declared prices some calls of these models have, and others have not."""
    from fnmatch import fnmatchcase

    names = {(row.provider.lower(), row.model.lower()) for row in rows}
    for number, price in enumerate(declared, 1):
        of, named = price.provider.lower(), price.model.lower()
        if price.only and any(fnmatchcase(p, of) and fnmatchcase(m, named) for p, m in names):
            whose = ", ".join(f"{dimension} {glob}" for dimension, glob in price.only)
            say(f"[[price]] number {number} is not shown: it is for calls of {whose} alone")


def _by_hours(rows: Sequence[PriceRow]) -> list[tuple[PriceRow, str]]:
    """Return the rows in the order of their days; those that differ in hours alone as one."""
    hours: dict[Any, tuple[PriceRow, list[str]]] = {}
    for row in rows:
        rate = row.rate
        shown = (rate.start, rate.end, rate.weekdays, rate.over, rate.up_to) if rate else None
        key = (_named(row), row.service_tier, shown, tuple(_three(row)))
        hours.setdefault(key, (row, []))[1].append(rate.hours_text if rate else "")
    found = [(row, ", ".join(sorted(each))) for row, each in hours.values()]
    return sorted(found, key=_first_day)


def _first_day(shown: tuple[PriceRow, str]) -> tuple[Any, ...]:
    row, hours = shown
    rate = row.rate
    days = (rate.start, rate.weekdays, hours) if rate else ()
    return _named(row), row.service_tier, *days


def _sources(row: PriceRow) -> list[str]:
    return row.source.split("; ") if row.rate else []


def _when(row: PriceRow, hours: str) -> str:
    from clearbar.spend.prices.price_rate import FIRST_DAY, LAST_DAY
    from clearbar.spend.prices.price_sources import sizes_of

    rate = row.rate
    if rate is None:
        return row.source
    said = [
        row.service_tier,
        "" if rate.start == FIRST_DAY else f"from {rate.start}",
        "" if rate.end == LAST_DAY else f"until {rate.end}",
        rate.weekdays_text,
        hours,
        sizes_of(rate),
        "(paid)" if rate.covered else "",
    ]
    return " ".join(part for part in said if part) or "always"


def _three(row: PriceRow) -> list[str]:
    from clearbar.spend.prices.price_sources import shown_price

    prices = row.rate.prices if row.rate else {}
    return [_price(shown_price(name, prices[name])) if name in prices else "-" for name in _METERS]


def _print_tables(rows: Sequence[Differs]) -> None:
    made = table("model", "meter", "book", "table", "effect", left=2)
    compared = [row for row in rows if row.meter]
    for row in compared[:_SHOWN]:
        condition = row.condition
        over = f"over {condition.over // 1000}k" if condition.over else ""
        meter = " ".join(text for text in (row.meter, condition.service_tier, over) if text)
        ours, theirs = _of_million(row.book_usd), _of_million(row.table_usd)
        made.add_row(_named(row), meter, ours, theirs, _usd(row.effect_usd))
    if compared:
        console().print(made)
        _more(len(compared))
        say("US dollars for a million tokens; effect: table minus book, for what was used")
    else:
        say("the price book and the table differ nowhere by over 1%")
    alone = [row for row in rows if not row.meter]
    for in_book, place in ((True, "the price book"), (False, "the table")):
        names = [_named(each) for each in alone if (each.listed_as is None) is in_book]
        if names:
            say(f"only in {place}: {', '.join(names)}")


def _print_logs(rows: Sequence[ModelMonth]) -> None:
    shown = [row for row in rows if row.calls_off]
    for row in shown[:_SHOWN]:
        share = "" if row.gap_share is None else f" ({row.gap_share:+.1%})"
        costs = f"recorded {_usd(row.recorded_usd)}, book {_usd(row.book_usd)}"
        say(f"{row.month} {_named(row)}: {costs}, gap {_usd(row.gap_usd)}{share}")
        for reason in row.reasons:
            calls = f"{reason.calls:,} call{'s' if reason.calls > 1 else ''}"
            say(f"{_usd(reason.effect_usd):>13}  {calls}: {reason.text}")
    _more(len(shown))
    if not rows:
        say("no call in this period has a recorded cost to compare")
        return
    count = sum(row.calls for row in rows)
    off = sum(row.calls_off for row in rows)
    say(f"{count:,} calls with a recorded cost; {off:,} differ by over 1% from the book")


def _named(row: ModelMonth | PriceRow | Differs) -> str:
    from clearbar.cli.spark import printable

    return printable(f"{row.provider}/{row.model}" if row.provider else row.model)


def _more(count: int) -> None:
    if count > _SHOWN:
        say(f"{count - _SHOWN:,} more are not shown; --json has them all")


def _of_million(price: Decimal | None) -> str:
    return "-" if price is None else _price(price * 10**6)


def _price(amount: Decimal) -> str:
    from clearbar.core.money import plain

    return plain(Decimal(f"{amount:.6g}"))


def _usd(amount: Decimal | None) -> str:
    from clearbar.core.money import usd

    return usd(amount)
