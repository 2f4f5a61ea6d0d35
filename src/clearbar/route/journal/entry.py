"""The lines of the journal. A call is a `Held` before its request leaves, and an `Ended` after.

One without an `Ended` was in flight when its worker died. Positions in the arrays are part of the
format: fields are only ever appended, with defaults.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from clearbar.route.route import Arm  # noqa: TC001 - msgspec reads the annotations

Outcome = Literal["ok", "error", "cut", "lost", "unsent"]
"""ok: a whole answer; error: the upstream refused or failed, whole; cut: it broke off, or the
client left, after the upstream had the request; lost: the worker died; unsent: it never left."""
Known = Literal["reported", "estimated", "none"]


class Held(msgspec.Struct, array_like=True, tag="H", frozen=True, gc=False):
    """A call about to be made, with the money that is held for it."""

    call_id: str
    """Unique over workers and machines; sorts by time."""
    at_us: int
    request_id: str
    """Shared by all calls that one client's request led to; the client sees it as a header."""
    attempt: int
    """1, 2, ... within the request."""
    arm: Arm
    operation: str
    """`wire.operation.Operation.name`."""
    stream: bool
    workflow: str
    tool: str
    provider: str
    model: str
    """As asked of the upstream."""
    key: str
    team: str
    user: str
    task: str
    run: str
    environment: str
    labels: str
    trace_id: str
    span_id: str
    """Of this call."""
    parent_span_id: str
    accounts: tuple[str, ...]
    """Ids of the budget accounts that it is paid from."""
    amount_nusd: int
    """Held in each of them: nano-dollars, at least what the call can cost."""
    input_tokens: int = 0
    """Estimated, from the bytes: what an estimated charge is made of."""
    output_tokens: int = 0
    """The most that it may answer with; 0 where it answers with none."""
    worker: str = ""
    """Under whose name the money is held: `FAMILY~LIFE` once the worker has begun another life in
    the store of budgets."""
    sampled: bool = True
    """Whether its span is sent on: what the trace context that came in says; True without one."""
    declared: bool = False
    """Whether its price is one that the workspace declares of the tool, not the book's."""


def family_of(worker: str) -> str:
    """Return the name of a worker's journal and process, whichever its life in the store."""
    return worker.partition("~")[0]


class Ended(msgspec.Struct, array_like=True, tag="E", frozen=True, gc=False):
    """How a call ended."""

    call_id: str
    at_us: int
    outcome: Outcome
    status: int
    """HTTP status of the upstream; 0 for none."""
    usage: dict[str, int]
    """Meters of `spend.charge` that were reported or estimated; disjoint."""
    known: Known
    """Whether `usage` was reported, estimated, or is not there."""
    cost_nusd: int
    """Taken from the accounts: nano-dollars, rounded up."""
    priced: bool
    """False: no price was known, `cost_nusd` is what had been held."""
    model: str = ""
    """As reported."""
    upstream_id: str = ""
    service_tier: str = ""
    speed: str = ""
    geo: str = ""
    stop_reason: str = ""
    first_byte_ms: int = 0
    latency_ms: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    what: str = ""
    """Of a failure, in our own words."""


class Refused(msgspec.Struct, array_like=True, tag="R", frozen=True, gc=False):
    """A request that was not served."""

    at_us: int
    request_id: str
    code: str
    status: int
    operation: str = ""
    workflow: str = ""
    key: str = ""
    team: str = ""
    user: str = ""


class Noted(msgspec.Struct, array_like=True, tag="N", frozen=True, gc=False):
    """Anything else that operators want to see: a warning of a budget, a breaker, a reload."""

    at_us: int
    what: str
    """One word of ours: `budget_warning`, `breaker_open`, `breaker_closed`, `reloaded`, ..."""
    about: str
    """The account, the tool, ..."""
    detail: str = ""
    worker: str = ""


Entry = Held | Ended | Refused | Noted
