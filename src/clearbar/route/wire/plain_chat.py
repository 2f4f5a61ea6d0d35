"""A chat with none but the usual members, read in one go: most are. Pure.

What it says here is what `fields` reads member by member; whatever is unusual is left to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from clearbar.route.wire.contents import OWN_TOOLS, Message, Tool, seen_in
from clearbar.route.wire.fields import MAX_COUNT, is_model

if TYPE_CHECKING:
    from clearbar.route.wire.asked import Asked
    from clearbar.route.wire.layout import Layout

_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]


class _Chat(msgspec.Struct, gc=False):
    model: str
    messages: list[Message]
    stream: bool | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    tools: list[Tool] | None = None


def read_plain_chat(asked: Asked, layout: Layout) -> bool:
    """Read a chat into `asked`; False, and nothing read, where that takes a closer look.

    `layout` has found no name twice.
    """
    if not layout.values.keys() <= _USUAL:
        return False
    try:
        said = _chat.decode(layout.payload)
    except (ValueError, RecursionError):
        return False
    if not is_model(said.model):
        return False
    if said.tools:
        for tool in said.tools:
            if tool.type not in OWN_TOOLS:
                return False
    asked.model = said.model
    asked.stream = said.stream is True
    asked.max_tokens = said.max_tokens
    if (limit := said.max_completion_tokens) is not None:
        asked.max_tokens = max(limit, said.max_tokens or 0)
    seen = seen_in(said.messages)
    asked.has_media, asked.has_stored = seen.media, seen.stored
    return True


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
