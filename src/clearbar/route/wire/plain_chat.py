"""A chat with none but the usual members, read in one go: most are. Pure.

What it says here is what `fields` reads member by member; whatever is unusual is left to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from clearbar.route.wire.asked import Asked
from clearbar.route.wire.contents import OWN_TOOLS, Message, Tool, seen_in
from clearbar.route.wire.fields import MAX_COUNT, is_model

if TYPE_CHECKING:
    from clearbar.route.wire.layout import Layout

_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]


class _Chat(msgspec.Struct, gc=False):
    model: str
    messages: list[Message]
    stream: bool | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    tools: list[Tool] | None = None


def read_plain_chat(layout: Layout, input_tokens: int) -> Asked | None:
    """Return what a chat asks for; None, where that takes a closer look.

    `layout` has found no name twice.
    """
    if not _USUAL.issuperset(layout.values):
        return None
    try:
        said = _chat.decode(layout.payload)
    except (ValueError, RecursionError):
        return None
    model, limit = said.model, said.max_tokens
    if not is_model(model):
        return None
    if said.tools:
        for tool in said.tools:
            if tool.type not in OWN_TOOLS:
                return None
    if (other := said.max_completion_tokens) is not None:
        limit = max(other, limit or 0)
    media, stored = seen_in(said.messages)
    fees = SEARCH in model
    return Asked(
        model=model,
        stream=said.stream is True,
        max_tokens=limit,
        input_tokens=input_tokens,
        has_media=media,
        has_stored=stored,
        has_fees=fees,
        is_plain=not (media or stored or fees),
        model_at=layout.place("model"),
        layout=layout,
    )


def last_text(payload: bytes) -> object:
    """Return what the last message of a chat says, which `read_plain_chat` has read."""
    messages = _chat.decode(payload).messages
    return messages[-1].content if messages else None


SEARCH: Final = "search"
"""In the name of a model: it looks things up on the web whenever it is asked, for a fee."""
_USUAL: Final = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "model",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "stream",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
        "verbosity",
    }
)
"""What is not in `_Chat` has no meaning here: `fields` passes over it."""
_chat: Final = msgspec.json.Decoder(_Chat)
