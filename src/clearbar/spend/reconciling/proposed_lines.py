"""Lines of clearbar.toml that would say what nobody but its owner can know of an account. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from clearbar.spend.reconciling.accounts import declared_account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.spend.reconciling.accounts import BillsOf, DeclaredAccount


def of_alias(provider: str, name: str, alias: str, accounts: Sequence[DeclaredAccount]) -> str:
    """Return what to write where two names are of one account."""
    for one, other in ((name, alias), (alias, name)):
        if known := declared_account(provider, one, accounts):
            return f"{json.dumps(other)} among the aliases of [[account]] {json.dumps(known.name)}"
    return _table(provider, name, f"aliases = [{json.dumps(alias, ensure_ascii=False)}]")


def of_bills(provider: str, name: str, bills: BillsOf, accounts: Sequence[DeclaredAccount]) -> str:
    """Return what to write where bills are of the whole account, or of some projects alone."""
    said = f'bills = "{bills}"'
    if name and (known := declared_account(provider, name, accounts)):
        return f"{said} under [[account]] {json.dumps(known.name)}"
    return _table(provider, name or provider, said)


def _table(provider: str, name: str, said: str) -> str:
    named = f"name = {json.dumps(name, ensure_ascii=False)}"
    return "\n".join(("[[account]]", named, f"provider = {json.dumps(provider)}", said))
