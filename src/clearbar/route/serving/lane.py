"""What the requests of one head for one model have in common: worked out once, ready to be used.

Most requests take one way: their key's route asks one tool, and nothing about it depends on chance,
on the body, or on who else asks. For these a lane holds all that the ordinary way would work out
again: the tool, its prices, and what stands around the few words that each call has of its own, in
the lines of the journal and in the heads. It lies in the memory of the head, under the table in
force, and ends with either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.route.http.heads import header_lines, status_line
from clearbar.route.serving.call import patience_of, settings_of
from clearbar.route.serving.call_lines import by_own_price
from clearbar.route.serving.costing import MOST_COST_NUSD
from clearbar.route.serving.headers import reply_headers
from clearbar.route.serving.inquiry import (
    LEAST_OUTPUT_TOKENS,
    Claim,
    Inquiry,
    as_sent,
    claim_of,
)
from clearbar.route.wire.likeness import Alike

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.route.admit import Admitted
    from clearbar.route.budgets.account import Account
    from clearbar.route.http.message import Request
    from clearbar.route.http.repeated_reply import ReplyHeaders
    from clearbar.route.prices import ToolPrices
    from clearbar.route.route import Caller
    from clearbar.route.serving.means import InForce
    from clearbar.route.wire.asked import Asked
    from clearbar.route.wire.metering import Metered
    from clearbar.tools.tool import Tool

_DAY_US: Final = 86_400_000_000
_MOST_HEADS: Final = 64
_MOST_LANES: Final = 16
_PLAIN_ARMS: Final = frozenset({"tool", "passed", "holdout"})


class Lane:
    """Of one head and one model, under one table. See the module."""

    __slots__ = (
        "_accounts",
        "_accounts_text",
        "_day",
        "_heads",
        "_line",
        "_owners",
        "_worst",
        "admitted",
        "alike",
        "belongs_to_work",
        "by_chance",
        "caller",
        "endpoint",
        "enforced",
        "force",
        "head",
        "holdout_share",
        "keeps_answers",
        "model",
        "operation",
        "passes_credentials",
        "patience",
        "prices",
        "renamed",
        "renamed_json",
        "settings",
        "tool",
    )

    def __init__(
        self, inquiry: Inquiry, admitted: Admitted, head: tuple[bytes, bytes], model: str
    ) -> None:
        """`head` is what `prepared_head` gives for the tool; `model` what the client asks for."""
        force, caller, step = inquiry.force, inquiry.caller, admitted.steps[0]
        tool = force.table.tools[step.tool]
        self.force: InForce = force
        self.operation = inquiry.operation
        self.keeps_answers = inquiry.operation.name == "responses"
        self.admitted = admitted
        self.alike = Alike()
        """What its streams have in common."""
        self.caller: Caller = caller
        """Of the first request: of the next ones, all but the trace."""
        self.enforced = inquiry.enforced
        self.passes_credentials = inquiry.passes_credentials
        route = admitted.route
        drawn = step.arm == "tool" and not _has_own_arm(caller)
        self.holdout_share = route.holdout_share if drawn else 0.0
        """The part of the requests that may go another way; of a task, all go one way."""
        self.by_chance = bool(self.holdout_share or admitted.shadow)
        """Whether chance decides about anything."""
        self.belongs_to_work = bool(caller.task or caller.run)
        self.tool: Tool = tool
        self.endpoint = force.endpoints[tool.name]
        self.model = tool.model or model
        """As asked of the tool."""
        self.renamed = tool.model if tool.model and tool.model != model else None
        self.renamed_json = msgspec.json.encode(self.model)
        self.settings: Mapping[str, object] = settings_of(tool, step.arm)
        self.prices: ToolPrices = force.prices.for_tool(tool, self.model)
        self._worst = self.prices.worst
        """What a plain request may cost, where one rule tells it."""
        self.patience = patience_of(force)
        before, behind = head
        self.head = before + b"00-", b"-00" + behind + b"\r\ncontent-length: "
        self._day = -1
        self._accounts: tuple[Account, ...] = ()
        self._accounts_text = ""
        self._owners: dict[str, str] = {}
        self._heads: dict[object, bytes] = {}
        self._line = self._around(step.arm)

    def _around(self, arm: str) -> tuple[str, str]:
        """Return what stands between the words of a `Held` line that each call has of its own."""
        caller, tool = self.caller, self.tool
        asked = _texts(arm, self.operation.name)
        to = _texts(
            caller.workflow,
            tool.name,
            self.endpoint.provider,
            self.model,
            caller.key,
            caller.team,
            caller.user,
            caller.task,
            caller.run,
            caller.environment,
            caller.labels,
        )
        return asked, to

    def accounts_at(self, at_us: int) -> tuple[Account, ...]:
        """Return the budgets' accounts of the caller at a time."""
        day = at_us // _DAY_US
        if day != self._day:
            self._day = day
            self._accounts = self.force.accounts.at_us(self.caller, at_us)
            self._accounts_text = msgspec.json.encode([each.id for each in self._accounts]).decode()
        return self._accounts

    def claim(self, asked: Asked) -> Claim:
        """Return what a call may cost, as `claim_of` does."""
        limit, worst, read = asked.max_tokens, self._worst, asked.input_tokens
        if self.settings or limit is None or worst is None or not asked.is_plain:
            sent = as_sent(self.operation, asked, self.settings) if self.settings else asked
            return claim_of(self.operation, sent, self.prices, self.force.table.settings)
        wanted = least = worst.nusd(read, limit)
        if limit > LEAST_OUTPUT_TOKENS:
            least = worst.nusd(read, LEAST_OUTPUT_TOKENS)
        return Claim(wanted, least, read, limit, 1, self.prices, is_limited=True)

    def cost_nusd(self, claim: Claim, metered: Metered, at_us: int) -> int | None:
        """Return what a whole answer cost; None where it is not one that is reported and priced."""
        usage, prices = metered.usage, claim.prices
        if usage is None or metered.failed or prices is None:
            return None
        if metered.model and metered.model != self.model:
            prices = self.force.prices.for_tool(self.tool, metered.model, self.model)
        served = metered.service_tier, metered.speed, metered.geo
        cost = prices.cost_nusd(usage, at_us, *served)
        return None if cost is None or cost > MOST_COST_NUSD else cost

    def inquiry(
        self,
        request: Request,
        asked: Asked,
        request_id: str,
        trace_id: str,
        at_us: int,
        started_s: float,
        *,
        begun: bool,
    ) -> Inquiry:
        """Return a request as the ordinary way would have understood it."""
        return Inquiry(
            request,
            self.operation,
            asked,
            self.caller._replace(trace_id=trace_id),
            self.force,
            self.enforced,
            request_id,
            self.accounts_at(at_us),
            begun,
            self.passes_credentials,
            at_us,
            started_s,
        )

    def held_line(
        self,
        call_id: str,
        at_us: int,
        request_id: str,
        trace_id: str,
        span_id: str,
        streamed: bool,  # noqa: FBT001 - by position: made for each request
        amount_nusd: int | None,
        input_tokens: int,
        output_tokens: int,
        worker: str,
    ) -> bytes:
        """Return the JSON of the `Held` of a call; `amount_nusd` None: nothing is held."""
        asked, to = self._line
        tail = self._owners.get(worker)
        if tail is None:
            declared = by_own_price(self.tool)
            tail = f",{_texts(worker)},true,{'true' if declared else 'false'}]"
            self._owners = {worker: tail}
        return (
            f'["H","{call_id}",{at_us},"{request_id}",1,{asked},'
            f'{"true" if streamed else "false"},{to},"{trace_id}","{span_id}","",'
            f"{'[]' if amount_nusd is None else self._accounts_text},{amount_nusd or 0},"
            f"{input_tokens},{output_tokens}{tail}"
        ).encode()

    def reply_lines(self, status: int, headers: ReplyHeaders) -> bytes:
        """Return the lines of a reply with a head that comes again, but for its id.

        Raises:
            UnfitHeader: when a header would break the head.
        """
        found = self._heads.get(headers.memory)
        if found is None:
            kept = reply_headers(headers, self.our_headers())
            found = status_line(status) + header_lines(kept) + b"\r\nx-clearbar-request-id: "
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[headers.memory] = found
        return found

    def our_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that say what was done with the request, but for its id."""
        return our_headers(self.caller.workflow, self.tool.name, self.admitted.advice)


def lane_of(inquiry: Inquiry, admitted: Admitted) -> Lane | None:
    """Return the lane for requests like this one; None where the next may go another way.

    It may where the answer decides about the tool, where the verdict lets only begun work pass,
    where all answers are captured, and where the head says to which trace it belongs.
    """
    asked, known, route = inquiry.asked, inquiry.known, admitted.route
    if asked is None or known is None or not admitted.steps:
        return None
    if (
        not inquiry.operation.spends
        or inquiry.operation.unmetered
        or route.capture is not None
        or route.cascade is not None
        or (inquiry.enforced and route.verdict != "fund")
    ):
        return None
    step = admitted.steps[0]
    endpoint = inquiry.force.endpoints.get(step.tool)
    head = known.prepared.get(step.tool)
    plain = step.arm in _PLAIN_ARMS and not inquiry.caller.parent_span_id
    if step.arm == "holdout" and not _has_own_arm(inquiry.caller):
        return None
    if endpoint is None or endpoint.missing_key or head is None or not plain:
        return None
    return Lane(inquiry, admitted, head, asked.model)


def _has_own_arm(caller: Caller) -> bool:
    """Return whether the part that a request plays is that of its task, and not drawn for it."""
    return bool(caller.task or caller.run or caller.user)


def remember_lane(inquiry: Inquiry, admitted: Admitted) -> None:
    """Remember for the head of a request, where its connection does, which way the next may go."""
    asked, known = inquiry.asked, inquiry.known
    if inquiry.request.memory is None or known is None or not admitted.steps:
        return
    if asked is None or asked.metadata or asked.user:
        return
    if known.lanes.get(asked.model) is not None or len(known.lanes) >= _MOST_LANES:
        return
    if admitted.steps[0].tool in known.prepared:
        known.operation = inquiry.operation
        if (lane := lane_of(inquiry, admitted)) is not None:
            known.lanes[asked.model] = lane


def our_headers(workflow: str, tool: str, advice: str) -> list[tuple[bytes, bytes]]:
    """Return the headers that say what was done with a request, but for its id."""
    ours = [(b"x-clearbar-workflow", workflow.encode()), (b"x-clearbar-tool", tool.encode())]
    if advice:
        ours.append((b"x-clearbar-advice", advice.encode("latin-1", "replace")))
    return ours


def _texts(*texts: str) -> str:
    """Return texts as JSON, commas between them."""
    return msgspec.json.encode(texts).decode()[1:-1]
