"""Helicone: requests as its API and its exports write them.

Where: `POST /v1/request/query` and `/v1/request/query-clickhouse`, saved as JSON (`data` holds the
requests), or an export of the requests as JSON Lines or CSV. Each request is a record.

What `prompt_tokens` holds has changed over time and differs between providers: cached tokens stand
inside it or beside it. So each row is judged by its own `total_tokens`; where that fits neither, or
both and cached tokens exceed the prompt, the row says by itself which of the two it is, or is
refused. Without a total, a prompt that is smaller than its cached tokens cannot hold them.
Reasoning is a part of the completion, or beside it, by the same test.

A row with a `cache_reference_id` other than zeros was answered by Helicone's own cache: nothing was
asked of the provider, nothing used, nothing paid, though tokens and a cost are shown. A status
below zero is Helicone's own: the request was not answered (-1, -2, -3: failed, cancelled, pending;
-4: refused before it was sent). `cost` and `costUSD` are what Helicone computed, never a bill; a
zero beside tokens means that it knew no price. The provider's id is `response_id` only where it has
a provider's form.

Never here: request and response bodies, prompts, properties other than the known names.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.files.csv_rows import csv_header, csv_rows
from clearbar.spend.files.entry import Counts, Entry, each_record, provenance, text
from clearbar.spend.files.json_records import entries, fields
from clearbar.spend.files.quarantine import QuarantineError, quantity, rest_of, usd
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.provider_names import provider_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "helicone"
PARSER_VERSION: Final = 1
TITLE: Final = "Helicone requests"
WHERE: Final = "POST /v1/request/query of Helicone's API, or an export of its requests"
CONVENTION: Final = (
    "Whether cached tokens are inside the prompt or beside it is told by each row's own total."
)

_WANTED: Final = ("request_id", "request_created_at", "prompt_tokens")
_MARKS: Final = (
    "cache_reference_id",
    "helicone_user",
    "prompt_cache_read_tokens",
    "country_code",
    "request_user_id",
    "response_created_at",
)
_ENDINGS: Final = (".json", ".jsonl", ".ndjson")
_NOT_SENT: Final = -4
_FAILED: Final = 400
_CANCELLED: Final = -2
_NOTHING: Final[Counts] = {"input_tokens": 0, "output_tokens": 0}
_NAMED: Final = {
    "workflow": ("Workflow", "workflow", "clearbar_workflow"),
    "team": ("Team", "team"),
    "environment": ("Environment", "environment", "env"),
    "service": ("App", "app", "service"),
    "agent": ("Agent", "agent"),
    "task": ("Task", "task", "clearbar_task"),
    "session": ("Helicone-Session-Id",),
}
"""What we call it -> the properties that callers send it as."""


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes name the fields of requests."""
    if file.name.endswith(".csv"):
        columns = set(csv_header(file.head))
        return columns.issuperset(_WANTED) and any(mark in columns for mark in _MARKS)
    return (
        file.name.endswith(_ENDINGS)
        and all(f'"{name}"'.encode() in file.head for name in ("request_id", "request_created_at"))
        and any(f'"{mark}"'.encode() in file.head for mark in _MARKS)
    )


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each request.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    rows = csv_rows(file) if file.name.endswith(".csv") else entries(file)
    return each_record(rows, _record)


def _record(found: Entry) -> Record:
    row = fields(found.value)
    request_id = text(row.get("request_id"))
    if not request_id:
        raise QuarantineError("request_id is missing", "export the requests with their ids")
    status = _status(row)
    free = status == "cache_hit" or _code(row) == _NOT_SENT
    meters = _NOTHING if free else _meters(row)
    counted = meters["input_tokens"] is not None or meters["output_tokens"] is not None
    provider = provider_named(text(row.get("provider")))
    response_id = text(row.get("response_id"))
    known = response_id if identity.is_provider_id(response_id) and status != "cache_hit" else ""
    own = identity.gateway(NAME, request_id)
    ended = row.get("response_created_at")
    properties = _properties(row)
    return Record(
        identity=identity.upstream(provider, known) if known else own,
        aliases=identity.alias_text(own if known else ""),
        evidence="gateway",
        origin=_origin(row, provider, properties),
        started_at_us=moment_us(row.get("request_created_at"), "request_created_at"),
        ended_at_us=moment_us(ended, "response_created_at") if ended else None,
        status=status,
        usage="final" if counted else "missing",
        **meters,
        reported_cost_usd=Decimal(0) if free else _cost(row, meters),
        upstream_id=known,
        session_id=_named(properties, "session"),
        task_id=_named(properties, "task"),
        latency_ms=_latency(row),
        **provenance(found),
    )


