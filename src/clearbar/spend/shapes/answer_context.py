"""What stands around a raw answer in a log: when, for whom, by which request. Pure.

Only what is certain is taken: an id of the form that providers give, a header that providers send,
the dimensions that the caller named. The rest of a wrapper may mean anything.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clearbar.spend.files.entry import text
from clearbar.spend.files.json_records import decode
from clearbar.spend.files.quarantine import QuarantineError

if TYPE_CHECKING:
    from datetime import datetime

_TIMES: Final = (
    "started_at",
    "start_time",
    "timestamp",
    "@timestamp",
    "time",
    "ts",
    "created_at",
    "datetime",
    "date",
)
_FIRST_SECOND: Final = 10**8
"""In 1973. A smaller number under such a name says how long something took."""
_STREAMS: Final = ("stream_id", "request_id", "message_id", "response_id", "call_id")
_NAMED: Final = ("workflow", "team", "environment", "service", "agent")


class Around(NamedTuple):
    """What stands around a body; empty where it does not."""

    time: Any = None
    model: str = ""
    """The model that was asked for."""
    address: str = ""
    """The address to which the request went."""
    provider: str = ""
    request_id: str = ""
    """The provider's id of the request, `req_...`."""
    stream: str = ""
    """What tells the events of one stream from those of another."""
    task: str = ""
    """The caller's own id of a request in a batch."""
    batch: bool = False
    project: str = ""
    account: str = ""
    session: str = ""
    trace: str = ""
    named: tuple[tuple[str, str], ...] = ()
    """Dimensions that the caller itself named in the request's metadata."""


def with_wrapper(around: Around, wrapper: dict[str, Any]) -> Around:
    """Return what stands around a body, with what one more wrapper says; the outermost wins."""
    headers = wrapper.get("headers") or wrapper.get("response_headers")
    if isinstance(headers, dict):
        around = with_headers(around, headers)
    request = wrapper.get("request")
    if isinstance(request, dict):
        around = _with_request(around, request)
    request_id = text(wrapper.get("request_id"))
    return around._replace(
        time=_time(wrapper) if around.time is None else around.time,
        model=around.model or _plain(wrapper.get("model")),
        provider=around.provider or _plain(wrapper.get("provider")),
        request_id=around.request_id or _request_id(request_id),
        stream=around.stream or next(filter(None, (_plain(wrapper.get(n)) for n in _STREAMS)), ""),
        task=around.task or _plain(wrapper.get("custom_id")),
        batch=around.batch or _is_batch_line(wrapper),
        session=around.session or _plain(wrapper.get("session_id")),
        trace=around.trace or _plain(wrapper.get("trace_id")),
    )


def _request_id(said: str) -> str:
    """Return the provider's id of a request; empty for ids that others give."""
    return said if said.startswith("req_") and said.replace("_", "").isalnum() else ""


def _is_batch_line(wrapper: dict[str, Any]) -> bool:
    """Return whether this is a line of a batch's results, as OpenAI or Anthropic write them."""
    if "custom_id" not in wrapper:
        return False
    answered, result = wrapper.get("response"), wrapper.get("result")
    if isinstance(answered, dict):
        return "body" in answered and "status_code" in answered
    return isinstance(result, dict) and "type" in result


def with_headers(around: Around, headers: dict[str, Any]) -> Around:
    """Return what stands around a body, with what the headers of its answer say."""
    named = {name.lower(): _first(value) for name, value in headers.items()}
    request_id = named.get("x-request-id") or named.get("request-id") or ""
    account, project = named.get("openai-organization", ""), named.get("openai-project", "")
    return around._replace(
        time=around.time or _http_date(named.get("date", "")),
        request_id=around.request_id or _request_id(request_id),
        account=around.account or (account if account.startswith("org-") else ""),
        project=around.project or (project if project.startswith("proj_") else ""),
    )


def _with_request(around: Around, request: dict[str, Any]) -> Around:
    asked = request.get("body") or request.get("json") or request
    if isinstance(asked, str) and asked.startswith("{"):
        with suppress(QuarantineError):  # loggers cut long prompts short; the answer stands
            asked = decode(asked.encode("utf-8", "replace"))
    asked = asked if isinstance(asked, dict) else {}
    address = _plain(request.get("url")) or _plain(request.get("uri"))
    return around._replace(
        model=around.model or _plain(asked.get("model")),
        address=around.address or address,
        named=around.named or named_dimensions(asked.get("metadata")),
    )


def named_dimensions(metadata: object) -> tuple[tuple[str, str], ...]:
    """Return the dimensions that metadata names; other members may be new with each call."""
    if not isinstance(metadata, dict):
        return ()
    found = ((name, _plain(metadata.get(name))) for name in _NAMED)
    return tuple((name, value) for name, value in found if value)


def _time(wrapper: dict[str, Any]) -> Any:
    for name in _TIMES:
        value = wrapper.get(name)
        if isinstance(value, str) and value:
            return _http_date(value) or value
        if isinstance(value, int | Decimal) and value >= _FIRST_SECOND:
            return value
    return None


def _http_date(value: str) -> datetime | None:
    """Return the moment that a header `date` says: Wed, 06 May 2026 03:12:58 GMT."""
    if not value.endswith(("GMT", "+0000")):
        return None
    try:
        return parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None


def _first(value: object) -> str:
    return text(value[0]) if isinstance(value, list) and value else text(value)


def _plain(value: object) -> str:
    return text(value) if isinstance(value, str) else ""
