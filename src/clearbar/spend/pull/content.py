"""Takes out of a page what may hold prompts or answers, before it is kept."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.spend.pull.api import PullError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from clearbar.spend.pull.api import Api, Page

_decoder: Final = msgspec.json.Decoder(float_hook=Decimal)
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


def page_of(payload: bytes) -> Page:
    """Return a page, its numbers exact.

    Raises:
        PullError: when it is no JSON object with a list of `data`, as all these APIs send.
    """
    try:
        value = _decoder.decode(payload)
    except (msgspec.DecodeError, ArithmeticError, RecursionError, ValueError):
        raise PullError("the answer is not JSON", "see whether the address is the API's") from None
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise PullError("the answer is not a page", "see whether the address is the API's")
    return value


def tells_nothing(page: Page) -> bool:
    """Return whether a page has no rows, or buckets without any: no source would know it."""
    rows = page.get("data")
    return isinstance(rows, list) and all(
        isinstance(row, dict) and row.get("results") == [] for row in rows
    )


def kept_of(api: Api, payload: bytes, page: Page) -> bytes:
    """Return the bytes of a page that are kept: as they are, where it can hold no content.

    Raises:
        PullError: when it is nested too deep.
    """
    if not api.content and not api.texts:
        return payload
    try:
        return _encoder.encode(_bare(_only(page, api.texts) if api.texts else page, api))
    except RecursionError:
        raise PullError("the answer is nested too deep", "this may be another API") from None


def _bare(value: Any, api: Api, name: str = "") -> Any:
    """Return a value without content; in an object of counts, `input` is a number and stays."""
    if isinstance(value, dict):
        return {
            key: _bare(each, api, key)
            for key, each in value.items()
            if key not in api.content or (name in api.counts and _is_number(each))
        }
    if isinstance(value, list):
        return [_bare(each, api) for each in value]
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _only(value: Any, names: AbstractSet[str], name: str = "") -> Any:
    """Return a value without any text but those of some names; null stands for them."""
    if isinstance(value, dict):
        return {key: _only(each, names, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_only(each, names, name) for each in value]
    if not isinstance(value, str):
        return value
    if value.startswith(("{", "[")):
        return _only(_decoded(value), names, name)
    return _without_key(value) if name in names else None


def _decoded(value: str) -> Any:
    """Return what a text holds that is JSON; none for any other."""
    try:
        return _decoder.decode(value)
    except (msgspec.DecodeError, ArithmeticError, ValueError):
        return None


def _without_key(value: str) -> str:
    """Return a text; of a key its hash, by which LiteLLM itself knows it."""
    return hashlib.sha256(value.encode()).hexdigest() if value.startswith("sk-") else value
