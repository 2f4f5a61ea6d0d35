"""A certificate in words: its figures, why each tool ended as it did, and what all of it rests on.

The terminal, the page and JSON say the same sentences; they stand here once. Never here: a
decision, markup, a width.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from clearbar.core.money import usd
from clearbar.trial.certifying.certificate import LABELS_WANTED, STOPPED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from clearbar.own.workflow import Bar
    from clearbar.trial.trial import Certificate, Finding, Reason

_THOUSAND: Final = 1000
_MOST_NAMES: Final = 3
_GREATEST_WEALTH: Final = 9_999_999
BROKEN: Final = "part of its evidence is broken"


def bar_text(bar: Bar, metric: str = "score") -> str:
    """Return a bar as people write it: as declared, else made from its level."""
    if bar.text:
        return bar.text
    if bar.at_least is not None:
        return f"{metric} >= {bar.at_least:g}"
    return f"within {bar.within:g} of {bar.of}"


def clears_text(certificate: Certificate) -> str:
    """Return what a tool does that passes: `clears resolved >= 0.92`, `is within 0.03 of opus`."""
    identity = certificate.identity
    text = bar_text(identity.bar, identity.metric)
    return f"clears {text}" if identity.bar.at_least is not None else f"is {text}"


def is_relative(certificate: Certificate) -> bool:
    """Return whether means are differences to the tool in use, and not scores."""
    return certificate.identity.bar.at_least is None


def per_thousand(usd_per_case: Decimal | None) -> str:
    """Return the price of a thousand cases: `$0.42`; `-` where it is not known."""
    return usd(None if usd_per_case is None else usd_per_case * _THOUSAND)


def mean_text(mean: float | None, *, relative: bool) -> str:
    """Return a mean with three decimals, a difference with its sign; `-` without a case."""
    return "-" if mean is None else f"{mean:{'+' if relative else ''}.3f}"


def interval_text(finding: Finding, *, relative: bool) -> str:
    """Return the bounds of the mean: `0.912..0.968`; empty without a case.

    Bounds are rounded outwards, so that the text never claims more than the numbers.
    """
    if finding.mean is None or finding.low is None or finding.high is None:
        return ""
    low, high = math.floor(finding.low * 1000) / 1000, math.ceil(finding.high * 1000) / 1000
    sign = "+" if relative else ""
    return f"{low:{sign}.3f}..{high:{sign}.3f}"


def percent_text(share: float) -> str:
    """Return a share in percent without needless digits: `5%`, `0.1%`."""
    return f"{100 * share:.4g}%"


def wealth_text(log_wealth: float) -> str:
    """Return the wealth of a bet that began with 1: `0.03`, `20`, `1,204`."""
    if log_wealth > math.log(_GREATEST_WEALTH):
        return f"over {_GREATEST_WEALTH + 1:,}"
    wealth = math.exp(log_wealth)
    return f"{wealth:,.0f}" if wealth >= 10 else f"{wealth:.2g}"  # noqa: PLR2004 - two digits


def cases_text(count: int) -> str:
    """Return a number of cases: `1 case`, `1,204 cases`."""
    return f"{count:,} case{'' if count == 1 else 's'}"


def why_text(finding: Finding, certificate: Certificate) -> str:
    """Return why a tool ended as it did, in words that need no other line."""
    return _joined(_reason_text(finding, certificate), finding.note)


def grader_text(grader: str) -> str:
    """Return a grader for people: its kind, then its settings; other texts as they are."""
    try:
        settings = json.loads(grader)
    except ValueError:
        return grader
    if not isinstance(settings, dict) or "kind" not in settings:
        return grader
    kind = settings.pop("kind")
    said = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in settings.items()]
    return ", ".join([str(kind), *said])


def _who_scores(grader: str) -> str:
    return "people give, through this judge" if '"label_share"' in grader else "this grader gives"


def outcome_text(finding: Finding) -> str:
    """Return the outcome as people read it: as it is, or `in use`, or `not asked`."""
    if finding.outcome != "undecided":
        return finding.outcome
    if finding.reason == "incumbent":
        return "in use"
    return "undecided" if finding.n else "not asked"


def split_unasked(
    certificate: Certificate,
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return the findings that deserve a row, and the tools, if many, never asked as too dear."""
    unasked = tuple(
        each
        for each in certificate.findings
        if each.reason == "dearer" and not each.n and each.tool != certificate.incumbent
    )
    if len(unasked) <= _MOST_NAMES:
        return certificate.findings, ()
    return tuple(each for each in certificate.findings if each not in unasked), unasked


def unasked_text(unasked: Sequence[Finding]) -> str:
    """Return the tools that were never asked, with what is known of their prices."""
    named = [
        each.tool
        if each.usd_per_case is None
        else f"{each.tool} ({per_thousand(each.usd_per_case)})"
        for each in unasked
    ]
    return (
        f"{len(named)} more tools were not asked, as a cheaper one had cleared: {', '.join(named)}."
    )