def _status(row: dict[str, Any]) -> Literal["ok", "error", "cancelled", "cache_hit"]:
    reference = text(row.get("cache_reference_id"))
    if reference.strip("0-"):
        return "cache_hit"
    code = _code(row)
    if code is None:
        return "ok"
    if code == _CANCELLED:
        return "cancelled"
    return "error" if code < 0 or code >= _FAILED else "ok"


def _code(row: dict[str, Any]) -> int | None:
    told = text(row.get("response_status", row.get("status")))
    sign, digits = told[:1] == "-", told.removeprefix("-")
    if not digits.isdecimal() or len(digits) > 3:  # noqa: PLR2004 - of HTTP, or Helicone's own
        return None
    return -int(digits) if sign else int(digits)


def _meters(row: dict[str, Any]) -> Counts:
    def told(*names: str) -> int | None:
        return next((n for name in names if (n := quantity(row.get(name), name)) is not None), None)

    prompt, completion = told("prompt_tokens"), told("completion_tokens")
    read, written = told("prompt_cache_read_tokens"), told("prompt_cache_write_tokens")
    reasoning, total = told("reasoning_tokens"), told("total_tokens")
    audio_in, audio_out = told("prompt_audio_tokens"), told("completion_audio_tokens")
    cached = (read or 0) + (written or 0)
    inside, reasoning_inside = _inside(prompt, completion, cached, reasoning or 0, total)
    fresh = rest_of(prompt, "prompt_tokens", cached_tokens=cached) if inside else prompt
    if not reasoning_inside:
        completion = quantity((completion or 0) + (reasoning or 0), "completion_tokens")
    rest_of(completion, "completion_tokens", reasoning_tokens=reasoning)
    if cached:
        audio_in = None  # how much of it was cached is not told
    return {
        "input_tokens": rest_of(fresh, "prompt_tokens", audio_tokens=audio_in),
        "input_audio_tokens": audio_in,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "output_tokens": rest_of(completion, "completion_tokens", audio_tokens=audio_out),
        "output_audio_tokens": audio_out,
        "reasoning_tokens": reasoning,
    }


def _inside(
    prompt: int | None, completion: int | None, cached: int, reasoning: int, total: int | None
) -> tuple[bool, bool]:
    """Return whether cached tokens are inside the prompt, and reasoning inside the completion."""
    if not total or prompt is None:
        return cached <= (prompt or 0), reasoning <= (completion or 0)
    more = total - prompt - (completion or 0)
    if more == 0:
        return True, True
    if more == cached:
        return False, True
    if more == reasoning:
        return True, False
    if more == cached + reasoning:
        return False, False
    raise QuarantineError(
        "prompt and completion do not sum to total_tokens",
        "neither with cached tokens inside the prompt nor beside it",
    )


def _cost(row: dict[str, Any], meters: Counts) -> Decimal | None:
    told = row.get("costUSD")
    cost = usd(row.get("cost") if told in (None, "") else told, "cost")
    return None if not cost and any(meters.values()) else cost


def _properties(row: dict[str, Any]) -> dict[str, Any]:
    try:
        return {**fields(row.get("properties")), **fields(row.get("request_properties"))}
    except QuarantineError:
        return {}  # whatever a caller sent


def _named(properties: dict[str, Any], name: str) -> str:
    return next((told for each in _NAMED[name] if (told := text(properties.get(each)))), "")


def _latency(row: dict[str, Any]) -> int | None:
    told = text(row.get("delay_ms"))
    return quantity(told, "delay_ms") if told.isdecimal() else None


def _origin(row: dict[str, Any], provider: str, properties: dict[str, Any]) -> Origin:
    models = ("response_model", "model", "model_override", "request_model")
    user = text(row.get("request_user_id")) or text(row.get("user_id"))
    return Origin(
        source=NAME,
        provider=provider,
        model=next((told for name in models if (told := text(row.get(name)))), ""),
        principal=user,
        team=_named(properties, "team"),
        environment=_named(properties, "environment"),
        service=_named(properties, "service"),
        agent=_named(properties, "agent"),
        workflow=_named(properties, "workflow"),
        labels=label_text({"prompt": text(row.get("prompt_id"))}),
    )
