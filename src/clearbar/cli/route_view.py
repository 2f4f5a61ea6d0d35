"""Routes and keys on a terminal: words before colours; narrow ones suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.cli.trial_view import print_labelled, print_wrapped
from clearbar.core.money import usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from clearbar.route.declared_route import DeclaredGateway
    from clearbar.route.keys import ListedKey
    from clearbar.route.route import Budget, Mode, Route, RouteTable

_STYLE: Final[dict[Mode, str]] = {"advise": "", "shadow": "yellow", "enforce": "bold green"}
_MEANS: Final[dict[Mode, str]] = {
    "advise": "ADVISE: requests go where they ask to; advice stands in a header of the answer.",
    "shadow": "SHADOW: requests go where they ask to, and copies of some to the tool that won.",
    "enforce": "ENFORCE: verdicts, tools and budgets hold.",
}
_START: Final = """\
Next: say in clearbar.toml where requests go that no route sends elsewhere, make a key, start it:
  [gateway]
  openai = { key_env = "OPENAI_API_KEY" }
  anthropic = { key_env = "ANTHROPIC_API_KEY" }
  clearbar route key create WORKFLOW --by WHO
  clearbar route serve"""


def print_routes(console: Console, routes: Sequence[Route]) -> None:
    """Print each route with why it is so."""
    if not routes:
        print_wrapped(
            console, "No workflow is declared, so there is no route: add a [[workflow]] first."
        )
    for route in routes:
        for number, (word, text) in enumerate(_rows(route)):
            print_labelled(console, word, text, _STYLE[route.mode] if not number else "dim")
        console.print()
    for mode, text in _MEANS.items():
        if any(route.mode == mode for route in routes):
            print_wrapped(console, text)


def print_gateway(console: Console, table: RouteTable, gateway: DeclaredGateway) -> None:
    """Print where the gateway listens and what pays; or what to do where there is none."""
    for text in _budgets(table.budgets):
        print_labelled(console, "budget", text)
    settings = table.settings
    if gateway.line is None:
        print_wrapped(console, "No gateway is declared, so nothing is routed yet.", "bold yellow")
        for line in _START.splitlines():
            indent = " " * (len(line) - len(line.lstrip()))
            print_wrapped(console, line.strip(), first=indent, rest=f"{indent}  ")
        return
    print_labelled(
        console,
        "gateway",
        f"clients at {settings.host}:{settings.port}, operators at {settings.admin_port},"
        f" {settings.workers} worker{'' if settings.workers == 1 else 's'}",
    )
    print_labelled(console, "upstreams", ", ".join(settings.upstreams) or "none")
    keys = len(table.keys)
    hint = "" if keys else ": clearbar route key create WORKFLOW --by WHO"
    print_labelled(console, "keys", f"{keys} in force{hint}")


def print_keys(console: Console, keys: Sequence[ListedKey]) -> None:
    """Print each key with whose it is, and when and by whom it was issued and revoked."""
    if not keys:
        print_wrapped(
            console, "No key was ever issued: clearbar route key create WORKFLOW --by WHO"
        )
    for each in keys:
        key = each.key
        whose = f"workflow {key.workflow}" if key.workflow else f"team {key.team}"
        said = [whose, *(text for text in (key.name, key.environment) if text)]
        style = "dim" if each.revoked_at else "bold"
        print_labelled(console, key.key_id, ", ".join(said), style)
        print_labelled(console, "", f"issued {each.issued_at[:10]} by {each.issued_by}")
        if each.last_used_at is not None:
            print_labelled(console, "", f"last used {each.last_used_at[:16].replace('T', ' ')} UTC")
        if each.revoked_at is not None:
            print_labelled(console, "", f"REVOKED {each.revoked_at[:10]} by {each.revoked_by}")


def _rows(route: Route) -> Iterator[tuple[str, str]]:
    yield route.mode.upper(), f"{route.workflow}: {_where(route)}"
    for sentence in route.why:
        yield "", sentence
    if route.allowed:
        yield "", f"Clients may choose among {', '.join(route.allowed)}."
    if (kept := route.capture) is not None:
        protected = "" if kept.protect == "plain" else f", {kept.protect}"
        yield "", f"{kept.share:.0%} of requests are kept for {kept.days} days{protected}."
    if route.verdict != "fund" and route.next_step:
        yield "next", route.next_step
    team = f", team {route.team}" if route.team else ""
    yield "owner", f"{route.owner or 'nobody'}{team}; data {route.data_class}"


def _where(route: Route) -> str:
    """Return where requests go, in a few words."""
    if route.mode == "enforce" and route.verdict != "fund":
        return "refused" if route.verdict == "kill" else "refused, but for work that has begun"
    asked = "the model that is asked for"
    if route.mode == "enforce":
        first = route.tool or asked
        return ", then ".join([first, *route.fallbacks])
    if route.mode == "shadow" and route.tool and route.cascade is None and route.shadow_share:
        return f"{asked}; copies of {100 * route.shadow_share:.3g}% to {route.tool}"
    return asked if route.tool is None else f"{asked}; advice: {route.tool}"


def _budgets(budgets: Sequence[Budget]) -> Iterator[str]:
    for each in budgets:
        whose = {"": "", "*": "each "}.get(each.name, "")
        name = "" if each.name in ("", "*") else f" {each.name}"
        time = "over its life" if each.per == "run" else f"a {each.per}"
        drains = "" if each.drain_at is None else f", nothing new from {each.drain_at:.0%}"
        yield f"{whose}{each.scope}{name}: {usd(each.usd)} {time}{drains}"