def more_text(finding: Finding) -> str:
    """Return what a decision would still take: `about 130 more cases, about $0.40`, or nothing."""
    if finding.more_cases is None:
        return ""
    money = "" if finding.more_usd is None else f", about {usd(finding.more_usd)}"
    return f"about {finding.more_cases:,} more case{'' if finding.more_cases == 1 else 's'}{money}"


def assumptions(certificate: Certificate) -> tuple[str, ...]:
    """Return what has to hold for the certificate to mean what it says."""
    identity, error = certificate.identity, certificate.identity.error
    level = _fail_level(identity.bar, error.slack)
    drawn = (
        f"The cases ({identity.cases_from}) stand for the traffic to come: they were drawn from "
        "it at random, and it stays like them."
    )
    apart = (
        "Cases do not depend on each other: those that share a cluster count as one, and no case "
        "that a tool was trained or prompted with was tried."
    )
    graded = (
        "What is certified is the mean score, not each answer, and it is the score that "
        f"{_who_scores(identity.grader)}: {grader_text(identity.grader)}."
    )
    rates = (
        f"At most {percent_text(error.certify)} of such trials certify a tool that is below the "
        "bar, over all tools together and however often one looks. A tool that fails was shown to "
        f"be below {level}; of the tools at or above that, at most {percent_text(error.drop)} fail."
    )
    holds = (
        "It holds for these versions of the tools, this prompt, grader and bar, and these cases. "
        "A change of any makes it stale."
    )
    return drawn, apart, graded, rates, holds


def _fail_level(bar: Bar, slack: float) -> str:
    """Return the level that a tool which fails was shown to be below: `slack` above the bar."""
    if bar.at_least is not None:
        return f"{bar.at_least + slack:.4g}"
    return f"a difference of {slack - (bar.within or 0):+.4g} to {bar.of}"


def ended_text(certificate: Certificate, finding: Finding) -> str:
    """Return what kept an open tool from being decided."""
    if LABELS_WANTED in certificate.warnings:
        return "labels are wanted"
    if STOPPED in certificate.warnings:
        return "the trial was stopped"
    if finding.reason == "budget":
        return "the money ran out"
    return "the cases ran out" if finding.n else "there are too few cases"


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them, at most a few of them by name."""
    shown = [
        *names[:_MOST_NAMES],
        *([f"{left} more"] if (left := len(names) - _MOST_NAMES) > 0 else []),
    ]
    *first, last = shown
    return f"{', '.join(first)} and {last}" if first else last


def _reason_text(finding: Finding, certificate: Certificate) -> str:
    if finding.outcome != "undecided":
        return _evidence_text(finding, certificate)
    more = more_text(finding)
    texts: dict[Reason, str] = {
        "evidence": "",
        "futile": "too unlikely to clear within the cases and the budget",
        "cases": _joined(ended_text(certificate, finding), f"needs {more}" if more else ""),
        "budget": _joined(ended_text(certificate, finding), f"needs {more}" if more else ""),
        "dearer": "a cheaper tool had cleared",
        "incumbent": "in use: the others are compared with it",
        "data_class": "it may not be given this workflow's data",
        "broken": BROKEN if finding.n else "could not be asked",
    }
    return texts[finding.reason]


def _evidence_text(finding: Finding, certificate: Certificate) -> str:
    if finding.reason == "incumbent":
        return "in use: the others are compared with it"
    if finding.outcome == "clears":
        return _reached_text("", finding.log_for, finding.log_for_needed)
    level = _fail_level(certificate.identity.bar, certificate.identity.error.slack)
    needed = finding.log_against_needed
    return _reached_text(f" that it is below {level}", finding.log_against, needed)


def _reached_text(what: str, log_wealth: float, log_needed: float) -> str:
    reached, needed = wealth_text(log_wealth), wealth_text(log_needed)
    return f"the bet{what or ' that it clears'} made 1 into {reached}; {needed} were needed"


def lines_of(certificate: Certificate) -> Iterator[tuple[str, str]]:
    """Yield what the certificate is about, as names and values."""
    identity, error = certificate.identity, certificate.identity.error
    yield "workflow", identity.workflow
    yield "bar", bar_text(identity.bar, identity.metric)
    yield "cases", f"{identity.cases:,} from {identity.cases_from}"
    yield "grader", grader_text(identity.grader)
    certify, drop = percent_text(error.certify), percent_text(error.drop)
    yield "errors", f"certify wrongly {certify} over all tools, fail wrongly {drop} a tool"
    yield "seed", str(identity.seed)
    yield "decided", f"{certificate.decided_at:%Y-%m-%d %H:%M} UTC"
    yield "trial", f"{certificate.calls:,} calls bought, {usd(certificate.spent_usd)}"
