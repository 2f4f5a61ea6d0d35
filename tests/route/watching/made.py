"""A routed tool, its certificate, samples of it, and a gateway to stand for."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from clearbar.own.workflow import Bar
from clearbar.route.route import Route
from clearbar.route.watching.sample import Sample, Watched
from clearbar.route.watching.saving import ArmSums

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW: Final = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
DECIDED: Final = NOW - timedelta(days=10)
ROUTE: Final = Route(
    "support-replies", "enforce", tool="gpt-mini", old_tool="opus", shadow_share=0.25
)
WATCHED: Final = Watched(
    "support-replies",
    "gpt-mini",
    "opus",
    "c" * 64,
    DECIDED,
    Bar(at_least=0.9, text="resolved >= 0.9"),
    certified_score=0.94,
    run_length=1000,
)
RELATIVE: Final = replace(
    WATCHED, bar=Bar(within=0.03, of="opus", text="within 0.03 of opus"), certified_score=None
)
SAMPLE: Final = Sample("support-replies", "gpt-mini", "opus", NOW, 0.25)


def scored(scores: Iterable[float], **each: Any) -> list[Sample]:
    """A sample a minute, numbered, with these scores."""
    return [
        replace(SAMPLE, score=score, at=NOW + timedelta(minutes=number), sample_id=number, **each)
        for number, score in enumerate(scores, 1)
    ]


def arm_sums(units: Iterable[tuple[float, float]]) -> ArmSums:
    """Return the sums of conversations, each a cost and a number of requests."""
    listed = list(units)
    return ArmSums(
        len(listed),
        math.fsum(requests for _, requests in listed),
        math.fsum(cost for cost, _ in listed),
        math.fsum(cost * cost for cost, _ in listed),
        math.fsum(cost * requests for cost, requests in listed),
        math.fsum(requests * requests for _, requests in listed),
    )
