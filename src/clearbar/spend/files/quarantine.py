"""What a record may say: whole quantities, parts within the whole, exact money. Never clamps."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from clearbar.core.errors import Problem
from clearbar.spend.charge import MAX_QUANTITY

_MAX_USD: Final = Decimal(10) ** 9
"""Of one record: sums of money have 14 digits before the point."""
_MAX_EXPONENT: Final = 10_000
"""Zeros are reported with thousands of places (0E-6176); the engine reads no more than these."""


class QuarantineError(Exception):
    """A record that does not add up; it becomes a `Problem` while the rest goes on.

    Never quotes the record's own text.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def problem(self, line: int | None) -> Problem:
        """Return it as data: what stands in this line (or row) of a file."""
        return Problem(self.what, self.hint, line)


def quantity(value: object, name: str) -> int | None:
    """Return a reported quantity, or None where nothing is reported (null or empty text).

    Raises:
        QuarantineError: when it is not a whole number from 0 to `MAX_QUANTITY`.
    """
    if value is None or value == "":
        return None
    number = _decimal(value)
    if number is None or number != number.to_integral_value():
        raise QuarantineError(f"{name} is not a whole number")
    if not 0 <= number <= MAX_QUANTITY:
        raise QuarantineError(f"{name} is {'negative' if number < 0 else 'impossibly large'}")
    return int(number)


def usd(value: object, name: str) -> Decimal | None:
    """Return a reported amount exactly, or None where nothing is reported.

    Raises:
        QuarantineError: when it is not an amount from 0 to a thousand million.
    """
    if value is None or value == "":
        return None
    amount = _money(value, name)
    if not 0 <= amount <= _MAX_USD:
        raise QuarantineError(f"{name} is {'negative' if amount < 0 else 'impossibly large'}")
    return amount


def signed_usd(value: object, name: str) -> Decimal | None:
    """Return an amount of a bill exactly, which may be negative; None where nothing is reported.

    Raises:
        QuarantineError: when it is no amount, or one of more than a thousand million.
    """
    if value is None or value == "":
        return None
    amount = _money(value, name)
    if not -_MAX_USD <= amount <= _MAX_USD:
        raise QuarantineError(f"{name} is impossibly large")
    return amount


def rest_of(whole: int | None, whole_name: str, **parts: int | None) -> int | None:
    """Return what is left of `whole` without its parts; None where the whole is not reported.

    Raises:
        QuarantineError: when the parts exceed the whole: another convention than the declared one.
    """
    taken = sum(part or 0 for part in parts.values())
    named = " and ".join(name for name, part in parts.items() if part)
    if whole is None:
        if taken:
            raise QuarantineError(f"{whole_name} is missing, but {named} is told")
        return None
    if taken > whole:
        raise QuarantineError(
            f"{named} exceed {whole_name}",
            f"they should be a part of {whole_name}; here they seem to be counted beside it",
        )
    return whole - taken


def _money(value: object, name: str) -> Decimal:
    amount = _decimal(value)
    if amount is None:
        raise QuarantineError(f"{name} is not a number")
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _MAX_EXPONENT:
        raise QuarantineError(f"{name} is no amount of money")
    return amount


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value).strip())
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() else None
