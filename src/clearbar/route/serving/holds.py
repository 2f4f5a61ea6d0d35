"""Money held for calls that somebody else makes, such as LiteLLM: over the admin API.

They are calls like any other: held, journalled, settled once. A hold that nobody settles ends as an
estimated charge after an hour, and one whose supervisor died when that is recovered.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.route.budgets.allowance import BudgetStoreError, Short
from clearbar.route.identity import identify
from clearbar.route.journal.charge_record import fault_in
from clearbar.route.journal.entry import Ended, Refused
from clearbar.route.operating.facts import HoldEnded, HoldGiven, HoldSettled, NotFoundError
from clearbar.route.route import Caller, Refusal
from clearbar.route.serving import refusals
from clearbar.route.serving.call_lines import held_of
from clearbar.route.serving.costing import MOST_COST_NUSD
from clearbar.route.serving.inquiry import NANO, claim_of
from clearbar.route.wire.operation import operation_of
from clearbar.route.wire.reading import Asked
from clearbar.tools.address import PROTOCOLS, provider_of

if TYPE_CHECKING:
    from clearbar.route.admit import Admitted
    from clearbar.route.budgets.account import Account
    from clearbar.route.budgets.allowance import Holding
    from clearbar.route.journal.entry import Held
    from clearbar.route.operating.facts import HoldWanted
    from clearbar.route.prices import ToolPrices
    from clearbar.route.serving.inquiry import Claim
    from clearbar.route.serving.means import InForce, Means
    from clearbar.tools.tool import Tool

EXPIRES_S: Final = 3600.0
_MOST: Final = 100_000
"""Of holds and ends that are remembered; the oldest ends are forgotten first."""


@dataclass(slots=True)
class _Open:
    held: Held
    claim: Claim
    holding: Holding | None
    key: str
    since_s: float
    """On the loop's clock: that of the wall may jump."""


