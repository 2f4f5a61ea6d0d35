"""A request's body with a few fields changed, and every other byte as it came.

New values are put in at the places where the old ones stand; what is not there yet goes to the
front of the object. Nothing else is decoded, built or copied one by one. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.route.wire.layout import layout_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.route.wire.layout import Layout
    from clearbar.route.wire.operation import Name, Operation
    from clearbar.route.wire.reading import Asked

LIMITS: Final[Mapping[Name, tuple[str, ...]]] = {
    "chat": ("max_completion_tokens", "max_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
}
"""What limits the output of an operation."""
_TELLS_USAGE: Final = frozenset({"chat", "completions"})
"""Whose streams tell their usage only where it is asked for."""
_ASKED: Final = b'"stream_options":{"include_usage":true},'
_OPENAI_MODELS: Final = ("gpt-", "chatgpt-", "o1", "o3", "o4", "codex-", "computer-use")


def rewrite(
    operation: Operation,
    body: bytes,
    asked: Asked,
    *,
    model: str | None,
    max_tokens: int | None,
    ask_usage: bool,
    settings: Mapping[str, object],
) -> bytes:
    """Return the body with what is named changed; the same bytes where nothing is.

    `max_tokens` is the most that any limit may then say: lower ones stay. `settings` replace what
    the client says, or are added. `ask_usage` adds to a stream of chat that it tells its usage.

    Raises:
        NotAnObject: when the body is no JSON object; `read_body` has refused such.
    """
    layout = asked.layout
    if model is None and max_tokens is None and not ask_usage and not settings:
        return body
    if layout is None or layout.payload is not body:
        layout = layout_of(body)
    if max_tokens is None and not ask_usage and not settings:
        return _renamed(body, layout, asked, model)
    changes: dict[str, object] = dict(settings)
    if model is not None and model != asked.model:
        changes["model"] = model
    if max_tokens is not None:
        _cap(operation, layout, changes, max_tokens, model or asked.model)
    if ask_usage and asked.stream and operation.name in _TELLS_USAGE:
        changes["stream_options"] = _with_usage(layout)
    return _spliced(body, layout, changes) if changes else body


def _renamed(body: bytes, layout: Layout, asked: Asked, model: str | None) -> bytes:
    """Return the body with another model and nothing else changed: the common case."""
    if model is None or model == asked.model:
        return body
    place = layout.place("model")
    if place is None:
        return _spliced(body, layout, {"model": model})
    return with_model(body, place, _encoded(model))


def with_model(body: bytes, place: tuple[int, int], model: bytes) -> bytes:
    """Return the body with another model, given as JSON, in the place where one stands."""
    start, end = place
    return b"%b%b%b" % (body[:start], model, body[end:])


def asking_usage(body: bytes) -> bytes:
    """Return the body of a stream of chat, which says nothing of its options, asking for usage."""
    at = body.index(b"{") + 1
    return b"%b%b%b" % (body[:at], _ASKED, body[at:])


def _cap(
    operation: Operation,
    layout: Layout,
    changes: dict[str, object],
    most: int,
    model: str,
) -> None:
    """Lower each limit that the body or the settings name; add one where none is named."""
    named = False
    for limit in LIMITS.get(operation.name, ()):
        said = changes[limit] if limit in changes else _number(layout, limit)
        if isinstance(said, int):
            named = True
            if said > most:
                changes[limit] = most
    if not named and operation.name in LIMITS:
        changes[_limit_of(operation, model)] = most


def _limit_of(operation: Operation, model: str) -> str:
    """Return how a limit is named: OpenAI's newer models refuse the name that all others take."""
    if operation.name == "chat" and not model.rpartition("/")[2].startswith(_OPENAI_MODELS):
        return "max_tokens"
    return LIMITS[operation.name][0]


def _number(layout: Layout, name: str) -> object:
    raw = layout.values.get(name)
    return None if raw is None else msgspec.json.decode(raw)


def _with_usage(layout: Layout) -> dict[str, object]:
    raw = layout.values.get("stream_options")
    said = None if raw is None else msgspec.json.decode(raw)
    return {**(said if isinstance(said, dict) else {}), "include_usage": True}


def _spliced(body: bytes, layout: Layout, changes: Mapping[str, object]) -> bytes:
    places = layout.places()
    parts: list[bytes | memoryview] = []
    view = memoryview(body)
    done = body.index(b"{") + 1
    parts.append(view[:done])
    added = [name for name in changes if name not in places]
    for name in added:
        parts += (_encoded(name), b":", _encoded(changes[name]), b",")
    if added and not places:
        parts.pop()
    changed = sorted((places[name], name) for name in changes if name in places)
    for (start, end), name in changed:
        parts += (view[done:start], _encoded(changes[name]))
        done = end
    parts.append(view[done:])
    return b"".join(parts)


_encoded: Final = msgspec.json.Encoder(decimal_format="number").encode
