"""The two protocols, OpenAI chat completions and Anthropic messages: requests out, answers in.

Pure: bytes and nouns in, bytes and nouns out. `wire_stream` reads answers that come in events.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypedDict

import msgspec

from clearbar.core.errors import ClearbarError
from clearbar.spend.files.json_records import decode
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.shapes.provider_names import service_tier_named
from clearbar.tools.address import protocol_of
from clearbar.tools.reserved_settings import reserved
from clearbar.tools.tool import Answer
from clearbar.tools.wire_errors import UNKNOWN_ERROR, NotAnAnswer, error_of, is_error
from clearbar.tools.wire_usage import anthropic_usage, as_object, openai_usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.tools.address import Protocol
    from clearbar.tools.tool import Request, TokenUsage, Tool

_ANTHROPIC_VERSION: Final = "2023-06-01"
DEFAULT_MAX_TOKENS: Final = 4096
"""The Messages API asks for a limit; this one is sent where the settings have none."""
_NAME: Final = re.compile(r"[!-~]{1,256}")


def headers_of(tool: Tool, key: str | None) -> dict[str, str]:
    """Return the headers of a request; without a key, none that would carry one.

    Answers are asked for as they are, since a small compressed one may be huge.
    """
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    if protocol_of(tool) == "openai":
        return headers if key is None else {**headers, "authorization": f"Bearer {key}"}
    headers["anthropic-version"] = _ANTHROPIC_VERSION
    return headers if key is None else {**headers, "x-api-key": key}


def body_of(tool: Tool, request: Request, *, stream: bool = False) -> bytes:
    """Return the body of a request.

    Raises:
        ClearbarError: when the tool has no model, or settings that stand for the request itself.
    """
    protocol = protocol_of(tool)
    taken = reserved(tool.settings)
    if not tool.model or taken:
        what = f"settings that are no settings: {', '.join(taken)}" if taken else "no model"
        raise ClearbarError(f'the tool "{tool.name}" has {what}', "correct its [[tool]]")
    user = {"role": "user", "content": request.input}
    body: dict[str, object] = {"model": tool.model}
    if protocol == "anthropic":
        body |= {"max_tokens": DEFAULT_MAX_TOKENS, **tool.settings, "messages": [user]}
        body |= {"system": request.prompt} if request.prompt else {}
    else:
        system = [{"role": "system", "content": request.prompt}] if request.prompt else []
        body |= {**tool.settings, "messages": [*system, user]}
    if stream:
        body |= {"stream": True}
        body |= {"stream_options": {"include_usage": True}} if protocol == "openai" else {}
    return _encoder.encode(body)


def read_answer(protocol: Protocol, payload: bytes) -> Answer:
    """Return what a whole body says; `latency_ms` is not known here.

    Raises:
        NotAnAnswer: when it is no JSON, an error, or an object without an answer.
    """
    body = as_object(decoded(payload))
    if not body:
        raise NotAnAnswer("the answer is no JSON object")
    if is_error(body):
        raise error_of(body) or NotAnAnswer(UNKNOWN_ERROR)
    return _chat(body) if protocol == "openai" else _message(body)


def decoded(payload: bytes) -> object:
    """Return the JSON value of a body, None where it is none."""
    try:
        return decode(payload)
    except QuarantineError:
        return None


def _chat(body: Mapping[str, object]) -> Answer:
    choices = body.get("choices")
    first = as_object(choices[0]) if isinstance(choices, list) and choices else {}
    if not isinstance(first.get("message"), dict):
        raise _empty("message", body, openai_usage(body.get("usage")))
    message = as_object(first["message"])
    said = joined(message.get("content"))
    return Answer(
        text=said or text(message.get("refusal")),
        model=named(body.get("model")),
        usage=openai_usage(body.get("usage")),
        upstream_id=named(body.get("id")),
        service_tier=service_tier_named(named(body.get("service_tier"))),
        stop_reason=named(first.get("finish_reason")),
    )


def _message(body: Mapping[str, object]) -> Answer:
    if not isinstance(body.get("content"), list):
        raise _empty("content", body, anthropic_usage(body.get("usage")))
    return Answer(
        text=joined(body["content"]),
        model=named(body.get("model")),
        usage=anthropic_usage(body.get("usage")),
        upstream_id=named(body.get("id")),
        stop_reason=named(body.get("stop_reason")),
        **served(as_object(body.get("usage"))),
    )


def _empty(what: str, body: Mapping[str, object], usage: TokenUsage | None) -> NotAnAnswer:
    found = named(body.get("id"))
    return NotAnAnswer(f"the answer holds no {what}", usage=usage, upstream_id=found)


class Served(TypedDict):
    """How a message was served: fields of an `Answer`."""

    service_tier: str
    speed: str
    geo: str


def served(usage: Mapping[str, object]) -> Served:
    """Return how a message was served, which its usage says and its price may depend on."""
    return {
        "service_tier": service_tier_named(named(usage.get("service_tier"))),
        "speed": named(usage.get("speed")),
        "geo": named(usage.get("inference_geo")),
    }


def joined(content: object) -> str:
    """Return the text of a content: of a list, that of its blocks of text."""
    if not isinstance(content, list):
        return text(content)
    blocks = [as_object(each) for each in content]
    return "".join(text(each.get("text")) for each in blocks if each.get("type") == "text")


def text(value: object) -> str:
    """Return a text as it stands; empty for anything else."""
    return value if isinstance(value, str) else ""


def named(value: object) -> str:
    """Return an id or a name as it stands; empty for what is none, such as a text.

    Ids and names are kept in the store and the ledger, where no text may get that an endpoint
    puts in their place, or one without an end.
    """
    said = text(value)
    return said if _NAME.fullmatch(said) else ""


_encoder: Final = msgspec.json.Encoder(decimal_format="number")
