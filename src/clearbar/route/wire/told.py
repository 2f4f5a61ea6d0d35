"""What a reply has told while it passes: kept by the meters, handed out as `Metered`. Pure."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.route.wire.meters import fees_of, meters_of
from clearbar.spend.shapes.provider_names import service_tier_named
from clearbar.tools.wire import named, served
from clearbar.tools.wire_errors import is_error
from clearbar.tools.wire_usage import as_object

if TYPE_CHECKING:
    from clearbar.route.wire.meters import Meters
    from clearbar.route.wire.operation import Operation


_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


class Metered(msgspec.Struct, frozen=True, gc=False):
    """What a reply used, as far as it has told."""

    usage: Mapping[str, int] | None
    """Disjoint meters of `spend.charge`; None: not told, not whole, or it contradicts itself."""
    model: str = ""
    upstream_id: str = ""
    service_tier: str = ""
    speed: str = ""
    geo: str = ""
    stop_reason: str = ""
    complete: bool = False
    """Whether the reply said that it had come to its end."""
    failed: bool = False
    """Whether it is an error, or tells of one: also under status 200, or in a stream."""
    output_bytes: int = 0
    """Of text, calls and thoughts seen so far, for an estimate."""
    partial: Mapping[str, int] = _NOTHING
    """Of a reply that is not complete: the input that it told, never an output."""


class Choice(msgspec.Struct, gc=False):
    """One of the answers of a reply."""

    finish_reason: Any = None


class Answer(msgspec.Struct, gc=False):
    """What a whole reply tells of itself, but for the Responses API."""

    id: Any = None
    model: Any = None
    type: Any = None
    status: Any = None
    service_tier: Any = None
    stop_reason: Any = None
    usage: Any = None
    error: Any = None
    choices: list[Choice] | None = None


class Told:
    """The same while it grows."""

    __slots__ = (
        "complete",
        "failed",
        "fees",
        "geo",
        "model",
        "operation",
        "output_bytes",
        "service_tier",
        "speed",
        "stop_reason",
        "upstream_id",
        "usage",
    )

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.model = self.upstream_id = self.service_tier = ""
        self.speed = self.geo = self.stop_reason = ""
        self.complete = self.failed = False
        self.output_bytes = 0
        self.usage: object = None
        """As reported."""
        self.fees: Meters | None = {}

    def take(self, reply: Mapping[str, object]) -> None:
        """Take a whole reply, or the event that tells of one."""
        self.model = self.model or named(reply.get("model"))
        self.upstream_id = self.upstream_id or named(reply.get("id"))
        self.service_tier = tier_of(reply.get("service_tier")) or self.service_tier
        self.stop_reason = stop_of(self.operation, reply) or self.stop_reason
        self.failed = self.failed or is_error(reply) or reply.get("status") == "failed"
        if reply.get("usage"):
            self.usage = reply["usage"]
            if self.operation.protocol == "anthropic":
                self.take_served(as_object(self.usage))
        if self.operation.name == "responses":
            self.fees = fees_of(reply)

    def take_answer(self, answer: Answer) -> None:
        """Take a whole reply as `take` does; not one of the Responses API."""
        if answer.model is not None:
            self.model = named(answer.model)
        if answer.id is not None:
            self.upstream_id = named(answer.id)
        if answer.service_tier is not None:
            self.service_tier = tier_of(answer.service_tier)
        if answer.error or answer.type == "error" or answer.status == "failed":
            self.failed = True
        if answer.usage:
            self.usage = answer.usage
            if self.operation.protocol == "anthropic":
                self.take_served(as_object(self.usage))
        if self.operation.protocol == "anthropic":
            self.stop_reason = named(answer.stop_reason)
        elif answer.choices:
            self.stop_reason = named(answer.choices[0].finish_reason)

    def take_served(self, usage: Mapping[str, object]) -> None:
        """Take from a message's usage how it was served."""
        how = served(usage)
        self.service_tier = how["service_tier"] or self.service_tier
        self.speed = how["speed"] or self.speed
        self.geo = how["geo"] or self.geo

    def metered(self) -> Metered:
        """Return what is known by now."""
        meters = None if self.usage is None else meters_of(self.operation, self.usage)
        if self.fees is None:
            meters = None
        elif meters is not None and self.fees:
            meters |= self.fees
        return Metered(
            meters if self.complete else None,
            self.model,
            self.upstream_id,
            self.service_tier,
            self.speed,
            self.geo,
            self.stop_reason,
            self.complete,
            self.failed,
            self.output_bytes,
            _NOTHING if self.complete or meters is None else _inputs(meters),
        )


def metered_answer(operation: Operation, answer: Answer, output_bytes: int) -> Metered:
    """Return what a whole reply of OpenAI's tells, not of the Responses API, as `Told` does."""
    usage, choices = answer.usage, answer.choices
    return Metered(
        meters_of(operation, usage) if usage else None,
        "" if answer.model is None else named(answer.model),
        "" if answer.id is None else named(answer.id),
        "" if answer.service_tier is None else tier_of(answer.service_tier),
        "",
        "",
        named(choices[0].finish_reason) if choices else "",
        True,
        bool(answer.error or answer.type == "error" or answer.status == "failed"),
        output_bytes,
    )


def _inputs(meters: Meters) -> Meters:
    return {name: count for name, count in meters.items() if name.startswith(("input_", "cache_"))}


def tier_of(value: object) -> str:
    """Return a tier in the words of the price book; empty for none."""
    return service_tier_named(named(value))


def stop_of(operation: Operation, reply: Mapping[str, object]) -> str:
    """Return why the answer ended, in the provider's words."""
    if operation.protocol == "anthropic":
        return named(reply.get("stop_reason"))
    if operation.name == "responses":
        why = as_object(reply.get("incomplete_details")).get("reason")
        return named(why) or named(reply.get("status"))
    choices = reply.get("choices")
    first = as_object(choices[0]) if isinstance(choices, list) and choices else {}
    return named(first.get("finish_reason"))
