"""What a running gateway has a workspace do for it; all in one thread, which opens it anew."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import ClearbarError, UnknownName
from clearbar.route.budgets import recovery
from clearbar.route.budgets.ageing import forget_old
from clearbar.route.budgets.balances import running
from clearbar.route.budgets.holding import BudgetStoreError
from clearbar.route.budgets.opening import open_store
from clearbar.route.budgets.owned import OwnedObjects, answers_in
from clearbar.route.journal.lag import lag_s
from clearbar.route.journal.lock import is_alive
from clearbar.route.journal.reader import calls, workers
from clearbar.route.journal.retention import remove_charged
from clearbar.route.operating.facts import (
    AccountRow,
    AlarmRow,
    KeyIssued,
    KeyRow,
    NotFoundError,
)
from clearbar.route.serving.keeper import Published
from clearbar.route.snapshot import read, write
from clearbar.route.watching.store import all_alarms
from clearbar.route.watching.watch import Watch, watched_of, with_raised_shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from clearbar.route.budgets.balances import Balance
    from clearbar.route.budgets.store import BudgetStore
    from clearbar.route.keys import ListedKey
    from clearbar.route.operating.facts import KeyWanted
    from clearbar.route.route import RouteTable
    from clearbar.route.watching.sample import Watched
    from clearbar.workspace.kept_route import RouteFacts

BY: Final = "admin API"
_MADE_AT: Final = "made_at_us"
"""When a price list was made, among its values."""


class WorkspaceKeeper:
    """Implements `route.serving.keeper.Keeper` over a workspace that `opens` gives."""

    def __init__(
        self, opens: Callable[[], RouteFacts], clock: Callable[[], float] = monotonic
    ) -> None:
        self._opens = opens
        self._clock = clock
        self._lives = recovery.LifeWatch()
        self._opened: RouteFacts | None = None
        self._state: object = None
        self._table: RouteTable | None = None
        self._prices: dict[str, Any] = {}
        self._watch: Watch | None = None
        self._raised: dict[str, tuple[str, ...]] = {}
        self._raised_at: dict[str, datetime] = {}
        """Since when workflows have a pre-alarm."""

    def publish(self) -> Published:
        """Write the table of routes, where anything that it is made of has changed.

        Raises:
            ClearbarError: when the declarations are wrong; the table before stays in force.
        """
        workspace = self._workspace
        state = (workspace.route_state(), tuple(sorted(self._raised)))
        if self._table is not None and state == self._state:
            return Published(self._table, changed=False)
        self.close()
        workspace = self._workspace
        before = self._table or self._last(workspace.route_folder / "table.json")
        made = workspace.route_table(before)
        table = with_raised_shares(made, self._raised)
        changed = made is not before or self._table is None or table != self._table
        prices = workspace.price_list(table).to_json()
        if not changed and {**prices, _MADE_AT: 0} != {**self._prices, _MADE_AT: 0}:
            changed, table = True, replace(table, generation=table.generation + 1)
        write(table, prices, workspace.route_folder / "table.json")
        self._table, self._state, self._prices = table, state, prices
        return Published(table, changed)

    def charge(self) -> int:
        """Move what the journals say into the ledger; return how many charges were new."""
        return self._workspace.charge_journals()

    def recover(self, worker: str) -> None:
        """Settle the budgets of a worker that has died, from its journal."""
        store = self._budgets()
        try:
            if not recovery.is_closed(store, worker):
                kept = list(answers_in(calls(self._journals, worker)))
                OwnedObjects(store).remember(kept)
                recovery.recover(store, worker, calls(self._journals, worker))
        finally:
            store.close()

    def dead_workers(self) -> Sequence[str]:
        """Return workers of this machine that are gone and whose budgets were not settled."""
        store = self._budgets()
        try:
            families = recovery.unsettled(store)
        finally:
            store.close()
        here = [each for each in workers(self._journals) if each in families]
        return [each for each in here if not is_alive(self._journals, each)]

    def write_off_lost(self) -> Sequence[str]:
        """Declare workers of other machines lost that give no sign of life; return those.

        Of this machine the kernel tells who lives.
        """
        store = self._budgets()
        try:
            here = set(workers(self._journals))
            families = {name: family for name, (family, _) in recovery.living(store).items()}
            beats = {
                name: beat
                for name, beat in recovery.beats(store).items()
                if families.get(name, name) not in here
            }
            lost = self._lives.lost(beats, self._clock())
            return [name for name, beat in lost if recovery.write_off(store, name, beat)]
        except BudgetStoreError:
            self._lives = recovery.LifeWatch()  # nobody could give a sign of life meanwhile
            raise
        finally:
            store.close()

    def watch(self) -> None:
        """Judge new shadow grades; an alarm goes into the docket and into the next table."""
        workspace = self._workspace
        if self._watch is None:
            self._watch = Watch(workspace.store)
        self._watch.step(list(self._watched()), _now())
        self._raised = dict(self._watch.pre_alarms())
        before, now = self._raised_at, _now()
        self._raised_at = {workflow: before.get(workflow, now) for workflow in self._raised}

    def judge(self) -> None:
        """Give the verdicts of today, and record those that are news."""
        self._workspace.judge()

    def expire(self) -> None:
        """Delete captured requests, journals and accounts whose time is over."""
        remove_charged(self._journals, self._workspace.store, _now())
        self._workspace.expire_captured()
        store = self._budgets()
        try:
            forget_old(store, _now().date())
        finally:
            store.close()

    def journal_lag_s(self) -> float:
        """Return how old the oldest line of a journal is that is not in the ledger yet."""
        return lag_s(self._journals, self._workspace.store, _now())

    def balances(self) -> Sequence[AccountRow]:
        """Return the accounts of the periods that run now, and of runs and tasks in use."""
        found = running(self._workspace.budget_balances(), _now().date())
        return [_account(each) for each in found]

    def alarms(self) -> Sequence[AlarmRow]:
        """Return the signs that stand, then alarms, the newest first."""
        workspace = self._workspace
        standing = workspace.route_alarms()
        return [
            *self._signs(),
            *(
                AlarmRow(
                    workflow=each.alarm.workflow,
                    tool=each.alarm.tool,
                    at=each.alarm.at,
                    what=each.alarm.what,
                    in_force=standing.get(each.alarm.workflow) == each.alarm,
                )
                for each in reversed(all_alarms(workspace.store))
            ),
        ]

    def _signs(self) -> Iterator[AlarmRow]:
        """Yield the pre-alarms of the routes in force."""
        routes = {} if self._table is None else self._table.routes
        for workflow, signs in self._raised.items():
            if workflow in routes:
                yield AlarmRow(
                    workflow=workflow,
                    tool=routes[workflow].tool or "",
                    at=self._raised_at[workflow],
                    what="; ".join(signs),
                    in_force=False,
                    sign=True,
                )

    def keys(self) -> Sequence[KeyRow]:
        """Return all keys that were ever issued."""
        return [_row(each) for each in self._workspace.keys()]  # noqa: SIM118 - no mapping

    def issue_key(self, wanted: KeyWanted) -> KeyIssued:
        """Issue a key.

        Raises:
            NotFoundError: when there is no such workflow or team.
        """
        try:
            issued = self._workspace.issue_key(
                workflow=wanted.of if wanted.scope == "workflow" else "",
                team=wanted.of if wanted.scope == "team" else "",
                name=wanted.name,
                environment=wanted.environment,
                by=BY,
            )
        except UnknownName as error:
            raise NotFoundError(error.message) from error
        return KeyIssued(key_id=issued.key.key_id, key=issued.token)

    def revoke_key(self, key_id: str) -> KeyRow:
        """Revoke a key.

        Raises:
            NotFoundError: when there is no such key.
        """
        try:
            return _row(self._workspace.revoke_key(key_id, by=BY))
        except UnknownName as error:
            raise NotFoundError(error.message) from error

    def close(self) -> None:
        """Close the workspace; the next use opens it anew."""
        if self._opened is not None:
            self._opened.close()
        self._opened = self._watch = None

    @property
    def _workspace(self) -> RouteFacts:
        if self._opened is None:
            self._opened = self._opens()
        return self._opened

    @property
    def _journals(self) -> Path:
        return self._workspace.route_folder / "journal"

    def _budgets(self) -> BudgetStore:
        workspace = self._workspace
        settings = workspace.declared.gateway.settings
        return open_store(settings, workspace.route_folder, os.environ)

    def _watched(self) -> Iterator[Watched]:
        """Yield what is to be watched: routed tools, each under the certificate it rests on."""
        if self._table is None:
            return
        for name, certificate, certificate_id, chosen in self._workspace.watched_certificates():
            route = self._table.routes.get(name)
            if route is None:
                continue
            found = watched_of(route, certificate, certificate_id, **chosen)
            if found is not None:
                yield found

    @staticmethod
    def _last(path: Path) -> RouteTable | None:
        """Return the table of the last run, so that generations go on; None where it is unread."""
        try:
            return read(path).table
        except ClearbarError:
            return None


def _account(balance: Balance) -> AccountRow:
    return AccountRow(
        account=balance.account,
        scope=balance.scope,
        name=balance.name,
        per=balance.per,
        limit_nusd=balance.limit_nusd,
        spent_nusd=balance.spent_nusd,
        held_nusd=balance.held_nusd,
        draining=balance.draining,
    )


def _row(listed: ListedKey) -> KeyRow:
    key = listed.key
    return KeyRow(
        key_id=key.key_id,
        workflow=key.workflow,
        team=key.team,
        name=key.name,
        environment=key.environment,
        issued_at=datetime.fromisoformat(listed.issued_at),
        issued_by=listed.issued_by,
        revoked_at=None if listed.revoked_at is None else datetime.fromisoformat(listed.revoked_at),
    )


def _now() -> datetime:
    return datetime.now(UTC)
