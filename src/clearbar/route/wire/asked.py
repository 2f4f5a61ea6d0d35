"""The nouns of reading: what a request asks for, and a body that cannot be served."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations

import msgspec

from clearbar.route.wire.layout import Layout  # noqa: TC001 - as above


class BadBody(Exception):  # noqa: N818 - not an error of ours
    """A body that cannot be served, in our own words: it quotes nothing."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Asked(msgspec.Struct, kw_only=True):
    """What a request asks for; never its texts."""

    model: str = ""
    stream: bool = False
    max_tokens: int | None = None
    """Of each answer, reasoning included; None: the body sets no limit; 0: there is no output."""
    choices: int = 1
    """How many answers are produced, and paid."""
    wants_usage: bool = False
    """Whether the client itself asked a stream to tell its usage."""
    user: str = ""
    metadata: Mapping[str, str] = {}
    service_tier: str = ""
    """As asked for, in the words of the price book; empty: left to the provider."""
    speed: str = ""
    geo: str = ""
    input_tokens: int = 0
    """Never too few for text and what tools and templates add: a token has at least one byte."""
    has_media: bool = False
    """Whether there is input or output that the bytes do not bound: images, sound, files."""
    has_stored: bool = False
    """Whether input lies at the provider: an earlier answer, a conversation, a stored prompt."""
    has_fees: bool = False
    """Whether the provider may run tools that it charges for, or whose results it charges."""
    store: bool | None = None
    """Whether the provider is to keep the answer; None: the body says nothing of it."""
    in_background: bool = False
    """Whether the answer comes later, so that its usage is not in the reply."""
    least_tokens: int = 0
    """Below this limit the provider refuses the request: thinking's budget counts inside it."""
    prompts: int = 1
    """How many prompts a completion is asked; `choices` counts their answers."""
    is_plain: bool = False
    """Whether it was read in one go, and wants one answer in text to text: nothing of the above but
    a model, a stream and a limit."""
    model_at: tuple[int, int] | None = None
    """Where the model's name stands in a body that was read in one go, with its quotes."""
    layout: Layout | None = None
    """Where the body's members stand, for `rewrite`."""

    def __repr__(self) -> str:
        return f"Asked(model={self.model!r}, stream={self.stream}, max_tokens={self.max_tokens})"
