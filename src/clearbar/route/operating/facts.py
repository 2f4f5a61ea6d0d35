"""What operators may ask of a running gateway, and what they may have it do.

The supervisor implements `AdminFacts`; the admin API, the metrics and the tests know only this.
"""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003 - msgspec reads the annotations
from decimal import Decimal  # noqa: TC003 - as above
from typing import TYPE_CHECKING, Annotated, Final, Literal, Protocol

import msgspec
from msgspec import Meta

from clearbar.route.journal.entry import Outcome  # noqa: TC001 - as above
from clearbar.route.route import Scope  # noqa: TC001 - as above
from clearbar.spend.charge import MAX_QUANTITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.route.route import Refusal, RouteTable

NAME_PATTERN: Final = r"^[A-Za-z0-9_.@:/+-]{1,200}$"
"""What the names and ids of callers may be made of: nothing that would have to be escaped."""
Name = Annotated[str, Meta(pattern=NAME_PATTERN, description="Letters, digits and _ . @ : / + -")]
_PLAIN: Final = r"^[^\x00-\x1f\x7f-\x9f]*$"
Text = Annotated[str, Meta(max_length=200, pattern=_PLAIN, description="Plain text on one line")]
Word = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=_PLAIN, description="Plain text on one line")
]
Tokens = Annotated[int, Meta(ge=0, le=MAX_QUANTITY)]
Milliseconds = Annotated[int, Meta(ge=0, le=10**9)]


class WorkerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One worker process."""

    name: str
    pid: int
    alive: bool
    in_flight: int
    """Requests that it is serving."""
    generation: int
    """Of the table of routes that it works by."""
    started_at: datetime
    restarts: int = 0
    """How often its place has been filled again after a worker had died."""


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one budget account."""

    account: str
    """Its id, as in the journal."""
    scope: Scope
    name: str
    """Whose budget it is; empty for the organisation's."""
    per: Literal["month", "day", "run"]
    limit_nusd: int
    spent_nusd: int
    held_nusd: int
    """For calls in flight."""
    draining: bool = False

    @property
    def left_nusd(self) -> int:
        """What can still be held; negative where a call cost more than was held for it."""
        return self.limit_nusd - self.spent_nusd - self.held_nusd


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway key, without its secret part and without the hash of it."""

    key_id: str
    workflow: str = ""
    team: str = ""
    name: str = ""
    environment: str = ""
    issued_at: datetime | None = None
    issued_by: str = ""
    revoked_at: datetime | None = None


class KeyWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be issued."""

    scope: Literal["workflow", "team"]
    of: Word
    """The name of the workflow, or of the team."""
    name: Text = ""
    """What people call the key."""
    environment: Text = ""


class KeyIssued(msgspec.Struct, frozen=True, kw_only=True):
    """A new key. It is shown this once; only its hash is kept."""

    key_id: str
    key: str

    def __repr__(self) -> str:
        return f"KeyIssued(key_id={self.key_id!r})"


class AlarmRow(msgspec.Struct, frozen=True, kw_only=True):
    """A routed tool that was seen to fall under its bar, or a sign that it has changed."""

    workflow: str
    tool: str
    at: datetime
    what: str
    in_force: bool = True
    """Whether the route went back to the tool before because of it."""
    sign: bool = False
    """A pre-alarm: the route stays, and more of its answers are graded for a while."""


class HoldWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money to be held for a call that somebody else makes, such as LiteLLM."""

    hold_id: Name
    """Made by the caller and unique to the call: asking again with it holds nothing more."""
    model: Word
    workflow: Text = ""
    """Empty: the workflow of the key, or the default one."""
    protocol: Literal["openai", "anthropic"] = "openai"
    operation: Literal["chat", "completions", "responses", "embeddings", "messages"] = "chat"
    stream: bool = False
    input_tokens: Tokens = 0
    """At most; never fewer than will be used."""
    max_output_tokens: Tokens | None = None
    """The limit that the request itself sets for one answer."""
    choices: Annotated[int, Meta(ge=1, le=128)] = 1
    service_tier: Text = ""
    team: Text = ""
    user: Text = ""
    task: Text = ""
    run: Text = ""
    environment: Text = ""


class HoldGiven(msgspec.Struct, frozen=True, kw_only=True):
    """What was held: the call may be made."""

    hold_id: str
    workflow: str
    held_usd: Decimal
    max_output_tokens: int | None = None
    """The limit that has to be set for one answer, so that the hold is enough; None: no limit."""
    advice: str = ""
    """What the verdict says, where it is not enforced."""


class HoldSettled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the call of a hold ended."""

    outcome: Outcome = "ok"
    usage: dict[
        Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,40}$")],
        Tokens,
    ] = {}
    """Meters of the ledger, disjoint: `input_tokens` are those that came from no cache. Empty:
    not reported, so that the charge is estimated."""
    model: Text = ""
    """As reported by the answer."""
    upstream_id: Text = ""
    """The provider's id of the answer."""
    service_tier: Text = ""
    stop_reason: Text = ""
    status: Annotated[int, Meta(ge=0, le=599)] = 0
    first_byte_ms: Milliseconds = 0
    latency_ms: Milliseconds = 0


