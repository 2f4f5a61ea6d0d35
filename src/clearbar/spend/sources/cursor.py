"""Usage events of Cursor: the CSV export of the dashboard, and the events of its APIs as JSON.

Where: the dashboard's "Export CSV"; `POST /teams/filtered-usage-events` of the Admin API, saved as
JSON. Each row or event is a call.

Traps:

- The columns of tokens are disjoint: `Input (w/ Cache Write)` is what was written to a cache and
  `Input (w/o Cache Write)` what was not; nothing is to be taken off. They have to sum to
  `Total Tokens`.
- `Cost` and `totalCents` of an event that the plan includes are what it would have cost, and 0
  stands there too: neither is what was paid, and neither is free. Such an event has no reported
  cost and the label `kind=included`. What Cursor says it charged on demand counts as billed.
- With one's own key for the model (`User API Key`) another provider bills; Cursor charges nothing
  that it tells here. Errors that are not charged cost 0.
- Cents are divided exactly. The CSV rounds to cents, the APIs do not.
- Events have no id: one is known by its millisecond, its model and its tokens. That is the same in
  CSV and JSON.
- `auto` is the model as Cursor names it; which one answered is not told.

Never here: daily sums and what a member spent, which hold the same events again.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.files.csv_rows import csv_header, csv_rows
from clearbar.spend.files.entry import Counts, Entry, each_record, provenance, text
from clearbar.spend.files.json_records import entries, fields
from clearbar.spend.files.quarantine import QuarantineError, quantity, usd
from clearbar.spend.files.timestamps import moment_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "cursor"
PARSER_VERSION: Final = 1
TITLE: Final = "Cursor usage events"
WHERE: Final = "Cursor's dashboard, Export CSV; POST /teams/filtered-usage-events, saved as JSON"
CONVENTION: Final = "Fresh input, cache writes and cache reads are counted beside each other."

_WRITTEN: Final = "Input (w/ Cache Write)"
_FRESH: Final = "Input (w/o Cache Write)"
_COLUMNS: Final = frozenset({"Date", "Model", _WRITTEN, _FRESH, "Cache Read", "Output Tokens"})
_LISTS: Final = ("usageEvents", "usageEventsDisplay")
_EVENT: Final = (b'"timestamp"', b'"model"', b'"kind"', b'"isTokenBasedCall"')
_HUNDRED: Final = Decimal(100)

_Kind = Literal["included", "on_demand", "user_key", "not_charged", "unknown"]


class _Event(NamedTuple):
    """A row or an event, in the same words."""

    at: object
    model: str
    user: str
    kind: str
    max_mode: str
    tokens: Counts
    cost_usd: Decimal | None
    charged_usd: Decimal | None
    """What Cursor says that it charged, where that is told apart."""


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes name the columns or the fields of usage events."""
    if file.name.endswith(".csv"):
        return set(csv_header(file.head)) >= _COLUMNS
    if not file.name.endswith((".json", ".jsonl")):
        return False
    listed = any(f'"{name}"'.encode() in file.head for name in _LISTS)
    return all(name in file.head for name in _EVENT) or (listed and b'"kind"' in file.head)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each event.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    is_csv = file.name.endswith(".csv")
    event_of = _of_row if is_csv else _of_event
    return each_record(
        csv_rows(file) if is_csv else _events(file),
        lambda found: _record(event_of(fields(found.value)), found),
    )


def _events(file: SourceFile) -> Iterator[Entry | Problem]:
    for found in entries(file):
        if isinstance(found, Problem):
            yield found
            continue
        value = found.value if isinstance(found.value, dict) else {}
        lists = [value[name] for name in _LISTS if isinstance(value.get(name), list)]
        for number, event in enumerate(lists[0] if lists else [found.value], 1):
            yield Entry(event, found.number if found.line else number, found.line)


def _of_row(row: dict[str, Any]) -> _Event:
    tokens = _tokens(row, _FRESH, _WRITTEN, "Cache Read", "Output Tokens")
    total = quantity(row.get("Total Tokens"), "Total Tokens")
    if total is not None and total != _sum(tokens):
        raise QuarantineError(
            "the kinds of tokens do not sum to Total Tokens",
            "input with and without cache write, cache read and output should",
        )
    return _Event(
        row.get("Date"),
        text(row.get("Model")),
        text(row.get("User")),
        text(row.get("Kind")),
        text(row.get("Max Mode")),
        tokens,
        cost := _dollars(row.get("Cost"), "Cost"),
        _dollars(row["Cost to you"], "Cost to you")
        if "Cost to you" in row
        else cost
        if text(row.get("Kind"))
        else None,
    )


