"""Amounts as the store writes them: exact decimal texts."""

from __future__ import annotations

from decimal import Decimal


def money_text(amount: Decimal | None) -> str | None:
    """Return an amount as the store writes it, exactly."""
    return None if amount is None else format(amount, "f")


def money(text: str | None) -> Decimal | None:
    """Return the amount that `money_text` wrote."""
    return None if text is None else Decimal(text)
