"""Takes out of a page what may hold prompts or answers, before it is kept."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.spend.pull.api import PullError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from clearbar.spend.pull.api import Page

_decoder: Final = msgspec.json.Decoder(float_hook=Decimal)
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


def page_of(payload: bytes) -> Page:
    """Return a page, its numbers exact.

    Raises:
        PullError: when it is no JSON object.
    """
    try:
        value = _decoder.decode(payload)
    except (msgspec.DecodeError, ArithmeticError, RecursionError, ValueError):
        raise PullError("the answer is not JSON", "see whether the address is the API's") from None
    if not isinstance(value, dict):
        raise PullError("the answer is not a page", "see whether the address is the API's")
    return value


def without(payload: bytes, page: Page, names: AbstractSet[str]) -> bytes:
    """Return a page's bytes without the fields of these names, however deep; as it is for none."""
    return _encoder.encode(_bare(page, names)) if names else payload


def _bare(value: Any, names: AbstractSet[str]) -> Any:
    if isinstance(value, dict):
        return {key: _bare(each, names) for key, each in value.items() if key not in names}
    if isinstance(value, list):
        return [_bare(each, names) for each in value]
    return value
