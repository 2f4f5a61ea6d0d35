"""The nouns of the ledger: a record is one source's account of a charge; its meters are disjoint.

Never here: reading files, pricing, storing.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal  # noqa: TC003 - msgspec reads the annotations
from typing import Final, Literal

import msgspec

Basis = Literal["billed", "priced", "estimated", "unpriced"]
BASES: Final[tuple[Basis, ...]] = ("billed", "priced", "estimated", "unpriced")

Evidence = Literal["provider", "gateway", "trace", "client"]
EVIDENCE_RANK: Final[dict[str, int]] = {"client": 1, "trace": 2, "gateway": 3, "provider": 4}

INPUT_METERS: Final = (
    "input_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "input_video_tokens",
)
CACHE_READ_METERS: Final = (
    "cache_read_tokens",
    "cache_read_audio_tokens",
    "cache_read_image_tokens",
)
CACHE_WRITE_METERS: Final = (
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_tokens",
)
OUTPUT_METERS: Final = ("output_tokens", "output_audio_tokens", "output_image_tokens")
FEE_METERS: Final = (
    "web_searches",
    "file_searches",
    "code_sessions",
    "input_characters",
    "audio_seconds",
    "images",
)
METERS: Final = (
    *INPUT_METERS,
    *CACHE_READ_METERS,
    *CACHE_WRITE_METERS,
    *OUTPUT_METERS,
    *FEE_METERS,
)
"""Every meter of a charge. They are disjoint: a token stands in exactly one."""

MAX_QUANTITY: Final = 10**13
"""No single record may hold more of any meter; larger is a broken record."""

DIMENSIONS: Final = (
    "source",
    "provider",
    "model",
    "account",
    "project",
    "credential",
    "team",
    "principal",
    "environment",
    "service",
    "agent",
    "workflow",
)


TRIAL_SOURCE: Final = "trial"
"""The source of calls that Clearbar's own trials make."""
GATEWAY_SOURCE: Final = "gateway"
"""The source of calls that went through Clearbar's own gateway."""


class Origin(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Who made a call, with what: the dimensions by which charges are attributed.

    An empty string means: not reported. `labels` is the canonical text of `label_text`.
    """

    source: str
    provider: str = ""
    """The party that bills, lower case, as the price book names it: openai, anthropic, aws..."""
    model: str = ""
    """The model as reported by the answer; else as asked for."""
    account: str = ""
    project: str = ""
    credential: str = ""
    """The name or hash of an API key; never the key."""
    team: str = ""
    principal: str = ""
    """The user or service account on whose behalf the call was made."""
    environment: str = ""
    service: str = ""
    agent: str = ""
    workflow: str = ""
    """The workflow that the caller itself named, if it did."""
    labels: str = ""

    @property
    def origin_id(self) -> int:
        """A 63-bit id made of the contents."""
        digest = hashlib.sha256(msgspec.json.encode(self)).digest()
        return int.from_bytes(digest[:8], "big") >> 1


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One source's account of one charge. Quantities: None is not reported, 0 is reported zero."""

    identity: str
    """What makes it the same charge wherever it is seen: see `spend.identity`."""
    evidence: Evidence
    origin: Origin
    started_at_us: int
    """When the call (or the bucket) began: microseconds since 1970 in UTC."""
    ended_at_us: int | None = None
    seen_at_us: int | None = None
    """The time on the line that won, where several lines told of one call."""
    aliases: str = ""
    """Other identities by which this call is known elsewhere: the text of `identity.alias_text`."""
    grain: Literal["call", "bucket", "bill"] = "call"
    """One call, a provider's count of many, or a line of a bill: of one dollar, the bill sets the
    total and the calls the split."""
    calls: int = 1
    """1, the number of calls in a bucket, or 0 on a line of a bill."""
    status: Literal["ok", "error", "cancelled", "cache_hit"] = "ok"
    usage: Literal["final", "partial", "missing"] = "final"
    final: int = 0
    """Of several records of one charge from sources of the same evidence, the highest wins."""

    service_tier: str = ""
    """As served: standard, batch, flex, priority, scale...; empty when not reported."""
    speed: str = ""
    geo: str = ""

    input_tokens: int | None = None
    """Fresh input: neither read from a cache nor written to one; text, or of unknown kind."""
    input_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    input_video_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_read_audio_tokens: int | None = None
    cache_read_image_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    cache_write_tokens: int | None = None
    """Cache writes of another or an unknown lifetime; disjoint from the two above."""
    output_tokens: int | None = None
    """All output of text or unknown kind, reasoning included."""
    output_audio_tokens: int | None = None
    output_image_tokens: int | None = None
    reasoning_tokens: int | None = None
    """A part of `output_tokens`, not a meter of its own."""
    web_searches: int | None = None
    file_searches: int | None = None
    code_sessions: int | None = None
    input_characters: int | None = None
    audio_seconds: int | None = None
    images: int | None = None

    reported_cost_usd: Decimal | None = None
    reported_basis: Literal["billed", "declared", "estimated"] = "estimated"
    """Whether `reported_cost_usd` is what a bill says, what follows from a price that the workspace
    itself declares of the tool, or what some program computed."""

    reported_cost: Decimal | None = None
    """The cost where it is not in US dollars; `reported_cost_usd` is then None."""
    reported_currency: str = ""
    """ISO 4217 code of `reported_cost`; empty for US dollars."""
    charge_category: Literal["usage", "purchase", "tax", "credit", "adjustment"] = "usage"
    """As in FOCUS. A credit, and a correction of too much, is negative."""
    commitment_status: Literal["", "used", "unused"] = ""
    """As in FOCUS: the used or the unused share of something that was paid in advance."""

    upstream_id: str = ""
    trace_id: str = ""
    session_id: str = ""
    task_id: str = ""
    latency_ms: int | None = None

    line: int | None = None
    """1-based line or row of the winning line in the file; None where a file is one document."""
    offset: int | None = None
    """First byte of that line in the (decompressed) file."""
    length: int | None = None
    digest: str = ""
    """`digest_of` the line's bytes: proof that they are still the same. Empty where the record has
    no line of its own; the ledger then takes a digest of what the record says."""
    lines: int = 1
    """How many lines of the file told of this charge."""


def charge_id(identity: str) -> str:
    """Return the public id of a charge: 24 hexadecimal digits."""
    return hashlib.sha256(identity.encode()).hexdigest()[:24]


def digest_of(payload: bytes) -> str:
    """Return 16 hexadecimal digits that stand for a line's bytes."""
    return hashlib.sha256(payload).digest()[:8].hex()


NULL_IN: Final = "null_in"
"""The label of an aggregate, or a line of a bill, that names by what it is grouped and has none."""


def label_text(labels: dict[str, str]) -> str:
    """Return labels as one canonical text, `|key=value|key=value|`; empty for none."""
    pairs = sorted((_plain(key), _plain(value)) for key, value in labels.items() if value)
    return "|" + "|".join(f"{key}={value}" for key, value in pairs) + "|" if pairs else ""


def labels_of(text: str) -> dict[str, str]:
    """Return the labels that `label_text` wrote."""
    pairs = (part.partition("=") for part in text.strip("|").split("|") if part)
    return {key: value for key, _, value in pairs}


def _plain(text: str) -> str:
    return text.replace("|", "/").replace("=", ":").replace("\n", " ").strip()[:200]
