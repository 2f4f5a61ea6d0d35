"""What the bytes of a request do not bound: media, input stored elsewhere, tools the provider runs.

Kinds that are known to be plain text, or to run at the client, are listed; any other counts as
what costs more. So a kind that is new is held for too much rather than too little. Pure.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

TOOL_TOKENS: Final = 1024
"""More than what a provider's own prompt about tools has been seen to add: once for all tools, and
once for each tool whose definition the provider keeps."""


class Seen(NamedTuple):
    """What was seen in the input."""

    media: bool = False
    stored: bool = False


def seen_in_messages(raw: msgspec.Raw) -> Seen:
    """Look through the `messages` of a chat or of the Messages API, or a list of blocks."""
    try:
        messages = _messages.decode(raw)
    except (ValueError, RecursionError):
        return Seen(media=True)
    return seen_in(messages)


def seen_in(messages: list[Message]) -> Seen:
    """Look through messages that have been decoded."""
    media = stored = False
    for message in messages:
        if message.content.__class__ is list and _has_media(message):
            media = True
        if message.audio:
            stored = True
    return Seen(media, stored) if media or stored else _NOTHING


def seen_in_input(raw: msgspec.Raw) -> Seen:
    """Look through the `input` of the Responses API."""
    try:
        items = _input.decode(raw)
    except (ValueError, RecursionError):
        return Seen(media=True)
    if items is None or isinstance(items, str):
        return Seen()
    return Seen(
        media=any(_is_media(item) for item in items),
        stored=any(item.type == "item_reference" for item in items),
    )


def is_plain_input(raw: msgspec.Raw) -> bool:
    """Return whether the `input` of embeddings is text or tokens."""
    try:
        _embedded.decode(raw)
    except (ValueError, RecursionError):
        return False
    return True


def prompts_in(raw: msgspec.Raw) -> int | None:
    """Return for how many prompts a completion is asked; None for what is no prompt."""
    try:
        prompt = _embedded.decode(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(prompt, list) or not prompt or isinstance(prompt[0], int):
        return 1
    return len(prompt)


def tools_in(raw: msgspec.Raw) -> tuple[int, int, bool]:
    """Return how many tools there are, how many the provider defines, and if it runs any."""
    try:
        tools = _tools.decode(raw)
    except (ValueError, RecursionError):
        return 1, 1, True
    theirs = [tool.type for tool in tools or () if tool.type not in OWN_TOOLS]
    if not theirs:
        return len(tools or ()), 0, False
    runs = any(not kind.startswith(_CLIENT_TOOLS) for kind in theirs)
    return len(tools or ()), len(theirs), runs


class _Leaf(msgspec.Struct, gc=False):
    type: str = ""


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    content: list[_Leaf] | str | None = None
    """Of a tool's result."""


class Message(msgspec.Struct, gc=False):
    """What matters of one message."""

    content: list[_Block] | str | None = None
    audio: dict[str, msgspec.Raw] | None = None
    """An earlier answer in sound, by its id."""


class _Item(msgspec.Struct, gc=False):
    type: str = "message"
    content: list[_Leaf] | str | None = None
    output: list[_Leaf] | str | msgspec.UnsetType | dict[str, msgspec.Raw] | None = msgspec.UNSET


class Tool(msgspec.Struct, gc=False):
    """What matters of one tool."""

    type: str | None = None


def _has_media(message: Message) -> bool:
    for block in message.content or ():
        assert isinstance(block, _Block)  # noqa: S101 - narrows the type
        if block.type not in _TEXTS:
            return True
        if isinstance(block.content, list) and not _all_text(block.content):
            return True
    return False


def _is_media(item: _Item) -> bool:
    if item.type not in _ITEMS:
        return True
    if isinstance(item.content, list) and not _all_text(item.content):
        return True
    return isinstance(item.output, list) and not _all_text(item.output)


def _all_text(leaves: list[_Leaf]) -> bool:
    return all(leaf.type in _TEXTS for leaf in leaves)


_NOTHING: Final = Seen()
_TEXTS: Final = frozenset(
    {
        "input_text",
        "output_text",
        "reasoning_text",
        "redacted_thinking",
        "refusal",
        "search_result",
        "summary_text",
        "text",
        "thinking",
        "tool_result",
        "tool_use",
    }
)
_ITEMS: Final = frozenset(
    {
        "apply_patch_call",
        "apply_patch_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "function_call",
        "function_call_output",
        "item_reference",
        "local_shell_call",
        "local_shell_call_output",
        "message",
        "reasoning",
        "shell_call",
        "shell_call_output",
    }
)
OWN_TOOLS: Final = frozenset({None, "custom", "function"})
"""Tools that the client defines and runs."""
_CLIENT_TOOLS: Final = (
    "apply_patch",
    "bash_",
    "computer",
    "local_shell",
    "memory_",
    "namespace",
    "text_editor_",
)
"""How the kinds of tools begin that the provider defines and the client runs."""
_messages: Final = msgspec.json.Decoder(list[Message])
_input: Final = msgspec.json.Decoder(list[_Item] | str | None)
_embedded: Final = msgspec.json.Decoder(list[str | int | list[int]] | str | None)
_tools: Final = msgspec.json.Decoder(list[Tool] | None)
