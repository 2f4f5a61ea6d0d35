"""Whether a certificate still speaks of what is there today. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.trial.plan import FRESH_DAYS_BY_STAKES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from clearbar.own.workflow import Bar, Stakes
    from clearbar.trial.trial import Certificate, Identity


def stale(
    certificate: Certificate,
    today: Identity,
    now: datetime,
    stakes: Stakes = "normal",
    fresh_days: int | None = None,
) -> tuple[str, ...]:
    """Return in words what changed since a certificate was made; empty while it holds.

    `today` is what a trial of the workflow would be about now; `fresh_days` stands before the
    number that follows from the stakes.
    """
    before = certificate.identity
    return (
        *_changes(before, today),
        *_tool_changes(before, today),
        *_age(certificate.decided_at, now, fresh_days or FRESH_DAYS_BY_STAKES[stakes]),
    )


def _changes(before: Identity, today: Identity) -> Iterator[str]:
    if before.workflow != today.workflow:
        yield f"it is about the workflow {before.workflow}"
    if _level(before.bar) != _level(today.bar):
        yield f"the bar was {_bar_text(before.bar)} and is {_bar_text(today.bar)}"
    if before.metric != today.metric:
        yield f"the metric was {before.metric} and is {today.metric}"
    if before.grader != today.grader:
        yield "the grader or its settings changed"
    if before.prompt_digest != today.prompt_digest:
        yield "the prompt changed"
    if before.cases_digest != today.cases_digest:
        yield f"the cases changed: {before.cases} then, {today.cases} now"
    if before.error != today.error:
        yield (
            f"the error rates changed: certify {before.error.certify:g}, drop"
            f" {before.error.drop:g} then; {today.error.certify:g}, {today.error.drop:g} now"
        )


def _tool_changes(before: Identity, today: Identity) -> Iterator[str]:
    """Yield changes of the tools tried; one declared since changes nothing that was found."""
    for tool, digest in before.tools.items():
        if tool not in today.tools:
            yield f"the tool {tool} is no longer declared"
        elif today.tools[tool] != digest:
            yield f"the tool {tool} changed"


def _age(decided_at: datetime, now: datetime, days: int) -> Iterator[str]:
    age = (now - decided_at).days
    if age >= days:
        yield f"it is {age} days old, and evidence holds {days} days at these stakes"


def _level(bar: Bar) -> tuple[float | None, float | None, str | None]:
    return bar.at_least, bar.within, bar.of


def _bar_text(bar: Bar) -> str:
    if bar.text:
        return f'"{bar.text}"'
    if bar.at_least is not None:
        return f">= {bar.at_least:g}"
    return f"within {bar.within:g} of {bar.of}"