class Holds:
    """The holds of a supervisor, by the ids that their callers made."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._asked: dict[str, tuple[str | None, asyncio.Future[HoldGiven | Refusal]]] = {}
        """Who asked, and for what; also while the answer is being found: the same id never holds
        twice."""
        self._ended: OrderedDict[str, tuple[str, HoldEnded]] = OrderedDict()

    def key_of(self, token: str) -> str | None:
        """Return the id of the gateway key that a token is; None for none that is in force."""
        found = self._means.in_force.keys.find(token.encode("utf-8", "replace"))
        return None if found is None else found.key_id

    async def hold(self, wanted: HoldWanted, key: str) -> HoldGiven | Refusal:
        """Hold money for a call; asking again with the same id gives the same answer.

        `key` is a gateway key; empty stands for the administrator, who has to name the workflow.
        """
        who = self.key_of(key) if key else ""
        known = self._asked.get(wanted.hold_id)
        if wanted.hold_id in self._ended:
            return refusals.hold_ended(wanted.hold_id)
        if known is None:
            if len(self._asked) >= _MOST:
                return refusals.too_many_holds()
            known = who, asyncio.ensure_future(self._given(wanted, key))
            self._asked[wanted.hold_id] = known
        elif known[0] != who:
            return refusals.hold_taken()
        asked, given = known[1], None
        try:
            given = await asyncio.shield(asked)
        finally:
            if asked.done() and not isinstance(given, HoldGiven):
                self._asked.pop(wanted.hold_id, None)
        return given

    async def settle(self, hold_id: str, settled: HoldSettled, key: str) -> HoldEnded:
        """Settle a hold to what was used; the first settling or release stands.

        Raises:
            NotFoundError: when there is no such hold, or it is another key's.
        """
        found = self._known(hold_id, key)
        return found if isinstance(found, HoldEnded) else self._end(hold_id, found, settled)

    async def release(self, hold_id: str, key: str) -> HoldEnded:
        """Give a hold back: the call was never made.

        Raises:
            NotFoundError: as `settle`.
        """
        return await self.settle(hold_id, HoldSettled(outcome="unsent"), key)

    def expire(self) -> None:
        """End the holds that nobody settled in time as estimated charges."""
        before = self._means.loop.time() - EXPIRES_S
        due = [name for name, each in self._open.items() if each.since_s < before]
        for name in due:
            self._end(name, self._open[name], HoldSettled(outcome="lost"))

    async def _given(self, wanted: HoldWanted, key: str) -> HoldGiven | Refusal:
        caller = self._caller(wanted, key)
        if isinstance(caller, Refusal):
            self._note(caller, wanted, None)
            return caller
        given = await self._held(wanted, caller)
        if isinstance(given, Refusal):
            self._note(given, wanted, caller)
        return given

    def _note(self, refusal: Refusal, wanted: HoldWanted, caller: Caller | None) -> None:
        """Write a refusal into the journal."""
        means = self._means
        if not means.journal.has_room:
            return
        who = () if caller is None else (caller.workflow, caller.key, caller.team, caller.user)
        told = (means.now_us(), wanted.hold_id, refusal.code, refusal.status, wanted.operation)
        means.journal.append(Refused(*told, *who))

    async def _held(self, wanted: HoldWanted, caller: Caller) -> HoldGiven | Refusal:
        means, force = self._means, self._means.in_force
        if not means.journal.has_room:
            return refusals.no_journal()
        operation = operation_of("POST", _PATHS[wanted.operation], ())
        asked = _asked(wanted)
        begun = means.allowance.has_begun(caller)
        admitted = force.admission.admit(caller, operation, asked, means.draw(), begun=begun)
        if isinstance(admitted, Refusal):
            return admitted
        tool = _called(force, admitted, wanted)
        prices = _prices(force, tool, tool.model or wanted.model)
        claim = claim_of(operation, asked, prices, force.table.settings)
        now_us = means.now_us()
        accounts = force.accounts.of(caller, datetime.fromtimestamp(now_us / 1_000_000, UTC))
        holding = None
        if accounts:
            found = await self._money(accounts, claim, admitted, begun=begun)
            if isinstance(found, Short):
                return refusals.over_budget(found, admitted.route)
            holding = found
        held = held_of(
            means,
            caller,
            tool,
            claim,
            holding,
            request_id=wanted.hold_id,
            operation=wanted.operation,
            stream=wanted.stream,
            provider=provider_of(tool),
            model=wanted.model,
        )
        try:
            means.journal.append(held)
        except BaseException:
            if holding is not None:
                means.allowance.release(holding)
            raise
        means.allowance.mark_begun(caller)
        self._open[wanted.hold_id] = _Open(held, claim, holding, caller.key, means.loop.time())
        amount = 0 if holding is None else holding.amount_nusd
        capped = amount > 0 and admitted.route.mode == "enforce"
        return HoldGiven(
            hold_id=wanted.hold_id,
            workflow=caller.workflow,
            held_usd=Decimal(amount) / NANO,
            max_output_tokens=claim.cap(amount) if capped else None,
            advice=admitted.advice,
        )

    async def _money(
        self, accounts: tuple[Account, ...], claim: Claim, admitted: Admitted, *, begun: bool
    ) -> Holding | Short:
        """Hold the money of a call; a route that does not enforce counts it whatever is left."""
        allowance, enforced = self._means.allowance, admitted.route.mode == "enforce"
        try:
            found = await allowance.hold(accounts, claim.wanted_nusd, claim.least_nusd, begun=begun)
        except BudgetStoreError:
            if enforced:
                raise
            return allowance.overdraw(accounts)
        if isinstance(found, Short) and not enforced:
            return allowance.overdraw(accounts)
        return found

    def _caller(self, wanted: HoldWanted, key: str) -> Caller | Refusal:
        """Return whom a hold belongs to, by the rules for requests."""
        means, force = self._means, self._means.in_force
        if key:
            words = ("workflow", "task", "run", "user", "environment")
            said = [
                (b"x-clearbar-" + word.encode(), value.encode())
                for word in words
                if (value := getattr(wanted, word))
            ]
            headers = [(b"x-clearbar-key", key.encode()), *said]
            found = identify(headers, {}, "", force.table, force.keys, means.ids)
            return found if isinstance(found, Refusal) else found.caller
        workflow = wanted.workflow or force.table.settings.default_workflow
        if workflow not in force.table.routes:
            return Refusal(
                "unknown_workflow",
                403,
                f'There is no workflow "{workflow}": declare it in clearbar.toml, or give a key.',
            )
        return Caller(
            workflow,
            "",
            wanted.team or force.table.routes[workflow].team,
            wanted.user,
            wanted.task,
            wanted.run,
            wanted.environment,
            trace_id=means.ids.trace_id(),
        )

    def _known(self, hold_id: str, key: str) -> _Open | HoldEnded:
        key_id = self.key_of(key) if key else ""
        ended, open_ = self._ended.get(hold_id), self._open.get(hold_id)
        if ended is not None and (not key or ended[0] == key_id):
            return ended[1]
        if open_ is not None and (not key or open_.key == key_id):
            return open_
        raise NotFoundError(f"there is no hold {hold_id} of this key")

    def _end(self, hold_id: str, open_: _Open, settled: HoldSettled) -> HoldEnded:
        means = self._means
        now_us = means.now_us()
        if fault_in(settled.usage):
            settled = msgspec.structs.replace(settled, usage={})
        cost, priced = self._cost(open_, settled)
        if cost > MOST_COST_NUSD:
            settled = msgspec.structs.replace(settled, usage={})
            cost, priced = self._cost(open_, settled)
        ended_line = Ended(
            open_.held.call_id,
            now_us,
            settled.outcome,
            settled.status,
            dict(settled.usage),
            "reported" if settled.usage else "none",
            cost,
            priced,
            settled.model,
            settled.upstream_id,
            settled.service_tier,
            stop_reason=settled.stop_reason,
            first_byte_ms=settled.first_byte_ms,
            latency_ms=settled.latency_ms,
        )
        means.journal.append(ended_line)
        if open_.holding is not None:
            means.allowance.settle(open_.holding, cost)
        del self._open[hold_id]
        self._asked.pop(hold_id, None)
        ended = HoldEnded(
            hold_id=hold_id,
            outcome=settled.outcome,
            cost_usd=Decimal(cost) / NANO,
            priced=priced,
        )
        self._ended[hold_id] = open_.key, ended
        while len(self._ended) > _MOST:
            self._ended.popitem(last=False)
        return ended

    def _cost(self, open_: _Open, settled: HoldSettled) -> tuple[int, bool]:
        """Return what a call cost; what was sent and cannot be priced costs what was held."""
        held, force = open_.held, self._means.in_force
        if settled.outcome == "unsent" or (settled.outcome == "error" and not settled.usage):
            return 0, True
        unknown = held.amount_nusd or min(open_.claim.wanted_nusd, MOST_COST_NUSD)
        if not settled.usage:
            return unknown, open_.claim.prices is not None
        tool, cost = force.table.tools.get(held.tool), None
        if tool is not None:
            prices = _prices(force, tool, settled.model or held.model, held.model)
            if prices is not None:
                cost = prices.cost_nusd(settled.usage, held.at_us, settled.service_tier, "", "")
        return (unknown, False) if cost is None else (cost, True)


def _called(force: InForce, admitted: Admitted, wanted: HoldWanted) -> Tool:
    """Return the tool that is called: the one of the model, whatever the route would ask.

    The caller has chosen a model, and will ask that one: it is what has to be paid.
    """
    tools, upstreams = force.table.tools, force.table.settings.upstreams
    routed = tools[admitted.steps[0].tool]
    spoken = [each for each in tools.values() if each.kind == wanted.protocol]
    for tool in (routed, *spoken):
        if tool.kind in PROTOCOLS and wanted.model in (tool.name, tool.model):
            return tool
    return next((each for each in spoken if each.name in upstreams), routed)


def _prices(force: InForce, tool: Tool, model: str, asked: str = "") -> ToolPrices | None:
    """Return the prices of a call; None where no tool is known for its model."""
    return force.prices.for_tool(tool, model, asked) if tool.kind in PROTOCOLS else None


def _asked(wanted: HoldWanted) -> Asked:
    return Asked(
        model=wanted.model,
        stream=wanted.stream,
        max_tokens=wanted.max_output_tokens,
        choices=wanted.choices,
        service_tier=wanted.service_tier,
        input_tokens=wanted.input_tokens,
    )


_PATHS: Final = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "responses": "/v1/responses",
    "embeddings": "/v1/embeddings",
    "messages": "/v1/messages",
}
