"""Stage 5 of a workspace: route; and the whole of it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from clearbar.workspace.gating import Gating

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clearbar.route.declared_route import Team
    from clearbar.route.keys import IssuedKey, ListedKey
    from clearbar.route.route import Alarm, RouteTable
    from clearbar.route.table import DeclaredRouting
    from clearbar.trial.in_force import InForce
    from clearbar.trial.trial import Certificate

_FOLDER: Final = "route"


class Routing(Gating):
    """Where requests go, whose they are, and what pays for them."""

    @property
    def route_folder(self) -> Path:
        """The folder of the gateway's journal, its snapshot and what it captured."""
        return self.folder / ".clearbar" / _FOLDER

    def route_table(self, before: RouteTable | None = None) -> RouteTable:
        """Return the routes in force; `before` itself, where nothing has changed since.

        The ledger is not read: verdicts are those that the docket records.

        Raises:
            DeclarationError: when clearbar.toml says what Clearbar does not understand.
            LedgerError: when the docket or a certificate cannot be read.
        """
        from clearbar.route.keys import keys_in_force
        from clearbar.route.standing import standing
        from clearbar.route.table import Known, routes_in_force

        known = Known(
            self.as_of,
            standing(self.store, self.as_of),
            self._certificates_in_force(),
            self.route_alarms(),
        )
        keys = keys_in_force(self.store)
        return routes_in_force(self._declared_routing, known, keys, self._now, before)

    def route_state(self) -> tuple[object, ...]:
        """Return a mark of what the table of routes is made of, cheaply.

        It is equal while clearbar.toml, the docket, certificates, keys, alarms, the day, and the
        files that it names for tools, cases and prompts are what they were.
        """
        (counted,) = self.store.rows(
            "SELECT (SELECT count(*) FROM docket), (SELECT count(*) FROM certificate),"
            " (SELECT count(*) FROM gateway_key), (SELECT count(*) FROM gateway_key_revoked)"
        )
        alarms = tuple(sorted((each.workflow, each.at) for each in self.route_alarms().values()))
        names = {each.file for each in self.declared.tools}
        names |= {name for each in self.declared.trials for name in (each.cases, each.prompt_file)}
        paths = [self.folder / name for name in ("clearbar.toml", *sorted(filter(None, names)))]
        return (self.as_of, *counted, alarms, *map(_version, paths))

    def route_alarms(self) -> Mapping[str, Alarm]:
        """Return the alarms on routed tools, by workflow."""
        from clearbar.route.watching.store import alarms

        return alarms(self.store)

    def issue_key(
        self,
        *,
        workflow: str = "",
        team: str = "",
        name: str = "",
        environment: str = "",
        by: str,
    ) -> IssuedKey:
        """Make a key for a workflow or a team; it is shown this once.

        Raises:
            UnknownName: when there is no such workflow or team.
        """
        from clearbar.route.keys import issue

        self._refuse_another_day()
        if workflow:
            self.workflow(workflow)
        if team:
            self._team(team)
        return issue(
            self.store,
            workflow=workflow,
            team=team,
            name=name,
            environment=environment,
            by=by,
            now=self._now,
        )

    def revoke_key(self, key_id: str, *, by: str) -> ListedKey:
        """End a key; workers refuse it as soon as they have the next table.

        Raises:
            UnknownName: when no key has that id.
        """
        from clearbar.route.keys import revoke

        self._refuse_another_day()
        return revoke(self.store, key_id, by=by, now=self._now)

    def keys(self) -> list[ListedKey]:
        """Return all keys ever issued, oldest first; never the keys themselves."""
        from clearbar.route.keys import listed

        return listed(self.store)

    def _team(self, name: str) -> Team:
        from clearbar.core.errors import UnknownName, nearest

        teams = {each.name: each for each in self.declared.teams}
        if name not in teams:
            way_out = nearest(name, teams)
            raise UnknownName(
                f'no team is called "{name}".{way_out}',
                "declare it with its workflows: [[team]] in clearbar.toml",
            )
        return teams[name]

    @cached_property
    def _declared_routing(self) -> DeclaredRouting:
        from clearbar.route.table import DeclaredRouting

        declared = self.declared
        return DeclaredRouting(
            declared.workflows,
            declared.tools,
            declared.gateway,
            declared.routes,
            declared.budgets,
            declared.teams,
            declared.policy.mode == "enforce",
        )

    def _certificates_in_force(self) -> dict[str, InForce]:
        """Return what certificates say of declared workflows; who is in use, only they tell."""
        from clearbar.trial.certifying.certificate import load
        from clearbar.trial.in_force import in_force

        workflows = {each.name for each in self.declared.workflows}
        tools = {tool.name: tool for tool in self.declared.tools}
        kept: dict[str, list[Certificate]] = {}
        for each in load(self.store):
            if each.identity.workflow in workflows and each.decided_at.date() <= self.as_of:
                kept.setdefault(each.identity.workflow, []).append(each)
        return {
            name: in_force(found, self._stale(found[-1]), (), tools) for name, found in kept.items()
        }


def _version(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file does; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
