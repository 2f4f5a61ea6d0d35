"""The text of requests and answers, for tools without a protocol and for graders. Pure.

Nothing here is on the way of a request that only passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.tools.tool import Request
from clearbar.tools.wire import decoded, read_answer, text
from clearbar.tools.wire_errors import NotAnAnswer
from clearbar.tools.wire_stream import Events, open_stream, whole
from clearbar.tools.wire_usage import as_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clearbar.route.wire.operation import Operation

_INSTRUCTING: Final = frozenset({"system", "developer"})
_TEXTS: Final = frozenset({"text", "input_text", "output_text", "refusal"})
_DEEPEST: Final = 8
"""Contents inside contents; no request of these APIs has more than two."""


def request_of(operation: Operation, body: bytes) -> Request:
    """Return the prompt and the input of a request.

    Of one message of the user the input is its text, as cases have it; of a conversation, each
    message in its order, named by who said it.
    """
    said = as_object(decoded(body))
    if operation.name in ("embeddings", "completions"):
        return Request(_flat(said.get("input" if operation.name == "embeddings" else "prompt")))
    instructions = [_flat(said.get("system")), text(said.get("instructions"))]
    spoken: list[tuple[str, str]] = []
    for role, words in _spoken(said):
        if role in _INSTRUCTING:
            instructions.append(words)
        elif words:
            spoken.append((role, words))
    prompt = "\n\n".join(each for each in instructions if each)
    if len(spoken) == 1 and spoken[0][0] == "user":
        return Request(spoken[0][1], prompt)
    return Request("\n\n".join(f"{role}: {words}" for role, words in spoken), prompt)


def answer_text(operation: Operation, body: bytes, content_type: bytes) -> str:
    """Return the text of a whole reply, streamed or not; empty where it holds none."""
    streamed = b"event-stream" in content_type.lower()
    try:
        if operation.name == "responses":
            return _of_response(body, streamed=streamed)
        if operation.name == "completions":
            return _of_completion(body, streamed=streamed)
        if not streamed:
            return read_answer(operation.protocol, body).text
        stream = open_stream(operation.protocol)
        stream.feed(body)
        return whole(stream.folded()).text
    except NotAnAnswer:
        return ""


def _spoken(said: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield who said what."""
    messages = said.get("messages", said.get("input"))
    if isinstance(messages, str):
        yield "user", messages
        return
    for each in messages if isinstance(messages, list) else ():
        message = as_object(each)
        if "output" in message:
            yield "tool", _flat(message["output"])
        else:
            yield text(message.get("role")) or "user", _flat(message.get("content"))


def _flat(content: object, depth: int = 0) -> str:
    """Return the text of a content, with that of tools' results inside it."""
    if not isinstance(content, list) or depth > _DEEPEST:
        return text(content)
    parts = (_part(each, depth) for each in content)
    return "\n".join(part for part in parts if part)


def _part(value: object, depth: int) -> str:
    if isinstance(value, str):
        return value
    block = as_object(value)
    if text(block.get("type")) in _TEXTS:
        return text(block.get("text")) or text(block.get("refusal"))
    return _flat(block.get("content"), depth + 1)


def _of_response(body: bytes, *, streamed: bool) -> str:
    if not streamed:
        return _output(as_object(decoded(body)))
    deltas: list[str] = []
    for event in _events(body):
        if event.get("type") == "response.output_text.delta":
            deltas.append(text(event.get("delta")))
        elif event.get("type") in ("response.completed", "response.incomplete"):
            return _output(as_object(event.get("response"))) or "".join(deltas)
    return ""


def _output(response: Mapping[str, object]) -> str:
    items = response.get("output")
    messages = (as_object(item) for item in (items if isinstance(items, list) else ()))
    contents = (each.get("content") for each in messages if each.get("type") == "message")
    return "\n".join(said for said in map(_flat, contents) if said)


def _of_completion(body: bytes, *, streamed: bool) -> str:
    replies = _events(body) if streamed else iter((as_object(decoded(body)),))
    return "".join(_first_choice(reply) for reply in replies)


def _first_choice(reply: Mapping[str, object]) -> str:
    choices = reply.get("choices")
    found = (as_object(each) for each in (choices if isinstance(choices, list) else ()))
    return "".join(text(each.get("text")) for each in found if not each.get("index"))


def _events(body: bytes) -> Iterator[Mapping[str, object]]:
    for data in Events().feed(body):
        yield as_object(decoded(data.encode()))
