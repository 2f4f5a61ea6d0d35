"""Declarations, verdicts, certificates and alarms -> the routes in force, each with why. Pure.

The tool in force is the declared one, else the cheapest that is certified; after an alarm, the old
one. A tool that may not be given a workflow's data is in no place of its route.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from clearbar.route import route_words as words
from clearbar.route.declared_route import DeclaredGateway, DeclaredRoute
from clearbar.route.protocols import asked_by, outside
from clearbar.route.route import Budget, Cascade, Route, RouteTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from clearbar.own.workflow import Workflow
    from clearbar.route.declared_route import Team
    from clearbar.route.route import Alarm, GatewayKey, Mode
    from clearbar.route.standing import Standing
    from clearbar.tools.tool import Tool
    from clearbar.trial.in_force import InForce


@dataclass(frozen=True, slots=True)
class DeclaredRouting:
    """What clearbar.toml says of all that routes depend on."""

    workflows: Sequence[Workflow]
    tools: Sequence[Tool] = ()
    gateway: DeclaredGateway = DeclaredGateway()  # noqa: RUF009 - frozen
    routes: Sequence[DeclaredRoute] = ()
    budgets: Sequence[Budget] = ()
    teams: Sequence[Team] = ()
    enforced: bool = False
    """Whether the policy's mode is `enforce`."""


@dataclass(frozen=True, slots=True)
class Known:
    """What happened that routes depend on, each by workflow."""

    as_of: date
    standing: Mapping[str, Standing] = field(default_factory=dict)
    certificates: Mapping[str, InForce] = field(default_factory=dict)
    alarms: Mapping[str, Alarm] = field(default_factory=dict)


def routes_in_force(
    declared: DeclaredRouting,
    known: Known,
    keys: Mapping[str, GatewayKey],
    made_at: datetime,
    before: RouteTable | None = None,
) -> RouteTable:
    """Return the table of routes; `before` itself, where nothing has changed since."""
    listed = {each.name: each for each in (*declared.gateway.upstreams, *declared.tools)}
    plans = {each.workflow: each for each in declared.routes}
    teams = {workflow: team.name for team in declared.teams for workflow in team.workflows}
    mode: Mode = "enforce" if declared.enforced else "advise"
    routes = {
        each.name: _Making(
            each, plans.get(each.name, DeclaredRoute(each.name)), listed, known
        ).route(mode, teams.get(each.name, ""))
        for each in declared.workflows
    }
    made = RouteTable(
        generation=1 if before is None else before.generation,
        made_at=made_at if before is None else before.made_at,
        routes=routes,
        tools=listed,
        keys=dict(keys),
        budgets=_budgets(declared),
        settings=declared.gateway.settings,
    )
    if before is None:
        return made
    if made == before:
        return before
    return replace(made, generation=before.generation + 1, made_at=made_at)


def _budgets(declared: DeclaredRouting) -> tuple[Budget, ...]:
    """Return all budgets: those of one thing before those that each of a scope has."""
    of_workflows = [
        Budget("workflow", each.name, each.budget_usd_month, line=each.line)
        for each in declared.workflows
        if each.budget_usd_month is not None
    ]
    return tuple(sorted([*declared.budgets, *of_workflows], key=lambda each: each.name == "*"))


