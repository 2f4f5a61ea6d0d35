"""The bodies of OpenAI's APIs: whole answers, events that hold one, and pieces of text. Pure."""

from __future__ import annotations

from typing import Any, Final

from clearbar.spend.files.entry import text

_WHOLE: Final = frozenset({"chat.completion", "text_completion", "response", "realtime.response"})
_CHUNK: Final = "chat.completion.chunk"
_EVENTS: Final = ("response.", "conversation.", "session.", "input_audio_buffer.", "rate_limits.")
_MEDIA: Final = ("image_generation.", "image_edit.", "transcript.text.", "speech.audio.")
_IN_EVENTS: Final = frozenset(
    {"response", "sequence_number", "event_id", "item_id", "output_index", "usage", "b64_json"}
)
"""Other programs write types such as `session.start`; every event of OpenAI's has one of these."""
_HEARD: Final = "conversation.item.input_audio_transcription.completed"


def is_answer(value: dict[str, Any]) -> bool:
    """Return whether this is an answer, or an event of a stream; `object` or `type` says so."""
    kind, event, usage = value.get("object"), value.get("type"), value.get("usage")
    if isinstance(kind, str) and kind:
        if kind == "list":
            return isinstance(usage, dict) and "prompt_tokens" in usage
        return kind in _WHOLE or kind in {_CHUNK, "batch"}
    if isinstance(event, str) and event.startswith((*_EVENTS, *_MEDIA)):
        return not _IN_EVENTS.isdisjoint(value)
    if isinstance(usage, dict):
        is_heard = text(usage.get("type")) in {"tokens", "duration"} and "text" in value
        return is_heard or ("created" in value and "data" in value) or _is_chat(value)
    return (
        text(value.get("id")).startswith("modr-")
        or ("created" in value and _holds_images(value.get("data")))
        or ("prompt_filter_results" in value and "choices" in value)
    )


def _is_chat(value: dict[str, Any]) -> bool:
    return isinstance(value.get("choices"), list) and "prompt_tokens" in value["usage"]


def _holds_images(data: object) -> bool:
    first = data[0] if isinstance(data, list) and data else None
    return isinstance(first, dict) and bool(first.keys() & {"b64_json", "url"})


def answer_in(value: dict[str, Any]) -> dict[str, Any]:
    """Return the answer that an event holds, or the value itself."""
    inner = value.get("response")
    return inner if isinstance(inner, dict) and "object" not in value else value


def tells(value: dict[str, Any]) -> bool:
    """Return whether this tells of a call at all: most events of a stream are pieces of text."""
    event = text(value.get("type"))
    if event == _HEARD or event.startswith(_MEDIA):
        return isinstance(value.get("usage"), dict)
    if "prompt_filter_results" in value and not value.get("id"):
        return False  # with it Azure opens a stream; the id comes later
    return not event.startswith(_EVENTS) or isinstance(value.get("response"), dict)


def is_part(value: dict[str, Any], answer: dict[str, Any]) -> bool:
    """Return whether more may be told of the same answer, in this file, on another line."""
    if value.get("object") == _CHUNK or (answer is not value and tells(value)):
        return True
    told = isinstance(answer.get("usage"), dict)
    return not told and text(answer.get("object")) in {"text_completion", "response"}
