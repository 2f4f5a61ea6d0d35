"""The kinds of values that only `[[tool]]` holds: addresses, names of variables, settings."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from clearbar.core.errors import ClearbarError
from clearbar.core.toml_kinds import EXACT_TEXT, as_table, decimal_of
from clearbar.core.toml_table import Kind, expected, shown
from clearbar.tools.reserved_settings import RESERVED_SETTINGS, reserved

if TYPE_CHECKING:
    from clearbar.core.toml_table import Place

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FUNCTION: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_PATHS: Final = ("/chat/completions", "/messages", "/completions", "/responses")
_MAX_RATE: Final = Decimal(10**6)


def _url(value: object, place: Place) -> str:
    text = EXACT_TEXT.read(value, place)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.username or parts.password:
        raise ClearbarError("a key in the address would be in the file", "use key_env")
    if parts.scheme not in ("http", "https") or not host or not text.isprintable() or " " in text:
        raise expected('an address such as "https://api.example.com/v1"', value)
    if parts.fragment or parts.path.rstrip("/").endswith(_PATHS):
        raise ClearbarError("expected an address up to its version", 'it ends with "/v1" or so')
    return text


def _variable(value: object, _: Place) -> str:
    # The value is not shown: it may be the key itself.
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise ClearbarError(
            "expected the name of an environment variable", "the key itself is never in the file"
        )
    return value


def _function(value: object, place: Place) -> str:
    text = EXACT_TEXT.read(value, place)
    if not _FUNCTION.fullmatch(text):
        raise expected('a callable such as "refunds:decide"', value)
    return text


def _settings(value: object, place: Place) -> dict[str, object]:
    settings = as_table(value)
    for name in reserved(settings):
        others = ", ".join(sorted(RESERVED_SETTINGS))
        place.at(name).fault(f"no setting: Clearbar says {others} itself")
    return {name: _json(each, place.at(name)) for name, each in settings.items()}


def _json(value: object, place: Place) -> object:
    """Return a value as JSON writes it; of what JSON has no word for, note that."""
    match value:
        case bool() | int() | str():
            return value
        case Decimal() if value.is_finite():
            return float(value)
        case dict():
            return {name: _json(each, place.at(name)) for name, each in value.items()}
        case list():
            return [_json(each, place.at(number)) for number, each in enumerate(value)]
        case _:
            place.fault(f"{shown(value)} is nothing that a request can hold")
            return None


def _rate(value: object, _: Place) -> Decimal:
    rate = decimal_of(value)
    if rate is None or not 0 < rate <= _MAX_RATE:
        raise expected("a number above zero", value)
    return rate


def _working_share(value: object, _: Place) -> Decimal:
    share = decimal_of(value)
    if share is None or not 0 < share <= 1:
        raise expected("a share above 0, up to 1", value)
    return share


def whole(most: int) -> Kind[int]:
    """Return the kind of whole numbers from 1 to `most`."""

    def read(value: object, _: Place) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise expected(f"a whole number from 1 to {most}", value)
        return value

    return Kind("whole number", read)


ADDRESS: Final = Kind("address", _url)
VARIABLE: Final = Kind("environment variable", _variable)
CALLABLE: Final = Kind("module:callable", _function)
SETTING_TABLE: Final = Kind("table", _settings)
"""As JSON values; numbers with a point become floats."""
RATE: Final = Kind("number", _rate)
WORKING_SHARE: Final = Kind("share", _working_share)
