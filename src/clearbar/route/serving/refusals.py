"""Why the gateway itself did not serve a request, in words that say who can change that. Pure."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

from clearbar.core.money import usd
from clearbar.route.route import Refusal
from clearbar.route.serving.inquiry import NANO

if TYPE_CHECKING:
    from clearbar.route.admit import Admitted
    from clearbar.route.budgets.allowance import Short
    from clearbar.route.http.upstream import Broken
    from clearbar.route.route import Route
    from clearbar.route.serving.breakers import Breakers


def bad_body(what: str) -> Refusal:
    """Refuse what cannot be read."""
    return Refusal("bad_body", 400, f"The body of the request cannot be read: {what}.")


def odd_path() -> Refusal:
    """Refuse a path that the gateway and the endpoint could read differently."""
    return Refusal(
        "odd_path", 400, "The path has parts that servers read in different ways: write it plainly."
    )


def closed_path() -> Refusal:
    """Refuse a path with what is behind which the gateway could be passed by."""
    return Refusal(
        "closed_path",
        403,
        "The gateway does not serve this path: what it hands out or governs would let a client pass"
        " the gateway by. Whoever owns the account at the provider can use it there.",
    )


def compressed() -> Refusal:
    """Refuse a body that would have to be unpacked before it can be read."""
    return Refusal(
        "compressed",
        415,
        "The body of the request is compressed: send it without content-encoding.",
    )


def over_budget(short: Short, route: Route) -> Refusal:
    """Refuse for want of money."""
    who = route.owner or "the workflow's owner"
    left = usd(Decimal(short.left_nusd) / NANO)
    limit = usd(Decimal(short.account.limit_nusd) / NANO)
    if short.draining:
        return Refusal(
            "draining",
            429,
            f"The budget {short.account.id} ({limit}) is nearly spent ({left} left): work that has"
            f" begun goes on, new work is refused. Ask {who} to raise it.",
        )
    return Refusal(
        "over_budget",
        429,
        f"The budget {short.account.id} ({limit}) has {left} left, which this request could exceed."
        f" Ask {who} to raise it, or send a smaller request or max_tokens.",
    )


def no_budget_store() -> Refusal:
    """Refuse while the store of budgets does not answer: nothing is spent that is not held."""
    return Refusal(
        "budget_store",
        503,
        "The store of budgets does not answer, so that no money can be held. Try again; whoever"
        " runs the gateway finds the reason in its log.",
        5,
    )


def hold_taken() -> Refusal:
    """Refuse an id that another key has given to a hold of its own."""
    return Refusal(
        "hold_taken", 409, "Another key holds money under this id: make an id that is new."
    )


def hold_ended(hold_id: str) -> Refusal:
    """Refuse to hold for a call again that is over: what was held for it is settled."""
    return Refusal(
        "hold_ended", 409, f"The hold {hold_id} has ended: give each call an id of its own."
    )


def too_many_holds() -> Refusal:
    """Refuse where nobody settles what is held."""
    return Refusal(
        "too_many_holds",
        503,
        "Too many holds are open: settle or release them when their calls have ended.",
        10,
    )


def unmetered() -> Refusal:
    """Refuse work whose cost no reply tells, where a budget is to hold."""
    return Refusal(
        "unmetered",
        403,
        "What this starts goes on after the reply, which does not tell its cost, so that no budget"
        " can hold it. Send single requests, or start it outside the gateway.",
    )


def lists_objects() -> Refusal:
    """Refuse to list what lies at the provider: it is of all workflows."""
    return Refusal(
        "lists_objects",
        403,
        "This lists what lies at the provider for all workflows that share its key. Ask for single"
        " objects by their ids, or list them outside the gateway. Where all workflows may see all,"
        " whoever runs the gateway can set shared_objects = true under [gateway].",
    )


def other_object(workflow: str) -> Refusal:
    """Refuse an object that another workflow made, or nobody is known to have made."""
    return Refusal(
        "other_object",
        403,
        f"The workflow {workflow} has not made this object through the gateway. Ask for it under"
        " the key of the workflow that made it. Where all workflows may use all objects, whoever"
        " runs the gateway can set shared_objects = true under [gateway].",
    )


def too_many_objects() -> Refusal:
    """Refuse what names more objects than can be looked at."""
    return Refusal("too_many_objects", 400, "The body names more than 1,000 objects: send fewer.")


def no_journal() -> Refusal:
    """Refuse while the journal has no room: nothing is asked that could not be written down."""
    return Refusal(
        "no_journal",
        503,
        "The disk of the gateway is full or fails, so that calls cannot be written down. Try again;"
        " whoever runs the gateway has to make room.",
        10,
    )


def gateway_failed() -> Refusal:
    """Refuse where the gateway itself is at fault."""
    return Refusal(
        "gateway_failed", 500, "The gateway failed to serve the request; its log says why."
    )


def no_upstream_key(tool: str, variable: str) -> Refusal:
    """Refuse where the gateway has no key for a tool."""
    return Refusal(
        "no_upstream_key",
        503,
        f'The gateway has no key for the tool "{tool}": whoever runs it has to set {variable} in'
        " its environment.",
    )


def not_available(admitted: Admitted, breakers: Breakers, now: float) -> Refusal:
    """Refuse where every tool of the route fails for now."""
    waits = [breakers.wait_s(step.tool, now) for step in admitted.steps]
    wait = max(1, math.ceil(min(waits, default=1)))
    names = ", ".join(dict.fromkeys(step.tool for step in admitted.steps))
    return Refusal(
        "not_available",
        503,
        f"No tool of this route answers at present ({names}). They are tried again in {wait} s.",
        wait,
    )


def no_answer(tool: str, broken: Broken) -> Refusal:
    """Refuse after the last try broke before an answer."""
    status = 504 if broken.kind == "timeout" else 502
    return Refusal("no_answer", status, f'The tool "{tool}" did not answer: {broken.what}.')


def broken_off(tool: str, broken: Broken) -> Refusal:
    """Say in a stream why it ends before its end."""
    return Refusal("broken_off", 502, f'The tool "{tool}" broke off its answer: {broken.what}.')


def tool_failed(tool: str, what: str) -> Refusal:
    """Refuse where a tool without an endpoint gave no answer."""
    return Refusal("no_answer", 502, f'The tool "{tool}" did not answer: {what}.')
