"""Why a route is as it is, in sentences with numbers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.tools.address import PROTOCOLS
from clearbar.trial.certifying.certificate_words import (
    cases_text,
    clears_text,
    interval_text,
    is_relative,
    listed,
    mean_text,
    per_thousand,
    percent_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from clearbar.own.workflow import Workflow
    from clearbar.route.route import Alarm
    from clearbar.route.standing import Standing
    from clearbar.tools.tool import Tool
    from clearbar.trial.in_force import InForce
    from clearbar.trial.trial import Certificate

_DECIDED: Final = {"fund": "funded", "pause": "paused", "kill": "killed"}
_PROTOCOL_OF: Final = {"openai": "OpenAI's", "anthropic": "Anthropic's"}


def verdict_why(standing: Standing | None, workflow: str, as_of: date) -> str:
    """Return the verdict, since when, and by whom."""
    if standing is None:
        return f"No verdict is recorded on {workflow}, so it is funded: ask clearbar gate."
    word, made = _DECIDED[standing.decision], standing.override
    if made is not None:
        return f"It is {word} until {made.until}: {made.by} decided so, because: {_end(made.why)}"
    lapsed = standing.lapses_on <= as_of
    until = "lapsed" if lapsed else "lapses"
    again = "; it stands until clearbar gate is asked again" if lapsed else ""
    fact = standing.facts[0] if standing.facts else ""
    why = f" {fact[:1].upper()}{_end(fact[1:])}" if fact else ""
    return f"It is {word} since {standing.since}, {until} {standing.lapses_on}{again}.{why}"


def certificate_why(known: InForce | None, workflow: str) -> str:
    """Return why no tool follows from the certificates of a workflow."""
    if known is None:
        return f"No trial has certified a tool: clearbar trial {workflow}."
    on = known.certificate.decided_at.date()
    if known.stale:
        return (
            f"The certificate of {on} is stale, so nothing follows from it:"
            f" {_end('; '.join(known.stale))}"
        )
    if known.certified:
        return f"None of the tools certified on {on} can be in force."
    return f"By the certificate of {on} no tool {clears_text(known.certificate)}."


def winner_why(certificate: Certificate, tool: str) -> str:
    """Return what a certificate says of the tool that it puts in force."""
    finding, on = certificate.finding_of[tool], certificate.decided_at.date()
    if finding.mean is None or finding.reason == "incumbent":
        return f"{tool} is in use, and by the certificate of {on} no cheaper tool is enough."
    relative = is_relative(certificate)
    what = "mean difference" if relative else "mean"
    return (
        f"{tool} {clears_text(certificate)}: {what} {mean_text(finding.mean, relative=relative)}"
        f" ({interval_text(finding, relative=relative)} at {percent_text(finding.level)}) over"
        f" {cases_text(finding.n)}, certified on {on}."
    )


def price_why(certificate: Certificate, tool: str, old: str | None) -> str:
    """Return what a thousand cases cost, beside the tool before; empty where it is not known."""
    found = certificate.finding_of
    price = found[tool].usd_per_case if tool in found else None
    if price is None:
        return ""
    said = f"A thousand cases cost {per_thousand(price)} with {tool}"
    before = found[old].usd_per_case if old is not None and old in found and old != tool else None
    return f"{said}." if before is None else f"{said}, {per_thousand(before)} with {old}."


def declared_why(tool: str, line: int | None, known: InForce | None) -> str:
    """Return that a tool is in force because it is declared so."""
    where = "" if line is None else f" (clearbar.toml:{line})"
    certified = known is not None and not known.stale
    also = certified and known is not None and tool in {each.name for each in known.certified}
    return f"{tool} is declared{where}" + (", and certified." if also else ", not certified.")


def cascade_why(tool: str, first: str, then: str, threshold: float) -> str:
    """Return how a cascade decides."""
    return (
        f"{tool}: the answer of {first} stands where its confidence is at least {threshold:.4g},"
        f" else {then} is asked."
    )


def no_threshold_why(tool: str) -> str:
    """Return why a certified cascade cannot be in force."""
    return f"{tool} is certified without its threshold on record: run the trial again."


def outside_why(tool: str, part: Tool, workflow: Workflow) -> str:
    """Return why a tool is left out for the workflow's data."""
    whose = "" if part.name == tool else f", as {part.name}"
    return (
        f"{tool} is left out{whose}: {part.data_class} data at most may be given to it, and this"
        f" is {workflow.data_class}."
    )


def alarm_why(alarm: Alarm, back_to: str | None) -> str:
    """Return the alarm, and where requests go now."""
    back = back_to or "the models that requests name"
    return f"Alarm of {alarm.at.date()} on {alarm.tool}: {_end(alarm.what)} Back to {back}."


def holdout_why(share: float, old: str | None) -> str:
    """Return who stays on the old tool."""
    where = old or "the models that they name"
    return f"{percent_text(share)} of requests stay on {where}, to measure the saving."


def protocol_why(tool: str, tools: Mapping[str, Tool], parts: tuple[str, ...]) -> str:
    """Return which requests the tool in force cannot answer; empty where it answers all."""
    kinds = {tools[each].kind for each in parts}
    spoken = [_PROTOCOL_OF[kind] for kind in PROTOCOLS if kind in kinds]
    if not spoken:
        return ""
    if len(spoken) > 1:
        return f"{tool} needs {listed(spoken)} protocol at once: no request can be answered by it."
    other = next(name for name in _PROTOCOL_OF.values() if name != spoken[0])
    return f"{tool} speaks {spoken[0]} protocol: requests in {other} are refused."


def _end(text: str) -> str:
    """Return a text as a sentence: with a full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
