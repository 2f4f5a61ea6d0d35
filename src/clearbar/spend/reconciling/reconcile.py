"""One dollar, several records of it: the best basis sets the total, calls set the split.

Lines of a bill stand before a provider's aggregates, and these before calls. What two of them tell
counts once; what the better one has beyond the other is a line that everyone sees. The rules stand
in `spend.reconciling`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import localcontext
from typing import TYPE_CHECKING, Final

from clearbar.spend.reconciling.aggregates import overlaps
from clearbar.spend.reconciling.bills import (
    Billed,
    Held,
    billed_days,
    held_costs,
    known_costs,
    lines_of,
)
from clearbar.spend.reconciling.choosing import (
    Duplicate,
    accounts_of,
    chosen,
    with_only_account,
)
from clearbar.spend.reconciling.projects import projects_of
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clearbar.spend.reconciling.accounts import DeclaredAccount
    from clearbar.spend.reconciling.told import Line, Overlap, Told

_DIGITS: Final = 60
"""Enough that no sum of money is rounded."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What to do to the sums of calls and aggregates, so that each dollar counts once."""

    overlaps: tuple[Overlap, ...] = ()
    lines: tuple[Line, ...] = ()
    """Beside the calls and aggregates. Lines of bills themselves are in no sum."""
    billed: tuple[Billed, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    held: tuple[Held, ...] = ()
    """What bills hold of cost that does not say whose it is."""
    bills: tuple[Told, ...] = ()
    """The lines of bills that count."""


def reconcile(rows: Iterable[Told], declared: Sequence[DeclaredAccount] = ()) -> Reconciled:
    """Return what counts of calls, aggregates and bills. A pure function of the set of rows.

    `declared` says of what accounts' bills are; the rows call the accounts as it does.
    """
    with localcontext(prec=_DIGITS):
        return _reconcile(list(rows), declared)


def _reconcile(rows: Sequence[Told], declared: Sequence[DeclaredAccount]) -> Reconciled:
    accounts = accounts_of(rows)
    calls = [row for row in rows if row.grain == "call"]
    aggregates = [row for row in rows if row.grain == "bucket"]
    all_bills = [row for row in rows if row.grain == "bill"]
    bills, duplicates = chosen(with_only_account(all_bills, accounts))
    tokens = [_tokens_of(row) for row in bills if row.usage.tokens]
    found, left = overlaps([*aggregates, *tokens], calls)
    beyond = [row for row in left if row.grain == "bucket"]
    known = known_costs([*calls, *beyond])
    billed = billed_days(bills, known, projects_of(bills, declared))
    held = held_costs(billed, known, accounts)
    unlogged = [row for row in left if row.grain == "bill"]
    return Reconciled(
        overlaps=tuple(found),
        lines=tuple(lines_of(billed, bills, held, unlogged)),
        billed=tuple(billed),
        duplicates=tuple(duplicates),
        held=tuple(held),
        bills=tuple(bills),
    )


def _tokens_of(row: Told) -> Told:
    """Return a line of a bill as what it says of tokens; its money is reconciled by itself."""
    told = row.usage
    tokens = Usage(
        input_tokens=told.input_tokens,
        cache_read_tokens=told.cache_read_tokens,
        cache_write_tokens=told.cache_write_tokens,
        output_tokens=told.output_tokens,
    )
    return replace(row, usage=tokens)
