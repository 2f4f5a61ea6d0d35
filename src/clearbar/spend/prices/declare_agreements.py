"""Reads `[[currency]]`, `[[plan]]`, `[[commitment]]`, `[[self_hosted]]` and `[[credit]]`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from clearbar.core.errors import ClearbarError
from clearbar.core.toml_kinds import (
    DATE,
    GLOB,
    TEXT,
    USD,
    choice,
    decimal_of,
    list_of,
    mapping_of,
)
from clearbar.core.toml_table import Key, Kind, Place, Table, expected
from clearbar.spend.charge import DIMENSIONS
from clearbar.spend.prices.agreements import (
    Commitment,
    Credit,
    CurrencyRate,
    Only,
    Plan,
    SelfHosted,
    Split,
)

if TYPE_CHECKING:
    from datetime import date

_MAX_RATE: Final = Decimal(10_000)
_MAX_COUNT: Final = 10**12
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_SPLITS: Final[tuple[Split, ...]] = ("none", "list_value")
ONLY_DIMENSIONS: Final = tuple(name for name in DIMENSIONS if name not in ("provider", "model"))

T = TypeVar("T")


def _code(value: object, _: Place) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise expected('three capital letters of ISO 4217, such as "EUR"', value)
    if value == "USD":
        raise ClearbarError("US dollars need no rate", "declare the other currencies only")
    return value


def _number(name: str, what: str, least: Decimal | None, most: Decimal) -> Kind[Decimal]:
    """Return the kind of exact numbers up to `most`; above zero where `least` is None."""

    def read(value: object, _: Place) -> Decimal:
        found = decimal_of(value)
        if found is None or found > most or (found <= 0 if least is None else found < least):
            raise expected(what, value)
        return found

    return Kind(name, read)


def _count(value: object, _: Place) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MAX_COUNT:
        raise expected("a whole number above zero", value)
    return value


CODE: Final = Kind("currency", _code)
COUNT: Final[Kind[int]] = Kind("whole number", _count)
RATE: Final = _number("US dollars", 'US dollars above zero, such as "1.0873"', None, _MAX_RATE)
SPEED: Final = _number("number", "a number above zero", None, Decimal(10**9))
USED_SHARE: Final = _number("share", "a share above 0, up to 1", None, Decimal(1))
MARKUP: Final = _number("share", "a share from 0 to 100", Decimal(0), Decimal(100))
HOURS: Final = _number("hours", "hours of a day, above 0 and up to 24", None, Decimal(24))

NAME: Final = Key(
    "name", TEXT, "", "What it is called in reports.", '"coding-seats"', required=True
)
PROVIDER: Final = Key("provider", GLOB, "*", "Glob over the provider that bills.", '"anthropic"')
MODEL: Final = Key("model", GLOB, "*", "Glob over the model.", '"claude-*"')
ONLY: Final[Key[dict[str, str]]] = Key(
    "only",
    mapping_of(GLOB, "dimension", ONLY_DIMENSIONS),
    {},
    "Only charges of such an origin: dimension = glob, all of which hold.",
    '{ source = "claude_code", team = "platform" }',
)
SERVICE_TIER: Final[Key[str | None]] = Key(
    "service_tier", TEXT, None, "Only charges that were served at this tier.", '"scale"'
)
FROM: Final[Key[date | None]] = Key(
    "from", DATE, None, "The first day on which it holds.", "2026-07-01", required=True
)
UNTIL: Final[Key[date | None]] = Key(
    "until", DATE, None, "The first day on which it no longer holds.", "2027-07-01"
)
SOURCE: Final = Key(
    "source", TEXT, "", "Where this is written; shown with each charge.", '"order form 12"'
)
SPLIT: Final[Key[Split]] = Key(
    "split",
    choice(_SPLITS),
    "none",
    "`none` leaves the cost one line of its own; `list_value` gives what was used to those who"
    " used it, by list value.",
    '"list_value"',
)

CURRENCY_CODE: Final = Key("code", CODE, "", "ISO 4217 code.", '"EUR"', required=True)
CURRENCY_USD: Final = Key(
    "usd", RATE, Decimal(0), "US dollars for one unit.", '"1.0873"', required=True
)
CURRENCY_KEYS: Final = (CURRENCY_CODE, CURRENCY_USD, FROM, SOURCE)

USD_PER_MONTH: Final[Key[Decimal | None]] = Key(
    "usd_per_month",
    USD,
    None,
    "What one seat costs in a calendar month; leave it out where a bill that is read says so.",
    '"200"',
)
SEATS: Final = Key("seats", COUNT, 1, "How many seats.", "12")
BILLED_AS: Final[Key[tuple[str, ...] | None]] = Key(
    "billed_as",
    list_of(GLOB, or_one=True),
    None,
    "Glob or globs over what a bill calls its line: SKU, line item, service or category. For the"
    " time of such a line the bill counts instead of `usd_per_month`. `[]` says that no bill has"
    " it.",
    '"Claude Team*"',
)
PLAN_KEYS: Final = (
    NAME,
    PROVIDER,
    MODEL,
    ONLY,
    SERVICE_TIER,
    FROM,
    UNTIL,
    USD_PER_MONTH,
    SEATS,
    BILLED_AS,
    SPLIT,
    SOURCE,
)

USD_PER_HOUR: Final[Key[Decimal | None]] = Key(
    "usd_per_hour",
    USD,
    None,
    "What one unit costs in an hour, used or not; leave it out where a bill that is read says so.",
    '"1.00"',
)
UNITS: Final = Key("units", COUNT, 1, "How many units.", "50")
TOKENS_PER_HOUR: Final[Key[int | None]] = Key(
    "tokens_per_hour",
    COUNT,
    None,
    "What one unit can serve in an hour, input and output; without it, use is measured by list"
    " value.",
    "9000000",
)
COMMITMENT_KEYS: Final = (
    NAME,
    PROVIDER,
    MODEL,
    ONLY,
    SERVICE_TIER,
    FROM,
    UNTIL,
    USD_PER_HOUR,
    UNITS,
    TOKENS_PER_HOUR,
    SPLIT,
    SOURCE,
)

SELF_MODEL: Final = Key(
    "model", GLOB, "", "Glob over the model, as calls report it.", '"llama-3*"', required=True
)
USD_PER_GPU_HOUR: Final = Key(
    "usd_per_gpu_hour", RATE, Decimal(0), "What one GPU costs in an hour.", '"3.13"', required=True
)
GPUS: Final = Key("gpus", COUNT, 0, "GPUs that serve it together.", "4", required=True)
INPUT_SPEED: Final = Key(
    "input_tokens_per_second",
    SPEED,
    Decimal(0),
    "Measured while it reads input, on all its GPUs together.",
    "24000",
    required=True,
)
OUTPUT_SPEED: Final = Key(
    "output_tokens_per_second",
    SPEED,
    Decimal(0),
    "Measured while it writes output, on all its GPUs together.",
    "3400",
    required=True,
)
CACHED_SPEED: Final[Key[Decimal | None]] = Key(
    "cached_tokens_per_second",
    SPEED,
    None,
    "Measured for input that is found in the cache; without it, as fresh input.",
    "400000",
)
UTILISATION: Final = Key(
    "utilisation",
    USED_SHARE,
    Decimal(1),
    "Share of the paid time in which it works. It decides the price more than all else.",
    '"0.3"',
    required=True,
)
OVERHEAD: Final = Key(
    "overhead", MARKUP, Decimal(0), "Share on top, for operations and what stands around.", '"0.4"'
)
HOURS_PER_DAY: Final[Key[Decimal | None]] = Key(
    "hours_per_day",
    HOURS,
    None,
    "For how long the GPUs are paid each day. Declared, what calls do not carry is a line of its"
    " own, and all lines add up to the machines' cost.",
    "24",
)
SELF_FROM: Final[Key[date | None]] = Key(
    "from", DATE, None, "The first day on which it holds.", "2026-07-01"
)
SELF_HOSTED_KEYS: Final = (
    NAME,
    SELF_MODEL,
    PROVIDER,
    ONLY,
    USD_PER_GPU_HOUR,
    GPUS,
    INPUT_SPEED,
    OUTPUT_SPEED,
    CACHED_SPEED,
    UTILISATION,
    OVERHEAD,
    HOURS_PER_DAY,
    SELF_FROM,
    UNTIL,
    SOURCE,
)

CREDIT_USD: Final = Key("usd", USD, Decimal(0), "The whole amount.", '"5000"', required=True)
CREDIT_KEYS: Final = (NAME, CREDIT_USD, PROVIDER, MODEL, ONLY, FROM, UNTIL, SOURCE)


def only_of(table: Table, key: Key[dict[str, str]] = ONLY) -> Only:
    """Return the dimensions that a table names."""
    return tuple(sorted(table.take(key).items()))


def read_currency(table: Table) -> CurrencyRate | None:
    """Return the rate of a currency; None when it is not whole, which is noted."""
    code, usd, start = table.take(CURRENCY_CODE), table.take(CURRENCY_USD), table.take(FROM)
    source = table.take(SOURCE)
    return CurrencyRate(code, usd, start, source) if code and usd and start else None


def read_plan(table: Table) -> Plan:
    """Return a plan at a flat price."""
    return Plan(
        **_covering(table),
        usd_per_month=table.take(USD_PER_MONTH),
        seats=table.take(SEATS),
        billed_as=table.take(BILLED_AS),
        split=table.take(SPLIT),
    )


def read_commitment(table: Table) -> Commitment:
    """Return capacity that is paid by the hour."""
    return Commitment(
        **_covering(table),
        usd_per_hour=table.take(USD_PER_HOUR),
        units=table.take(UNITS),
        tokens_per_hour=table.take(TOKENS_PER_HOUR),
        split=table.take(SPLIT),
    )


def read_self_hosted(table: Table) -> SelfHosted | None:
    """Return a model on machines of one's own; None when it is not whole, which is noted."""
    model, usd, gpus = table.take(SELF_MODEL), table.take(USD_PER_GPU_HOUR), table.take(GPUS)
    reads, writes = table.take(INPUT_SPEED), table.take(OUTPUT_SPEED)
    values: dict[str, Any] = {
        "name": table.take(NAME),
        "provider": table.take(PROVIDER),
        "only": only_of(table),
        "cached_tokens_per_second": table.take(CACHED_SPEED),
        "utilisation": table.take(UTILISATION),
        "overhead": table.take(OVERHEAD),
        "hours_per_day": table.take(HOURS_PER_DAY),
        **_days(table, SELF_FROM),
        "source": table.take(SOURCE),
    }
    hours, start = HOURS_PER_DAY.name, SELF_FROM.name
    if values["hours_per_day"] and not values["start"]:
        table.place.at(hours).fault(f'needs the key "{start}": from which day are they paid?')
    if not (model and usd and gpus and reads and writes):
        return None
    return SelfHosted(
        model=model,
        usd_per_gpu_hour=usd,
        gpus=gpus,
        input_tokens_per_second=reads,
        output_tokens_per_second=writes,
        **values,
    )


