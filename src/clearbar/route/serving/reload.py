"""From the file with the table of routes to what a worker works by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.route.admit import Admission
from clearbar.route.budgets.account import Accounts
from clearbar.route.keys import KeyRing
from clearbar.route.prices import PriceList
from clearbar.route.serving.means import InForce, endpoints_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.route.snapshot import Snapshot
    from clearbar.route.watching.grading import Grading


def in_force_of(
    snapshot: Snapshot, environment: Mapping[str, str], gradings: Mapping[str, Grading]
) -> tuple[InForce, Mapping[str, str]]:
    """Return what is in force, and by tool what is wrong with those that cannot be asked.

    Raises:
        ClearbarError: when the snapshot's prices are of another version.
    """
    table = snapshot.table
    endpoints, faults = endpoints_of(table, environment)
    in_force = InForce(
        table,
        Admission(table),
        KeyRing(table.keys),
        Accounts(table.budgets),
        PriceList.from_json(snapshot.prices),
        endpoints,
        gradings,
    )
    return in_force, faults
