"""Whether a request is served, and by which tools in which order. Pure.

Only `enforce` refuses for a verdict and sends a request elsewhere than its client asked. What a
workflow's data may not be given to is left out in every mode, whatever stands in for what.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.core.toml_table import shown
from clearbar.route.protocols import permits, serves
from clearbar.route.route import Refusal
from clearbar.tools.address import PROTOCOLS

if TYPE_CHECKING:
    from clearbar.route.route import Arm, Caller, Route, RouteTable
    from clearbar.route.wire.operation import Operation
    from clearbar.route.wire.reading import Asked
    from clearbar.tools.address import Protocol

_MAX_ADVICE: Final = 300
_NAMED: Final = 8
"""Names that a refusal lists at most."""
_WHOLE: Final = 1 << 64
_PROTOCOL_OF: Final[dict[Protocol, str]] = {"openai": "OpenAI's", "anthropic": "Anthropic's"}


class Step(NamedTuple):
    """A tool to ask, and which part its call plays."""

    tool: str
    arm: Arm


class Admitted(NamedTuple):
    """A request that is served."""

    route: Route
    steps: tuple[Step, ...]
    """First, then fallbacks in order; of a cascade `first`, those whose agreement is asked, `then`.
    All may be given the data. Empty only for a list of models that no upstream gives."""
    advice: str = ""
    """For the header x-clearbar-advice: printable ASCII; empty for none."""
    shadow: str = ""
    """The tool of which a copy may be asked, at the route's rate; empty for none."""


