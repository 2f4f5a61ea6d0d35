"""Spend logs of a LiteLLM proxy: the rows of its table `LiteLLM_SpendLogs`.

Where: the answer of `/spend/logs`, a JSON or JSON Lines export, or a CSV export of the table, in
which `metadata` and `request_tags` are JSON written as text. Each row is a request.

`prompt_tokens` hold cached tokens of every provider, Anthropic too; how many of them were read
from a cache or written to one stands in `metadata.usage_object` only. Reasoning is a part of
`completion_tokens`. Where audio and cached input are both told, their overlap is not, so that
audio is left out. `spend` is what LiteLLM computed, never a bill.

A row with `cache_hit` "True" was answered by the proxy itself: no tokens, no cost. Its `request_id`
is that of the first request with `_cache_hit...` appended. A request id in the form of the
provider's own (`chatcmpl-`, `msg_`, ...) is the provider's; `litellm_call_id` is an alias, which
the attempts of a request share. A failed row may carry usage that the provider bills; one that was
refused with a status such as 429 carries the proxy's own estimate of its input, and used nothing.
Times without an offset are UTC. Daily rollups are not read: the rollup by tag counts a request
once per tag.

Never here: `messages`, `response`, addresses of callers.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.files.csv_rows import csv_rows
from clearbar.spend.files.entry import Counts, Entry, each_record, provenance, text
from clearbar.spend.files.json_records import entries, fields, items
from clearbar.spend.files.quarantine import quantity, rest_of, usd
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.provider_names import provider_named, service_tier_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "litellm"
PARSER_VERSION: Final = 3
TITLE: Final = "LiteLLM proxy spend logs"
WHERE: Final = "GET /spend/logs of the proxy, or an export of the table LiteLLM_SpendLogs"
CONVENTION: Final = (
    "Cached tokens are counted inside the prompt, whoever the provider is; reasoning is counted "
    "inside the completion."
)

_COLUMNS: Final = (b"request_id", b"startTime", b"spend", b"custom_llm_provider")
_ENDINGS: Final = (".json", ".jsonl", ".ndjson", ".csv")
_HASH_DIGITS: Final = 12
_REFUSED: Final = frozenset({"400", "401", "402", "403", "404", "413", "422", "429"})
"""Statuses of requests that no model was given."""
_NOTHING: Final[Counts] = {"input_tokens": 0, "output_tokens": 0}


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes name the table's columns."""
    return file.name.endswith(_ENDINGS) and all(column in file.head for column in _COLUMNS)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each request.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    rows = csv_rows(file) if file.name.endswith(".csv") else entries(file)
    return each_record(rows, _record)


def _record(found: Entry) -> Record:
    row = fields(found.value)
    metadata = fields(row.get("metadata"))
    request_id = text(row.get("request_id"))
    hit = text(row.get("cache_hit")).lower() == "true"
    known = identity.is_provider_id(request_id) and not hit
    free = hit or _is_refused(row, metadata)
    meters = _NOTHING if free else _meters(row, fields(metadata.get("usage_object")))
    counted = meters["input_tokens"] is not None or meters["output_tokens"] is not None
    ended = row.get("endTime")
    provider = _provider(row)
    return Record(
        identity=_identity(row, request_id, known=known),
        evidence="gateway",
        origin=_origin(row, metadata, provider),
        started_at_us=moment_us(row.get("startTime"), "startTime"),
        ended_at_us=moment_us(ended, "endTime") if ended else None,
        status=_status(row, hit=hit),
        usage="final" if counted else "missing",
        service_tier=service_tier_named(
            text(fields(metadata.get("usage_object")).get("service_tier"))
        ),
        **meters,
        reported_cost_usd=Decimal(0) if free else _spend(row, meters),
        aliases=_aliases(row, hit=hit),
        upstream_id=request_id if known else "",
        session_id=text(row.get("session_id")),
        latency_ms=quantity(row.get("request_duration_ms"), "request_duration_ms"),
        **provenance(found),
    )


def _is_refused(row: dict[str, Any], metadata: dict[str, Any]) -> bool:
    """Return whether the provider refused to answer: what is counted then is an estimate."""
    code = text(fields(metadata.get("error_information")).get("error_code"))
    if code not in _REFUSED or _status(row, hit=False) != "error":
        return False
    told = (row.get("spend"), row.get("completion_tokens"), metadata.get("usage_object"))
    return all(text(each) in {"", "0", "0.0"} and not fields(each) for each in told)


def _spend(row: dict[str, Any], meters: Counts) -> Decimal | None:
    """Return what LiteLLM computed; a zero beside tokens means that it knew no price."""
    spend = usd(row.get("spend"), "spend")
    return None if not spend and any(meters.values()) else spend


