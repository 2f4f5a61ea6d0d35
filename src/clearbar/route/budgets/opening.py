"""Where the budgets of a workspace are kept: one file, or the PostgreSQL that machines share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.route.budgets.store import BudgetStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clearbar.route.route import GatewaySettings

FILE: Final = "budgets.db"
"""In `.clearbar/route`."""


def open_store(
    settings: GatewaySettings, kept: Path, environment: Mapping[str, str]
) -> BudgetStore:
    """Return the store of budgets; it connects when it is first used.

    Args:
        settings: of the gateway; `store_env` names the variable with the address.
        kept: the folder `.clearbar/route` of the workspace.
        environment: where that variable is looked up.

    Raises:
        ClearbarError: the variable is empty, or the extra is not installed.
    """
    if not settings.store_env:
        from clearbar.route.budgets.store_sqlite import SqliteDatabase  # noqa: PLC0415 - one of two

        return BudgetStore(SqliteDatabase(kept / FILE))
    address = environment.get(settings.store_env, "")
    if not address:
        raise ClearbarError(
            f"{settings.store_env} is not set: it has to hold the address of PostgreSQL",
            f"export {settings.store_env}=postgresql://user:password@host/database, "
            "or leave out store_env of [gateway]",
        )
    from clearbar.route.budgets.store_postgres import PostgresDatabase  # noqa: PLC0415 - an extra

    return BudgetStore(PostgresDatabase(address))
