"""Money is Decimal US dollars, exact until it is shown."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

ZERO = Decimal(0)
_CENT = Decimal("0.01")


def plain(amount: Decimal) -> str:
    """Return the exact amount without exponent and without trailing zeros: `0.0021`."""
    text = format(amount or ZERO, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def usd(amount: Decimal | float | None) -> str:
    """Return an amount for people: `$1,204.50`; small ones keep two significant digits."""
    if amount is None:
        return "-"
    value = amount if isinstance(amount, Decimal) else Decimal(repr(amount))
    with localcontext() as context:
        context.prec = 60
        size = abs(value)
        step = _CENT if size >= _CENT * 10 or not size else Decimal(1).scaleb(size.adjusted() - 1)
        rounded = value.quantize(min(step, _CENT), rounding=ROUND_HALF_EVEN)
    sign = "-" if rounded < 0 else ""
    return f"{sign}${abs(rounded):,f}"