def _meters(row: dict[str, Any], usage: dict[str, Any]) -> Counts:
    prompt = fields(usage.get("prompt_tokens_details"))
    completion = fields(usage.get("completion_tokens_details"))
    split = fields(usage.get("cache_creation") or prompt.get("cache_creation_token_details"))
    read = _first(usage, "cache_read_input_tokens") or _first(prompt, "cached_tokens")
    written = _first(usage, "cache_creation_input_tokens")
    written = written or _first(prompt, "cache_creation_tokens", "cache_write_tokens")
    writes_5m = _first(split, "ephemeral_5m_input_tokens")
    writes_1h = _first(split, "ephemeral_1h_input_tokens")
    audio_in = None if read or written else _first(prompt, "audio_tokens")
    audio_out = _first(completion, "audio_tokens")
    output = quantity(row.get("completion_tokens"), "completion_tokens")
    reasoning = _first(completion, "reasoning_tokens")
    rest_of(output, "completion_tokens", reasoning_tokens=reasoning)
    return {
        "input_tokens": rest_of(
            quantity(row.get("prompt_tokens"), "prompt_tokens"),
            "prompt_tokens",
            cached_tokens=read,
            cache_creation_tokens=written,
            audio_tokens=audio_in,
        ),
        "input_audio_tokens": audio_in,
        "cache_read_tokens": read,
        "cache_write_5m_tokens": writes_5m,
        "cache_write_1h_tokens": writes_1h,
        "cache_write_tokens": rest_of(
            written, "cache_creation_tokens", ephemeral_5m=writes_5m, ephemeral_1h=writes_1h
        ),
        "output_tokens": rest_of(output, "completion_tokens", audio_tokens=audio_out),
        "output_audio_tokens": audio_out,
        "reasoning_tokens": reasoning,
        "web_searches": _first(fields(usage.get("server_tool_use")), "web_search_requests"),
    }


def _first(values: dict[str, Any], *names: str) -> int | None:
    """Return the first quantity that is reported under one of the names."""
    found = (quantity(values.get(name), name) for name in names)
    return next((number for number in found if number is not None), None)


def _identity(row: dict[str, Any], request_id: str, *, known: bool) -> str:
    if known:
        return identity.upstream(NAME, request_id)
    if request_id:
        return identity.gateway(NAME, request_id)
    keys = (
        "startTime",
        "endTime",
        "model",
        "api_key",
        "prompt_tokens",
        "completion_tokens",
        "spend",
    )
    return identity.content(NAME, *(text(row.get(key)) for key in keys))


def _aliases(row: dict[str, Any], *, hit: bool) -> str:
    """Return the proxy's own id of the call; attempts share it, which the ledger finds out."""
    call_id = text(row.get("litellm_call_id"))
    return identity.gateway(NAME, call_id) if call_id and not hit else ""


def _status(row: dict[str, Any], *, hit: bool) -> Literal["ok", "error", "cache_hit"]:
    if hit:
        return "cache_hit"
    return "error" if text(row.get("status")).lower() in {"failure", "error"} else "ok"


def _provider(row: dict[str, Any]) -> str:
    named = text(row.get("custom_llm_provider"))
    prefix, slash, _ = text(row.get("model")).partition("/")
    return provider_named(named or (prefix if slash else ""))


def _model(row: dict[str, Any], provider: str) -> str:
    model = text(row.get("model"))
    prefix, slash, name = model.partition("/")
    return name if slash and provider_named(prefix) == provider else model


def _origin(row: dict[str, Any], metadata: dict[str, Any], provider: str) -> Origin:
    tags = ",".join(filter(None, map(text, items(row.get("request_tags")))))
    return Origin(
        source=NAME,
        provider=provider,
        model=_model(row, provider),
        account=text(row.get("organization_id")),
        project=_either(metadata, "user_api_key_project_alias", "user_api_key_project_id"),
        credential=text(metadata.get("user_api_key_alias")) or _hash(text(row.get("api_key"))),
        team=text(metadata.get("user_api_key_team_alias")) or text(row.get("team_id")),
        principal=text(row.get("user")) or text(metadata.get("user_api_key_user_id")),
        agent=text(row.get("agent_id")),
        labels=label_text({"tag": tags, "end_user": text(row.get("end_user"))}),
    )


def _either(values: dict[str, Any], first: str, second: str) -> str:
    return text(values.get(first)) or text(values.get(second))


def _hash(api_key: str) -> str:
    """Return the start of a key's hash; LiteLLM hashes keys the same way, unless told not to."""
    if api_key.startswith("sk-"):
        api_key = hashlib.sha256(api_key.encode()).hexdigest()
    return api_key[:_HASH_DIGITS]
