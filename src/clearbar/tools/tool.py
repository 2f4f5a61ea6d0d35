"""The nouns of tools: anything that can do the work of a workflow, and what it answered.

Never here: network, disk, subprocesses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

Tier = Literal["frontier", "small", "none", "unknown"]
TIERS: Final[tuple[Tier, ...]] = ("frontier", "small", "none", "unknown")
DataClass = Literal["public", "internal", "restricted"]
"""How far data may travel; as a tool's class: the most confidential data that it may be given."""

Kind = Literal["openai", "anthropic", "command", "python", "rules", "classifier", "cascade"]
KINDS: Final[tuple[Kind, ...]] = (
    "openai",
    "anthropic",
    "command",
    "python",
    "rules",
    "classifier",
    "cascade",
)


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """Priced by tokens: with the tool's own rates, or where they are None, from the price book."""

    input_usd_per_million: Decimal | None = None
    output_usd_per_million: Decimal | None = None


@dataclass(frozen=True, slots=True)
class GpuPrice:
    """Self-hosted: USD per GPU hour over what the GPU produces in it. Never zero."""

    usd_per_gpu_hour: Decimal
    output_tokens_per_second: Decimal
    """Measured at full load."""
    utilisation: Decimal
    """Share of the hour in which it works, in (0, 1]."""


@dataclass(frozen=True, slots=True)
class NoPrice:
    """Costs nothing more per call, and why that is so."""

    basis: str


CostModel = TokenPrice | GpuPrice | NoPrice


@dataclass(frozen=True, slots=True)
class Tool:
    """One declared tool (`[[tool]]` of clearbar.toml)."""

    name: str
    kind: Kind
    tier: Tier = "unknown"
    """Declared, else of its model's name in the table of tiers."""
    cost: CostModel = field(default_factory=TokenPrice)
    data_class: DataClass = "internal"
    model: str | None = None
    """The model's name at the endpoint (openai, anthropic)."""
    provider: str | None = None
    """Who bills, as the price book names it; None is told by the endpoint's host, else unknown."""
    url: str | None = None
    """The endpoint up to and with its version: `http://127.0.0.1:8080/v1`."""
    key_env: str | None = None
    """The environment variable that holds the key; None asks without a key."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Sent with every request, as given: temperature, max_tokens, ..."""
    command: tuple[str, ...] = ()
    """The program and its arguments: the input on stdin, the answer on stdout."""
    function: str | None = None
    """`module:callable`, text in, text (or text and confidence) out."""
    file: str | None = None
    """Where the rules or the classifier stand, relative to clearbar.toml."""
    first: str | None = None
    """Of a cascade: the tool that is asked first."""
    then: str | None = None
    """Of a cascade: the tool that is asked where the first is not confident."""
    agree_with: tuple[str, ...] = ()
    """Of a cascade: tools whose agreement with the first is its confidence."""
    timeout_s: float = 60.0
    concurrency: int = 4
    """Calls at a time."""
    requests_per_minute: int | None = None
    version: str = ""
    """Declared version: a change makes certificates stale, as any change of the tool does."""
    line: int | None = None
    """Line in clearbar.toml."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a tool is asked: the prompt of the workflow and the input of one case."""

    input: str
    prompt: str = ""
    """The instructions (a system message for models); empty for none."""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Disjoint meters as in `spend.charge`; None is not reported."""

    input_tokens: int | None = None
    """Fresh input only."""
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    """A part of `output_tokens`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from asking a tool once."""

    text: str
    model: str = ""
    """As reported by the answer; empty for what is no model."""
    usage: TokenUsage | None = None
    """None for what has no tokens, or reported none."""
    latency_ms: int | None = None
    confidence: float | None = None
    """In [0, 1]; None for tools that have none of their own."""
    upstream_id: str = ""
    """The provider's id of the call."""
    service_tier: str = ""
    stop_reason: str = ""
    speed: str = ""
    """As served, where the price depends on it; as on a charge."""
    geo: str = ""
    """Where it was served, where the price depends on it; as on a charge."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A try that brought no answer; it may have cost money all the same."""

    what: str
    """In plain words, without the input, the answer or a key."""
    retry: bool
    """Whether asking again may help."""
    retry_after_s: float | None = None
    """What the endpoint asked for."""
    status: int | None = None
    """The HTTP status, where there was one."""
    usage: TokenUsage | None = None
    """Where the endpoint reported it before it failed."""
    latency_ms: int | None = None
    upstream_id: str = ""
    sent: bool = True
    """False where it is certain that the request never left, so that nobody can bill it."""
