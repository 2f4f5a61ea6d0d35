"""The nouns of routing: the table of routes in force, who calls, and why a request is refused.

Never here: network, disk, clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from clearbar.gate.verdict import Decision
    from clearbar.tools.tool import DataClass, Tool

Mode = Literal["advise", "shadow", "enforce"]
"""advise: nothing changes, advice in a header; shadow: the winner is asked beside the tool in use;
enforce: verdicts, tools and budgets hold."""
MODES: Final[tuple[Mode, ...]] = get_args(Mode)

Durability = Literal["process", "disk"]
"""process: the line of a charge is with the operating system, so that no death of a process loses
it, and on the disk a moment later; disk: the reply waits until the line is on the disk."""
DURABILITIES: Final[tuple[Durability, ...]] = get_args(Durability)

Scope = Literal["organisation", "team", "workflow", "key", "user", "task", "run"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
Per = Literal["month", "day", "run"]
"""`run`: for as long as what the budget is of lasts, without a calendar."""
PERS: Final[tuple[Per, ...]] = get_args(Per)

Arm = Literal["passed", "tool", "holdout", "fallback", "first", "then", "agree", "shadow"]
"""Which part a call plays: what the client asked for, the tool in force, the share that stays on
the old tool, a fallback, the two steps of a cascade, a tool whose agreement is asked, a copy."""


@dataclass(frozen=True, slots=True)
class Budget:
    """One `[[budget]]`, or the `budget_usd_month` of a workflow."""

    scope: Scope
    name: str
    """Whose it is; `*`: each of that scope has one of its own. Of the organisation: empty."""
    usd: Decimal
    per: Per = "month"
    warn_at: tuple[float, ...] = (0.8,)
    """Shares of it at which a warning is journalled, once each."""
    drain_at: float | None = None
    """The share from which new tasks and runs are refused while begun ones go on."""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """What is kept of a workflow's requests and answers, and for how long."""

    share: float = 1.0
    days: int = 30
    redact: tuple[str, ...] = ()
    """Regular expressions; what they match is replaced by `[redacted]`."""
    protect: Literal["plain", "hashed", "encrypted"] = "plain"


@dataclass(frozen=True, slots=True)
class Cascade:
    """A certified cascade: the first tool's answer stands where it is sure enough."""

    first: str
    then: str
    threshold: float
    agree_with: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """A routed tool was seen to fall under its bar; it holds until a newer certificate."""

    workflow: str
    tool: str
    at: datetime
    what: str
    """The finding with its numbers, in a sentence."""


@dataclass(frozen=True, slots=True)
class Route:
    """What is in force for one workflow, and why."""

    workflow: str
    mode: Mode = "advise"
    verdict: Decision = "fund"
    owner: str | None = None
    next_step: str = ""
    lapses_on: date | None = None
    data_class: DataClass = "internal"
    tool: str | None = None
    """The tool in force; None: whatever model the client names, where `allowed` lets it."""
    fallbacks: tuple[str, ...] = ()
    """Asked in this order where the one before fails; only certified or declared ones."""
    cascade: Cascade | None = None
    """Set where `tool` is a cascade."""
    old_tool: str | None = None
    """What was in use before: the hold-out stays on it, an alarm goes back to it."""
    holdout_share: float = 0.0
    shadow_share: float = 0.0
    allowed: tuple[str, ...] = ()
    """Tools among which a client may choose by naming their model; empty: any declared tool or
    default upstream that the data class permits."""
    capture: Capture | None = None
    why: tuple[str, ...] = ()
    """Facts in sentences: the verdict, the certificate, the alarm that led to this."""
    line: int | None = None
    team: str = ""
    """The team that lists it, whose keys may name it and whose budgets pay for it."""


@dataclass(frozen=True, slots=True)
class GatewayKey:
    """A key that Clearbar issued: never the key itself."""

    key_id: str
    """Public; stands in the key, in charges and logs."""
    hashed: str
    """SHA-256 of the secret part, in hexadecimal."""
    workflow: str = ""
    """Empty for the key of a team, whose requests name the workflow."""
    team: str = ""
    name: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """The `[gateway]` table."""

    host: str = "127.0.0.1"
    port: int = 8787
    admin_port: int = 8788
    workers: int = 1
    upstreams: tuple[str, ...] = ()
    """Names of the tools in `RouteTable.tools` that stand for the default upstreams: they have no
    model of their own, and take what the client names. At most one for each protocol."""
    default_workflow: str = ""
    """Whose a request under a team key is that names none; empty: it is refused."""
    max_body_bytes: int = 32 * 2**20
    header_timeout_s: float = 10.0
    body_timeout_s: float = 60.0
    first_byte_timeout_s: float = 120.0
    stall_timeout_s: float = 60.0
    """Longest silence inside a reply or a stream."""
    drain_s: float = 30.0
    """How long SIGTERM waits for requests in flight."""
    retries: int = 2
    """More tries of the same tool after failures that another try may mend."""
    max_output_tokens: int = 32_000
    """The limit set on an answer, under a budget, where the client names none."""
    unpriced_usd: Decimal = Decimal("0.05")
    """Held, and taken, for a call whose price is not known: unknown is never zero."""
    store_env: str = ""
    """The environment variable with the PostgreSQL address that machines share; empty: SQLite."""
    admin_token_env: str = "CLEARBAR_ADMIN_TOKEN"  # noqa: S105 - the name of a variable
    """The environment variable with the token of the admin API; where it is not set, the token
    stands in a file that the first start makes."""
    open_metrics: bool = True
    """Whether `/metrics` on the admin port is answered without that token."""
    admin_host: str = "127.0.0.1"
    """Where the admin port listens: not for clients, wherever these come from."""
    durability: Durability = "disk"
    """What a charge outlives before a reply ends: the death of the worker, or of the machine."""
    shared_objects: bool = False
    """Whether any workflow may use what lies at the provider: files, stored answers, ..."""


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All that a worker needs to know; replaced as a whole, never changed."""

    generation: int
    """Grows by one with each change."""
    made_at: datetime
    routes: Mapping[str, Route] = field(default_factory=dict)
    """By workflow."""
    tools: Mapping[str, Tool] = field(default_factory=dict)
    """By name; with the default upstreams."""
    keys: Mapping[str, GatewayKey] = field(default_factory=dict)
    """By key id; revoked ones are not here."""
    budgets: tuple[Budget, ...] = ()
    settings: GatewaySettings = GatewaySettings()


class Caller(NamedTuple):
    """Whom a request belongs to. Made for every request, and a tuple is made fastest."""

    workflow: str
    key: str
    """The id of the key."""
    team: str = ""
    user: str = ""
    task: str = ""
    run: str = ""
    environment: str = ""
    labels: str = ""
    """Other labels, as `label_text` writes them."""
    trace_id: str = ""
    """Of the W3C trace context that came in, else made here; 32 hexadecimal digits."""
    parent_span_id: str = ""
    """16 hexadecimal digits; empty where none came in."""
    sampled: bool = False
    """Whether the trace context asks to be recorded."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served: what, and who can change that."""

    code: str
    """One word of ours, snake case: `no_key`, `killed`, `over_budget`, `data_class`, ..."""
    status: int
    """HTTP."""
    message: str
    """What happened and what to do, for the person who reads the client's error."""
    retry_after_s: int | None = None