class HoldEnded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a hold; asked again, the answer is the same."""

    hold_id: str
    outcome: Outcome
    cost_usd: Decimal
    priced: bool
    """False: no price was known, what had been held was taken."""


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """A table of routes that was made anew."""

    generation: int
    changed: bool


class Draining(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway takes no new connections, and ends when what is in flight has ended."""

    draining: bool
    in_flight: int


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests can be served, and else why not."""

    ready: bool
    why: tuple[str, ...] = ()


class RouteRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force for one workflow, and why."""

    workflow: str
    mode: Literal["advise", "shadow", "enforce"]
    verdict: Literal["fund", "pause", "kill"]
    owner: str | None
    next_step: str
    lapses_on: date | None
    data_class: Literal["public", "internal", "restricted"]
    tool: str | None
    """None: whatever model the client names."""
    fallbacks: tuple[str, ...]
    old_tool: str | None
    holdout_share: float
    shadow_share: float
    allowed: tuple[str, ...]
    captured: bool
    why: tuple[str, ...]


class NotFoundError(Exception):
    """There is no such key, hold or workflow; the message says which."""


class AdminFacts(Protocol):
    """The running gateway as operators see it. Methods that may wait for a disk are coroutines."""

    @property
    def version(self) -> str:
        """Return Clearbar's version."""

    @property
    def started_at(self) -> datetime:
        """Return when the supervisor started, in UTC."""

    def table(self) -> RouteTable:
        """Return the table of routes in force."""

    def workers(self) -> Sequence[WorkerRow]:
        """Return the worker processes."""

    def ready(self) -> Readiness:
        """Return whether requests can be served: a worker lives, a table is in force, no drain."""

    def journal_lag_s(self) -> float:
        """Return how old the oldest line of a journal is that is not in the ledger yet."""

    async def look(self) -> None:
        """Read what the journals say up to now, so that counts are those of now."""

    async def balances(self) -> Sequence[AccountRow]:
        """Return the accounts of the periods that run now, and of runs and tasks in use."""

    async def alarms(self) -> Sequence[AlarmRow]:
        """Return the signs that stand, then alarms, the newest first."""

    async def keys(self) -> Sequence[KeyRow]:
        """Return all keys that were ever issued."""

    async def issue_key(self, wanted: KeyWanted) -> KeyIssued:
        """Issue a key.

        Raises:
            NotFoundError: when there is no such workflow or team.
        """

    async def revoke_key(self, key_id: str) -> KeyRow:
        """Revoke a key; revoking it again changes nothing.

        Raises:
            NotFoundError: when there is no such key.
        """

    async def reload(self) -> Reloaded:
        """Read the declarations again and make the table anew.

        Raises:
            ClearbarError: when they are wrong; the table before stays in force.
        """

    async def drain(self) -> Draining:
        """Begin to end. It returns at once."""

    def key_of(self, token: str) -> str | None:
        """Return the id of the gateway key that a token is; None for none that is in force."""

    async def hold(self, wanted: HoldWanted, key: str) -> HoldGiven | Refusal:
        """Hold money; idempotent by `hold_id`.

        `key` is the gateway key itself; empty where an administrator asks.
        """

    async def settle(self, hold_id: str, settled: HoldSettled, key: str) -> HoldEnded:
        """Settle a hold to what was used; the first settling or release stands.

        Raises:
            NotFoundError: when there is no such hold, or it is another key's.
        """

    async def release(self, hold_id: str, key: str) -> HoldEnded:
        """Give a hold back: the call was never made.

        Raises:
            NotFoundError: as `settle`.
        """