def _of_event(event: dict[str, Any]) -> _Event:
    usage = fields(event.get("tokenUsage"))
    names = ("inputTokens", "cacheWriteTokens", "cacheReadTokens", "outputTokens")
    return _Event(
        event.get("timestamp"),
        text(event.get("model")),
        text(event.get("userEmail")) or text(event.get("owningUser")),
        text(event.get("kind")),
        "yes" if (mode := event.get("maxMode")) is True else "no" if mode is False else "",
        _tokens(usage, *names),
        _cents(usage.get("totalCents"), "totalCents"),
        _charged(event),
    )


def _tokens(row: dict[str, Any], fresh: str, written: str, read: str, output: str) -> Counts:
    return {
        "input_tokens": quantity(row.get(fresh), fresh),
        "cache_write_tokens": quantity(row.get(written), written),
        "cache_read_tokens": quantity(row.get(read), read),
        "output_tokens": quantity(row.get(output), output),
    }


def _record(event: _Event, found: Entry) -> Record:
    began_us = moment_us(event.at, "the time of the event")
    kind = _kind(event)
    told = any(event.tokens.values())
    unknown = all(count is None for count in event.tokens.values())
    cost, basis = _cost(event, kind, told=told)
    tokens = [text(count) for count in event.tokens.values()]
    alike = (str(began_us // 1000), event.model, *tokens)
    word = event.kind.lower()
    return Record(
        identity=identity.content(NAME, *alike, *(() if told else (event.user, word))),
        evidence="provider",
        origin=_origin(
            event.model,
            event.user,
            event.kind if kind == "unknown" else kind,
            event.max_mode.lower(),
        ),
        started_at_us=began_us,
        status="error" if "error" in word else "cancelled" if "abort" in word else "ok",
        usage="missing" if unknown else "final",
        **event.tokens,
        reported_cost_usd=cost,
        reported_basis=basis,
        **provenance(found),
    )


def _cost(
    event: _Event, kind: _Kind, *, told: bool
) -> tuple[Decimal | None, Literal["billed", "estimated"]]:
    """Return what the event cost, where Cursor charged for it or says that it did not."""
    if kind == "not_charged":
        return Decimal(0), "billed"
    if kind in {"included", "user_key"}:
        return None, "estimated"
    cost = event.cost_usd if event.charged_usd is None else event.charged_usd
    if told and not cost:
        return None, "estimated"  # tokens for nothing: the plan's, or not settled yet
    billed = event.charged_usd is not None and (kind == "on_demand" or not event.kind)
    return cost, "billed" if billed else "estimated"


def _kind(event: _Event) -> _Kind:
    word = event.kind.lower().replace("_", " ").replace("-", " ")
    if any(part in word for part in ("no charge", "not charged", "free")):
        return "not_charged"
    if "api key" in word:
        return "user_key"
    if "included" in word or (not word and event.charged_usd == 0):  # as old exports say it
        return "included"
    return "on_demand" if "demand" in word or "usage based" in word else "unknown"


def _charged(event: dict[str, Any]) -> Decimal | None:
    cents = _cents(event.get("chargedCents"), "chargedCents")
    if cents is not None:
        return cents
    told = _dollars(event.get("usageBasedCosts"), "usageBasedCosts")
    return told or None  # 0 stands there for every event that is paid by the token


def _cents(value: object, name: str) -> Decimal | None:
    cents = usd(value, name)
    return None if cents is None else cents / _HUNDRED


def _dollars(value: object, name: str) -> Decimal | None:
    """Return an amount such as `0.19` or `$1,234.56`; None for words such as `Included`."""
    amount = text(value).replace("$", "").replace(",", "")
    if not any(char.isdigit() for char in amount):
        return None
    return usd(amount, name)


def _sum(tokens: Counts) -> int:
    return sum(count for count in tokens.values() if isinstance(count, int))


@lru_cache(maxsize=4096)
def _origin(model: str, user: str, kind: str, max_mode: str) -> Origin:
    """Return the origin; equal ones are the same object, for they are met over and over."""
    return Origin(
        source=NAME,
        provider="cursor",
        model=model,
        principal=user,
        service="cursor",
        labels=label_text({"max_mode": max_mode, "kind": kind}),
    )