class _Making:
    """A route in the making: one workflow, what is known of it, and why so far."""

    def __init__(
        self, workflow: Workflow, plan: DeclaredRoute, tools: Mapping[str, Tool], known: Known
    ) -> None:
        self.workflow, self.plan, self.tools = workflow, plan, tools
        self.as_of = known.as_of
        self.standing = known.standing.get(workflow.name)
        self.known = known.certificates.get(workflow.name)
        self.alarm = known.alarms.get(workflow.name)
        self.why: list[str] = []

    def route(self, mode: Mode, team: str) -> Route:
        """Return the route."""
        workflow, plan, standing = self.workflow, self.plan, self.standing
        mode = plan.mode or mode
        self._say(words.verdict_why(standing, workflow.name, self.as_of))
        certified = self._certified()
        old = self._old_tool()
        tool = self._in_force(certified, old)
        alarmed = self._alarmed(tool)
        if alarmed is not None:
            tool = None if old == alarmed.tool else old
            self._say(words.alarm_why(alarmed, tool))
        cascade = None if tool is None else self._cascade(tool)
        fallbacks = self._fallbacks(tool, certified, old, alarmed)
        measured = tool is not None and alarmed is None and tool != old
        if mode == "enforce" and tool is not None:
            self._say(words.protocol_why(tool, self.tools, asked_by(self.tools[tool])))
            if measured and plan.holdout_share:
                self._say(words.holdout_why(plan.holdout_share, old))
        return Route(
            workflow=workflow.name,
            mode=mode,
            verdict="fund" if standing is None else standing.decision,
            owner=workflow.owner,
            next_step=(standing.next_step if standing else "") or workflow.next_step or "",
            lapses_on=None if standing is None else standing.lapses_on,
            data_class=workflow.data_class,
            tool=tool,
            fallbacks=fallbacks,
            cascade=cascade,
            old_tool=old,
            holdout_share=plan.holdout_share if measured else 0.0,
            shadow_share=plan.shadow_share if measured else 0.0,
            allowed=plan.tools,
            capture=plan.capture,
            why=tuple(self.why),
            line=plan.line or workflow.line,
            team=team,
        )

    def _certified(self) -> list[str]:
        """Return the certified tools that can be in force, cheapest first."""
        if self.known is None or self.known.stale:
            return []
        return [each.name for each in self.known.certified if self._fits(each.name)]

    def _fits(self, name: str) -> bool:
        """Return whether a certified tool can be in force; say why not."""
        if name not in self.tools or not self._permitted(name):
            return False
        if self.tools[name].kind == "cascade" and self._threshold(name) is None:
            self._say(words.no_threshold_why(name))
            return False
        return True

    def _permitted(self, name: str) -> bool:
        """Return whether a tool may be given the workflow's data; say why not."""
        part = outside(name, self.workflow.data_class, self.tools)
        if part is None:
            return True
        if part in self.tools:
            self._say(words.outside_why(name, self.tools[part], self.workflow))
        return False

    def _old_tool(self) -> str | None:
        """Return the tool before: as declared, else as a certificate that holds knows it."""
        name = self.plan.old_tool
        if name is None and self.known is not None and not self.known.stale:
            used = self.known.tool_in_use
            name = self.known.certificate.incumbent or (None if used is None else used.name)
        if name is None or name not in self.tools or self.tools[name].kind == "cascade":
            return None
        return name if self._permitted(name) else None

    def _in_force(self, certified: Sequence[str], old: str | None) -> str | None:
        declared = self.plan.tool
        if declared is not None and declared in self.tools and self._permitted(declared):
            self._say(words.declared_why(declared, self.plan.line, self.known))
            tool = declared
        elif not certified or self.known is None:
            self._say(words.certificate_why(self.known, self.workflow.name))
            return None
        else:
            tool = certified[0]
            self._say(words.winner_why(self.known.certificate, tool))
        if self.known is not None and not self.known.stale:
            self._say(words.price_why(self.known.certificate, tool, old))
        return tool

    def _alarmed(self, tool: str | None) -> Alarm | None:
        """Return the alarm on the tool in force; a newer certificate ends it."""
        alarm = self.alarm
        if alarm is None or alarm.tool != tool:
            return None
        newer = self.known is not None and self.known.certificate.decided_at > alarm.at
        return None if newer else alarm

    def _threshold(self, name: str) -> float | None:
        finding = None if self.known is None else self.known.certificate.finding_of.get(name)
        return None if finding is None else finding.threshold

    def _cascade(self, name: str) -> Cascade | None:
        tool, threshold = self.tools[name], self._threshold(name)
        if tool.kind != "cascade" or tool.first is None or tool.then is None or threshold is None:
            return None
        self._say(words.cascade_why(name, tool.first, tool.then, threshold))
        return Cascade(tool.first, tool.then, threshold, tool.agree_with)

    def _fallbacks(
        self, tool: str | None, certified: Sequence[str], old: str | None, alarmed: Alarm | None
    ) -> tuple[str, ...]:
        """Return the declared ones, else the other certified tools and the old one."""
        names: Iterable[str] = self.plan.fallbacks or ()
        if self.plan.fallbacks is None and tool is not None:
            names = [*certified, *([old] if old else [])]
        never = {tool, None if alarmed is None else alarmed.tool}
        if tool is not None and self.tools[tool].kind == "cascade":
            never |= set(asked_by(self.tools[tool]))
        return tuple(
            name
            for name in dict.fromkeys(names)
            if name in self.tools
            and name not in never
            and self.tools[name].kind != "cascade"
            and self._permitted(name)
        )

    def _say(self, *sentences: str) -> None:
        """Add to why what is not said yet."""
        self.why += [each for each in sentences if each and each not in self.why]
