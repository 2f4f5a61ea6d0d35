"""Which names are of one account: a bill, a log and a gateway rarely call it the same.

A bill says an id (in FOCUS `BillingAccountId`), a log an organisation, another nothing. What people
declare is applied when charges are read: no record changes, and a changed declaration counts at
once.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clearbar.spend.charge import Origin

BillsOf = Literal["whole", "projects"]
ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredAccount:
    """An account of a provider, and what else bills and logs call it."""

    name: str
    """As reports show it."""
    aliases: tuple[str, ...] = ()
    provider: str = ANY
    """Glob over the provider that bills."""
    bills: BillsOf | None = None
    """Whether its bills are of the whole account, or only of the projects that they name; None is
    not declared."""

    def is_of(self, provider: str) -> bool:
        """Return whether it may be an account of this provider."""
        return fnmatchcase(provider.lower(), self.provider.lower())


def declared_account(
    provider: str, name: str, accounts: Sequence[DeclaredAccount]
) -> DeclaredAccount | None:
    """Return the declared account that a name of a provider's account means."""
    named = (each for each in accounts if name == each.name or name in each.aliases)
    return next((each for each in named if each.is_of(provider)), None)


def names_of(provider: str, name: str, accounts: Sequence[DeclaredAccount]) -> tuple[str, ...]:
    """Return all names of the account that a name of a provider's means."""
    found = declared_account(provider, name, accounts)
    return (found.name, *found.aliases) if found else (name,)


def name_missed(glob: str, accounts: Sequence[DeclaredAccount]) -> str:
    """Return the name of an account of which a glob takes an alias alone; empty for none."""
    return next(
        (
            each.name
            for each in accounts
            if not is_named_by(glob, each.name)
            and any(is_named_by(glob, alias) for alias in each.aliases)
        ),
        "",
    )


def is_named_by(glob: str, account: str) -> bool:
    """Return whether a rule's glob takes an account, in letters of either case as all rules do."""
    return fnmatchcase(account.lower(), glob.lower())


def with_declared_names(
    origins: Mapping[int, Origin], accounts: Sequence[DeclaredAccount]
) -> dict[int, Origin]:
    """Return origins under the ids that they have in the ledger, with accounts as declared."""
    return {key: _named(origin, accounts) for key, origin in origins.items()}


def _named(origin: Origin, accounts: Sequence[DeclaredAccount]) -> Origin:
    found = declared_account(origin.provider, origin.account, accounts) if origin.account else None
    return replace(origin, account=found.name) if found and found.name != origin.account else origin
