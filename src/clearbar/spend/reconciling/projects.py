"""Which bills are of some projects of an account alone.

A provider's report can be asked for one project, and then says nothing of the others. Nothing in it
tells it from one of an account that has this project only. So it is taken for one of the project
where only such an API could have said a project at all: where all its lines name one and the same,
and Clearbar did not pull it, which asks for all projects. Clouds always name the project; what they
send is taken for whole. People can declare either.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from clearbar.spend.reconciling.accounts import declared_account
from clearbar.spend.reconciling.choosing import IN_ANY_GROUPING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.spend.reconciling.accounts import BillsOf, DeclaredAccount
    from clearbar.spend.reconciling.bills import Projects
    from clearbar.spend.reconciling.told import Told

_PULLED: Final = "/.clearbar/pulled/"


def projects_of(bills: Sequence[Told], accounts: Sequence[DeclaredAccount]) -> Projects:
    """Return the projects that bills are of, where they are not of the whole account."""
    lines: dict[tuple[str, str, str], list[Told]] = defaultdict(list)
    for row in bills:
        if row.category == "usage":
            lines[row.origin.provider, row.origin.account, row.origin.source].append(row)
    found = {
        (provider, account, source): _of_some(source, rows, declared(provider, account, accounts))
        for (provider, account, source), rows in lines.items()
    }
    return {place: projects for place, projects in found.items() if projects}


def declared(provider: str, name: str, accounts: Sequence[DeclaredAccount]) -> BillsOf | None:
    """Return what is declared of an account's bills; one without a name is the only one."""
    if name:
        account = declared_account(provider, name, accounts)
        return account.bills if account else None
    of_provider = {each.bills for each in accounts if each.is_of(provider)}
    return of_provider.pop() if len(of_provider) == 1 else None


def _of_some(source: str, rows: Sequence[Told], said: BillsOf | None) -> frozenset[str]:
    named = frozenset(row.origin.project for row in rows)
    if said == "projects":
        return named - {""}
    if said == "whole" or source not in IN_ANY_GROUPING or len(named) > 1 or "" in named:
        return frozenset()
    return frozenset() if any(_PULLED in row.uri for row in rows) else named