class Admission:
    """A table of routes as requests need it: what does not depend on them is worked out once."""

    __slots__ = ("_advice", "_in_force", "_kept", "_named", "_upstreams", "table")

    def __init__(self, table: RouteTable) -> None:
        self.table = table
        self._named = _tools_named(table)
        self._upstreams = {
            protocol: name
            for name in table.settings.upstreams
            for protocol in PROTOCOLS
            if name in table.tools and serves(table.tools[name], protocol, table.tools)
        }
        routes = table.routes.values()
        self._advice = {each.workflow: _advice(each) for each in routes if each.mode == "advise"}
        self._in_force: dict[tuple[str, Protocol], tuple[Step, ...] | Refusal] = {}
        self._kept: dict[tuple[str, Protocol], tuple[Step, ...]] = {}
        for route in routes:
            if route.tool is not None and route.mode == "enforce":
                for protocol in PROTOCOLS:
                    self._in_force[route.workflow, protocol] = self._lane(route, protocol)
                    self._kept[route.workflow, protocol] = self._holdout(route, protocol)

    def admit(
        self,
        caller: Caller,
        operation: Operation,
        asked: Asked | None,
        draw: float,
        *,
        begun: bool = False,
    ) -> Admitted | Refusal:
        """Return what is done with a request, or why nothing is.

        `draw` is a random number in [0, 1): it tells who stays on the old tool where the request
        names no task, run or user. `begun`: its task or run has been charged before.
        """
        route = self.table.routes.get(caller.workflow)
        if route is None:
            return _undeclared(caller.workflow)
        enforced = route.mode == "enforce"
        if enforced and route.verdict != "fund" and not (begun and route.verdict == "pause"):
            return _refused(route)
        if operation.name == "models":
            return self._listing(route, operation)
        model = "" if asked is None else asked.model
        if enforced and route.tool is not None and operation.answers:
            return self._routed(route, caller, operation, model, draw)
        return self._passed(route, operation, model)

    def _listing(self, route: Route, operation: Operation) -> Admitted:
        upstream = self._upstreams.get(operation.protocol)
        if upstream is None or not self._permits(route, upstream):
            return Admitted(route, ())
        return Admitted(route, (Step(upstream, "passed"),))

    def _passed(self, route: Route, operation: Operation, model: str) -> Admitted | Refusal:
        """Let a request go where it asks to."""
        chosen = self._chosen(route, operation, model)
        if isinstance(chosen, Refusal):
            return chosen
        step = Step(chosen, "passed")
        if not operation.answers:
            return Admitted(route, (step,))
        if route.mode == "enforce":
            more = self._fallbacks(route, operation.protocol, {chosen})
            return Admitted(route, (step, *more))
        shadow = self._shadowed(route, operation, chosen)
        return Admitted(route, (step,), self._advice_for(route, chosen), shadow)

    def _routed(
        self, route: Route, caller: Caller, operation: Operation, model: str, draw: float
    ) -> Admitted | Refusal:
        key = route.workflow, operation.protocol
        lane = self._in_force[key]
        if isinstance(lane, Refusal):
            return lane
        share = route.holdout_share
        if share and arm_draw(caller, draw) < share:
            if route.old_tool is not None:
                if kept := self._kept[key]:
                    return Admitted(route, kept)
            elif not isinstance(chosen := self._chosen(route, operation, model), Refusal):
                return Admitted(route, (Step(chosen, "holdout"), *_after(lane, {chosen})))
        old = route.old_tool
        shadows = route.shadow_share > 0 and bool(self._kept[key]) and old != route.tool
        return Admitted(route, lane, shadow=(old or "") if shadows else "")

    def _chosen(self, route: Route, operation: Operation, model: str) -> str | Refusal:
        """Return the tool that a client means by a model's name: a tool's, else the upstream."""
        tools = self.table.tools
        named = self._named.get((operation.protocol, model), ())
        upstream = self._upstreams.get(operation.protocol)
        found: list[str] = [
            name
            for name in (*named, *(() if upstream is None else (upstream,)))
            if (not route.allowed or name in route.allowed)
            and (operation.answers or tools[name].kind in PROTOCOLS)
        ]
        permitted = [name for name in found if self._permits(route, name)]
        if permitted:
            return permitted[0]
        if found:
            return _outside(route, found[0])
        return self._unknown(route, operation, model)

    def _lane(self, route: Route, protocol: Protocol) -> tuple[Step, ...] | Refusal:
        """Return the steps where the tool in force is asked, or why it cannot be."""
        name, cascade = route.tool or "", route.cascade
        if name not in self.table.tools:
            return _gone(route, name)
        if not self._permits(route, name):
            return _outside(route, name)
        if not serves(self.table.tools[name], protocol, self.table.tools):
            return _other_protocol(route, name, protocol)
        if cascade is None:
            return (Step(name, "tool"), *self._fallbacks(route, protocol, {name}))
        asked = (
            Step(cascade.first, "first"),
            *(Step(each, "agree") for each in cascade.agree_with),
            Step(cascade.then, "then"),
        )
        return (*asked, *self._fallbacks(route, protocol, {step.tool for step in asked}))

    def _holdout(self, route: Route, protocol: Protocol) -> tuple[Step, ...]:
        """Return the steps where a request stays on the old tool; none where it cannot."""
        old, lane = route.old_tool, self._in_force[route.workflow, protocol]
        if old is None or old not in self.table.tools or isinstance(lane, Refusal):
            return ()
        if not self._permits(route, old):
            return ()
        if not serves(self.table.tools[old], protocol, self.table.tools):
            return ()
        return (Step(old, "holdout"), *_after(lane, {old}))

    def _fallbacks(self, route: Route, protocol: Protocol, before: set[str]) -> tuple[Step, ...]:
        tools = self.table.tools
        return tuple(
            Step(name, "fallback")
            for name in route.fallbacks
            if name in tools
            and name not in before
            and self._permits(route, name)
            and serves(tools[name], protocol, tools)
        )

    def _shadowed(self, route: Route, operation: Operation, chosen: str) -> str:
        """Return the winner, where a route only shadows and another tool is in use."""
        tool, tools = route.tool, self.table.tools
        if route.mode != "shadow" or not route.shadow_share or tool is None or tool == chosen:
            return ""
        if tool not in tools or route.cascade is not None or not self._permits(route, tool):
            return ""
        return tool if serves(tools[tool], operation.protocol, tools) else ""

    def _advice_for(self, route: Route, chosen: str) -> str:
        if route.mode != "advise":
            return ""
        alone, with_tool = self._advice[route.workflow]
        return alone if chosen == route.tool else with_tool

    def _permits(self, route: Route, name: str) -> bool:
        return permits(name, route.data_class, self.table.tools)

    def _unknown(self, route: Route, operation: Operation, model: str) -> Refusal:
        protocol = _PROTOCOL_OF[operation.protocol]
        if not model:
            return Refusal(
                "no_upstream",
                404,
                f"No default upstream for {protocol} protocol serves {route.workflow}: declare one"
                " under [gateway] in clearbar.toml.",
            )
        served = sorted(
            {
                name
                for (spoken, name), tools in self._named.items()
                if spoken == operation.protocol
                and any(not route.allowed or each in route.allowed for each in tools)
            }
        )
        more = "" if len(served) <= _NAMED else f" and {len(served) - _NAMED} more"
        known = f"known are {', '.join(served[:_NAMED])}{more}" if served else "none is known"
        return Refusal(
            "unknown_model",
            404,
            f"The workflow {route.workflow} has no tool for the model {shown(model)} in {protocol}"
            f" protocol; {known}. Declare a [[tool]], or an upstream under [gateway].",
        )