def read_credit(table: Table) -> Credit | None:
    """Return a credit; None when it is not whole, which is noted."""
    values: dict[str, Any] = {
        "name": table.take(NAME),
        "usd": table.take(CREDIT_USD),
        "provider": table.take(PROVIDER),
        "model": table.take(MODEL),
        "only": only_of(table),
        **_days(table, FROM),
        "source": table.take(SOURCE),
    }
    return Credit(**values) if values["start"] else None


def whole(found: tuple[T | None, ...]) -> tuple[T, ...]:
    """Return those that could be read; a fault is noted for each of the others."""
    return tuple(each for each in found if each is not None)


def check_currencies(rates: tuple[CurrencyRate, ...], place: Place) -> None:
    """Note each second rate of a currency from the same day."""
    seen: dict[tuple[str, date], int] = {}
    for at, rate in enumerate(rates):
        if seen.setdefault((rate.code, rate.start), at) != at:
            place.at(at).fault(f"a second rate of {rate.code} from {rate.start}")


def _covering(table: Table) -> dict[str, Any]:
    named = {PROVIDER.name, MODEL.name, ONLY.name, SERVICE_TIER.name} & table.values.keys()
    if not named:
        table.place.fault("expected provider, model, service_tier or only: what does it cover?")
    return {
        "name": table.take(NAME),
        "provider": table.take(PROVIDER),
        "model": table.take(MODEL),
        "only": only_of(table),
        "service_tier": table.take(SERVICE_TIER),
        **_days(table, FROM),
        "source": table.take(SOURCE),
    }


def _days(table: Table, first: Key[date | None]) -> dict[str, date | None]:
    start, end = table.take(first), table.take(UNTIL)
    if start and end and end <= start:
        table.place.at(UNTIL.name).fault(f"expected a day after {start}, found {end}")
    return {"start": start, "end": end}
