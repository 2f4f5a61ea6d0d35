"""Reads `[[account]]` of clearbar.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.core.toml_kinds import EXACT_TEXT, GLOB, choice, list_of
from clearbar.core.toml_table import Key, Place, Table, shown
from clearbar.spend.reconciling.accounts import ANY, BillsOf, DeclaredAccount

if TYPE_CHECKING:
    from collections.abc import Sequence

_BILLS: Final[tuple[BillsOf, ...]] = ("whole", "projects")

NAME: Final = Key(
    "name", EXACT_TEXT, "", "What the account is called in reports.", '"acme"', required=True
)
ALIASES: Final[Key[tuple[str, ...]]] = Key(
    "aliases",
    list_of(EXACT_TEXT),
    (),
    "What bills and logs call it too, letter by letter: ids, organisations.",
    '["org-abc", "123456789012"]',
)
PROVIDER: Final = Key(
    "provider", GLOB, ANY, "Glob over the provider whose account it is.", '"openai"'
)
BILLS: Final[Key[BillsOf | None]] = Key(
    "bills",
    choice(_BILLS),
    None,
    "Whether its bills are of the `whole` account, or only of the `projects` that they name."
    " Without it, costs of an API that all name one and the same project are of that project alone,"
    " unless Clearbar pulled them.",
    '"projects"',
)
ACCOUNT_KEYS: Final = (NAME, ALIASES, PROVIDER, BILLS)


def read_account(table: Table) -> DeclaredAccount:
    """Return an account with its names."""
    return DeclaredAccount(
        name=table.take(NAME),
        aliases=table.take(ALIASES),
        provider=table.take(PROVIDER),
        bills=table.take(BILLS),
    )


def check_accounts(accounts: Sequence[DeclaredAccount], place: Place) -> None:
    """Note each name that stands for two accounts of one provider."""
    for at, account in enumerate(accounts):
        for before, other in enumerate(accounts[:at]):
            if _may_share_a_provider(account, other):
                line = place.at(before).line
                _check(account, other, place.at(at), line)


def _check(account: DeclaredAccount, other: DeclaredAccount, place: Place, line: int) -> None:
    taken = {other.name, *other.aliases}
    if account.name in taken:
        place.at(NAME.name).fault(
            f"{shown(account.name)} is a name of the account on line {line}: write all aliases"
            " there, or a provider to each"
        )
    for at, alias in enumerate(account.aliases):
        if alias in taken and alias != account.name:
            place.at(ALIASES.name, at).fault(
                f"{shown(alias)} is a name of {shown(other.name)} on line {line} too: a name is of"
                " one account; keep it in one of them, or write a provider to each"
            )


def _may_share_a_provider(one: DeclaredAccount, other: DeclaredAccount) -> bool:
    """Return whether both may be of one provider; two patterns may, whatever they are."""
    plain = [each.provider for each in (one, other) if not set(each.provider) & set("*?[")]
    return all(one.is_of(provider) and other.is_of(provider) for provider in plain)
