"""What a request's body asks for, read without building the rest of it.

Only the few fields that matter are decoded; messages and tools are walked over. Whatever two
readers of the body could read differently is refused, since one of them is ours, which decides,
and the other the provider's, which charges. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.wire.asked import Asked, BadBody
from clearbar.route.wire.fields import FIELDS, FIELDS_OF_OTHERS
from clearbar.route.wire.layout import NotAnObject, layout_of
from clearbar.route.wire.plain_chat import SEARCH, read_plain_chat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.route.wire.fields import Reader
    from clearbar.route.wire.layout import Layout
    from clearbar.route.wire.operation import Operation

__all__ = ["Asked", "BadBody", "read_body"]

_TEMPLATE_TOKENS: Final = 32
"""What a chat's template adds around the messages beyond the bytes of their JSON."""
_WITHOUT_OUTPUT: Final = frozenset({"embeddings", "count_tokens", "models"})
_WITHOUT_MODEL: Final = frozenset({"responses", "models", "other"})
"""A stored prompt may name the model."""
MAX_OBJECTS: Final = 500_000
"""In a body; a million small ones would take the time of other requests, and twenty times their
bytes of memory."""
_MANY_BYTES: Final = 2**20


def read_body(operation: Operation, body: bytes) -> Asked:
    """Return what a body asks for; of operation "other" only what it happens to say.

    Raises:
        BadBody: when it is no JSON object, says a name twice, or a field that matters is of a kind
            that it may not be.
    """
    if len(body) > _MANY_BYTES and body.count(b"{") > MAX_OBJECTS:
        raise BadBody(f"the body has more than {MAX_OBJECTS} parts")
    fields = FIELDS.get(operation.name)
    try:
        layout = layout_of(body)
    except NotAnObject as error:
        if fields is None and not error.ambiguous:
            return Asked(input_tokens=len(body), has_media=True)
        raise BadBody(f"the body {error}") from None
    input_tokens = len(body) + _TEMPLATE_TOKENS
    if operation.name == "chat" and (chat := read_plain_chat(layout, input_tokens)) is not None:
        return chat
    asked = Asked(layout=layout, input_tokens=input_tokens)
    if fields is None:
        fields, asked.has_media = FIELDS_OF_OTHERS, True
    _read_members(asked, layout, fields)
    if operation.name in _WITHOUT_OUTPUT:
        asked.max_tokens = 0
    elif SEARCH in asked.model:
        asked.has_fees = True
    if not asked.model and operation.name not in _WITHOUT_MODEL:
        raise BadBody("the body names no model")
    return asked


def _read_members(asked: Asked, layout: Layout, fields: Mapping[str, Reader]) -> None:
    for name, raw in layout.values.items():
        read = fields.get(name)
        if read is not None:
            read(asked, raw)
        elif (alike := name.casefold()) in fields:
            # Some servers take a name in other letters for the same, and then it would be theirs
            # that counts.
            raise BadBody(f"the body writes {alike} in other letters")
    asked.choices *= asked.prompts
