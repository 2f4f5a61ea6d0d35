"""The fields of request bodies that matter, and how each is read. Pure.

A field that is read as null is as one that is not there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.route.wire.asked import BadBody
from clearbar.route.wire.contents import (
    TOOL_TOKENS,
    is_plain_input,
    prompts_in,
    seen_in_input,
    seen_in_messages,
    tools_in,
)
from clearbar.route.wire.layout import NotAnObject, layout_of
from clearbar.spend.shapes.provider_names import service_tier_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clearbar.route.wire.asked import Asked

    Reader = Callable[[Asked, msgspec.Raw], None]

MAX_COUNT: Final = 10**7
"""No sound request asks for more tokens, or more answers."""
_NAME: Final = re.compile(r"[!-~]{1,256}")
_LONGEST_METADATA: Final = 64 * 1024
"""The APIs take 16 pairs, of some 600 characters each."""
_NULL: Final = (b"null", b"[]", b"{}", b"false")


def _model(asked: Asked, raw: msgspec.Raw) -> None:
    try:
        said = _text_or_null.decode(raw)
    except ValueError:
        raise BadBody("model is not a text") from None
    if said is not None and not is_model(said):
        raise BadBody("model is not the name of a model")
    asked.model = said or ""


@lru_cache(maxsize=1024)
def is_model(said: str) -> bool:
    """Return whether a text can be the name of a model."""
    return _NAME.fullmatch(said) is not None


def _stream(asked: Asked, raw: msgspec.Raw) -> None:
    asked.stream = _yes(raw, "stream")


def _background(asked: Asked, raw: msgspec.Raw) -> None:
    asked.in_background = _yes(raw, "background")


def _store(asked: Asked, raw: msgspec.Raw) -> None:
    asked.store = _yes(raw, "store")


def _stream_options(asked: Asked, raw: msgspec.Raw) -> None:
    said = _members(raw, "stream_options").get("include_usage")
    asked.wants_usage = said is not None and _yes(said, "include_usage")


def _limit(name: str) -> Reader:
    def read(asked: Asked, raw: msgspec.Raw) -> None:
        said = _count(raw, name)
        if said is not None:
            # Of two limits the higher one: nobody says which of them a provider obeys.
            asked.max_tokens = max(said, asked.max_tokens or 0)

    return read


def _times(name: str) -> Reader:
    def read(asked: Asked, raw: msgspec.Raw) -> None:
        asked.choices = max(_count(raw, name) or 1, asked.choices)

    return read


def _thinking(asked: Asked, raw: msgspec.Raw) -> None:
    budget = _members(raw, "thinking").get("budget_tokens")
    if budget is not None:
        asked.least_tokens = (_count(budget, "budget_tokens") or 0) + 1


def _user(asked: Asked, raw: msgspec.Raw) -> None:
    asked.user = _text(raw) or asked.user


def _safety_identifier(asked: Asked, raw: msgspec.Raw) -> None:
    asked.user = asked.user or _text(raw)


def _metadata(asked: Asked, raw: msgspec.Raw) -> None:
    if len(raw) > _LONGEST_METADATA:
        raise BadBody(f"metadata is longer than {_LONGEST_METADATA} bytes")
    try:
        texts = _texts.decode(raw)
    except ValueError:
        texts = {}
    size = 1 + 6 * len(texts) + sum(len(name) + len(said) for name, said in texts.items())
    if size == len(raw):  # as in `layout`: then nothing else is there, and no name twice
        asked.metadata = texts
        return
    texts = {name: _text(value) for name, value in _members(raw, "metadata").items()}
    asked.metadata = {name: value for name, value in texts.items() if value}


def _metadata_of_messages(asked: Asked, raw: msgspec.Raw) -> None:
    _metadata(asked, raw)
    asked.user = asked.metadata.get("user_id", "")


def _service_tier(asked: Asked, raw: msgspec.Raw) -> None:
    said = service_tier_named(_text(raw))
    asked.service_tier = {"standard_only": "standard"}.get(said, said)


def _speed(asked: Asked, raw: msgspec.Raw) -> None:
    asked.speed = _text(raw)


def _geo(asked: Asked, raw: msgspec.Raw) -> None:
    asked.geo = _text(raw)


def _messages(asked: Asked, raw: msgspec.Raw) -> None:
    seen = seen_in_messages(raw)
    asked.has_media = asked.has_media or seen.media
    asked.has_stored = asked.has_stored or seen.stored


def _input(asked: Asked, raw: msgspec.Raw) -> None:
    seen = seen_in_input(raw)
    asked.has_media = asked.has_media or seen.media
    asked.has_stored = asked.has_stored or seen.stored


def _embedded(asked: Asked, raw: msgspec.Raw) -> None:
    asked.has_media = asked.has_media or not is_plain_input(raw)


def _prompt(asked: Asked, raw: msgspec.Raw) -> None:
    prompts = prompts_in(raw)
    asked.has_media = asked.has_media or prompts is None
    asked.prompts = prompts or 1


def _tools(asked: Asked, raw: msgspec.Raw) -> None:
    _, of_provider, runs = tools_in(raw)
    asked.input_tokens += TOOL_TOKENS * of_provider
    asked.has_fees = asked.has_fees or runs


def _tools_of_messages(asked: Asked, raw: msgspec.Raw) -> None:
    """Read them, and count the prompt that the Messages API puts before tools."""
    _tools(asked, raw)
    asked.input_tokens += 0 if bytes(raw) in _NULL else TOOL_TOKENS


def _fees(asked: Asked, raw: msgspec.Raw) -> None:
    asked.has_fees = asked.has_fees or bytes(raw) not in _NULL


def _stored(asked: Asked, raw: msgspec.Raw) -> None:
    asked.has_stored = asked.has_stored or bytes(raw) not in _NULL


def _media(asked: Asked, raw: msgspec.Raw) -> None:
    asked.has_media = asked.has_media or bytes(raw) not in (*_NULL, b'["text"]')


def _members(raw: msgspec.Raw, name: str) -> Mapping[str, msgspec.Raw]:
    text = bytes(raw)
    if text == b"null":
        return {}
    try:
        return layout_of(text).values
    except NotAnObject as error:
        raise BadBody(f"{name} {error}") from None


def _yes(raw: msgspec.Raw, name: str) -> bool:
    try:
        return bool(_bool_or_null.decode(raw))
    except ValueError:
        raise BadBody(f"{name} is neither true nor false") from None


def _count(raw: msgspec.Raw, name: str) -> int | None:
    try:
        said: int | None = _int_or_null.decode(raw)
    except ValueError:
        said = -1
    if said is not None and not 0 <= said <= MAX_COUNT:
        raise BadBody(f"{name} is not a whole number from 0 to {MAX_COUNT}")
    return said


def _text(raw: msgspec.Raw) -> str:
    """Return a text; empty for what is none."""
    try:
        return _text_or_null.decode(raw) or ""
    except ValueError:
        return ""


_texts: Final = msgspec.json.Decoder(dict[str, str])
_text_or_null: Final = msgspec.json.Decoder(str | None)
_bool_or_null: Final = msgspec.json.Decoder(bool | None)
_int_or_null: Final = msgspec.json.Decoder(int | None)

_SHARED: Final[Mapping[str, Reader]] = {
    "model": _model,
    "stream": _stream,
    "service_tier": _service_tier,
    "tools": _tools,
}
_OPENAI: Final[Mapping[str, Reader]] = {
    **_SHARED,
    "metadata": _metadata,
    "user": _user,
    "safety_identifier": _safety_identifier,
}
_CHAT: Final[Mapping[str, Reader]] = {
    **_OPENAI,
    "audio": _media,
    "best_of": _times("best_of"),
    "max_completion_tokens": _limit("max_completion_tokens"),
    "max_tokens": _limit("max_tokens"),
    "messages": _messages,
    "modalities": _media,
    "n": _times("n"),
    "plugins": _fees,
    "store": _store,
    "stream_options": _stream_options,
    "web_search_options": _fees,
}
_RESPONSES: Final[Mapping[str, Reader]] = {
    **_OPENAI,
    "background": _background,
    "conversation": _stored,
    "input": _input,
    "max_output_tokens": _limit("max_output_tokens"),
    "previous_response_id": _stored,
    "prompt": _stored,
    "store": _store,
}
_MESSAGES: Final[Mapping[str, Reader]] = {
    **_SHARED,
    "container": _fees,
    "inference_geo": _geo,
    "max_tokens": _limit("max_tokens"),
    "mcp_servers": _fees,
    "messages": _messages,
    "metadata": _metadata_of_messages,
    "speed": _speed,
    "thinking": _thinking,
    "tools": _tools_of_messages,
}
FIELDS: Final[Mapping[str, Mapping[str, Reader]]] = {
    "chat": _CHAT,
    "completions": {
        **_OPENAI,
        "best_of": _times("best_of"),
        "max_tokens": _limit("max_tokens"),
        "n": _times("n"),
        "prompt": _prompt,
        "stream_options": _stream_options,
    },
    "responses": _RESPONSES,
    "embeddings": {**_OPENAI, "input": _embedded},
    "messages": _MESSAGES,
    "count_tokens": {"model": _model},
}
"""By the name of the operation: name of the field -> how it is read."""
FIELDS_OF_OTHERS: Final[Mapping[str, Reader]] = {
    "model": _model,
    "stream": _stream,
    "user": _user,
    "metadata": _metadata,
}