def arm_draw(caller: Caller, draw: float) -> float:
    """Return a number in [0, 1): the same for all requests of a task, else of a run or a user.

    So a conversation stays on one tool. Requests that name none of these take `draw`.
    """
    who = caller.task or caller.run or caller.user
    if not who:
        return draw
    text = f"{caller.workflow}\n{who}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) / _WHOLE


def _tools_named(table: RouteTable) -> dict[tuple[Protocol, str], tuple[str, ...]]:
    """Return the tools that a client means by a name, in each protocol: a tool's or a model's.

    A cascade is no model: it is asked where it is in force.
    """
    found: dict[tuple[Protocol, str], tuple[str, ...]] = {}
    tools = [each for each in table.tools.values() if each.kind != "cascade"]
    for tool in tools:
        if tool.name in table.settings.upstreams:
            continue
        for protocol in PROTOCOLS:
            if serves(tool, protocol, table.tools):
                for name in {tool.name, tool.model or tool.name}:
                    found[protocol, name] = (*found.get((protocol, name), ()), tool.name)
    return found


def _after(lane: tuple[Step, ...], before: set[str]) -> tuple[Step, ...]:
    """Return the tools of a lane as fallbacks; of a cascade the one that it asks last."""
    names = (step.tool for step in lane if step.arm in ("tool", "then", "fallback"))
    return tuple(Step(name, "fallback") for name in names if name not in before)


def _advice(route: Route) -> tuple[str, str]:
    """Return the advice on a route: where its tool is asked anyway, and where another one is."""
    said = []
    if route.verdict != "fund":
        said.append(f"verdict={route.verdict}")
        if route.next_step:
            said.append(f"next={route.next_step}")
    tool = [f"tool={route.tool}"] if route.tool else []
    return _ascii("; ".join(said)), _ascii("; ".join([*tool, *said]))


def _ascii(text: str) -> str:
    plain = "".join(each if " " <= each <= "~" else "?" for each in text)
    return plain if len(plain) <= _MAX_ADVICE else f"{plain[: _MAX_ADVICE - 3]}..."


def _refused(route: Route) -> Refusal:
    word = {"kill": "killed", "pause": "paused"}.get(route.verdict, route.verdict)
    owner = route.owner or "nobody: it declares none"
    step = f" Next step: {route.next_step.rstrip('.')}." if route.next_step else ""
    drains = " Tasks and runs that have begun may end." if word == "paused" else ""
    return Refusal(
        word,
        403,
        f"The workflow {route.workflow} is {word}.{drains} Its owner is {owner}.{step} Who may"
        f" decide otherwise: clearbar gate override {route.workflow} fund.",
    )


def _undeclared(workflow: str) -> Refusal:
    return Refusal(
        "unknown_workflow",
        403,
        f"The workflow {workflow} is not declared: declare it in clearbar.toml.",
    )


def _outside(route: Route, name: str) -> Refusal:
    return Refusal(
        "data_class",
        403,
        f"{name} may not be given the {route.data_class} data of {route.workflow}: ask another"
        " model, or correct `data_class` of the tool or the workflow in clearbar.toml.",
    )


def _gone(route: Route, name: str) -> Refusal:
    return Refusal(
        "no_tool",
        503,
        f"The tool in force for {route.workflow}, {name}, is not declared any more: declare it in"
        " clearbar.toml, or run the trial again.",
    )


def _other_protocol(route: Route, name: str, protocol: Protocol) -> Refusal:
    return Refusal(
        "protocol",
        400,
        f"The tool in force for {route.workflow}, {name}, does not speak {_PROTOCOL_OF[protocol]}"
        " protocol, and requests are not translated: use a client of its protocol, or declare"
        f" another `tool` in the [[route]] of {route.workflow}.",
    )
