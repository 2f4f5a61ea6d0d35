"""The answer of a certificate: who won, at what price, or why nobody did, in one sentence.

Never here: a decision, markup, a width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from clearbar.trial.certifying.certificate_words import (
    BROKEN,
    bar_text,
    clears_text,
    ended_text,
    is_relative,
    listed,
    more_text,
    per_thousand,
    percent_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.trial.trial import Certificate, Finding, Reason

Answer = Literal["clears", "fails", "undecided"]
"""Of the whole trial: a tool is certified, none is, or more cases would tell."""

_OPEN: Final[frozenset[Reason]] = frozenset({"cases", "budget"})
"""Reasons for which more cases or more money might still bring a decision."""
_NEVER_ASKED: Final[frozenset[Reason]] = frozenset({"data_class", "broken"})


def answer(certificate: Certificate) -> Answer:
    """Return what the trial as a whole found."""
    if certificate.winner is not None:
        return "clears"
    return "undecided" if _open(certificate) else "fails"


def answer_text(certificate: Certificate) -> str:
    """Return the answer as one sentence: who won at what price, or why nobody did."""
    kind = answer(certificate)
    if kind == "clears":
        return _won_text(certificate, certificate.finding_of[certificate.winner or ""])
    return _undecided_text(certificate) if kind == "undecided" else _none_text(certificate)


def _open(certificate: Certificate) -> tuple[Finding, ...]:
    return tuple(each for each in certificate.findings if each.reason in _OPEN or _is_torn(each))


def _is_torn(finding: Finding) -> bool:
    """Say whether a tool was asked and its evidence is broken: the rest of it decides nothing."""
    return finding.reason == "broken" and finding.n > 0


def _won_text(certificate: Certificate, won: Finding) -> str:
    used = ", in use," if won.tool == certificate.incumbent else ""
    does = "is" if is_relative(certificate) else "does"
    rate = percent_text(certificate.identity.error.certify)
    return (
        f"{won.tool}{used} {clears_text(certificate)}{_place_text(certificate, won)}: "
        f"{_price_text(certificate, won)}; "
        f"at most {rate} of such trials certify a tool that {does} not."
    )


def _place_text(certificate: Certificate, won: Finding) -> str:
    """Return that it is the cheapest, as far as prices are known and cheaper tools decided."""
    findings = certificate.findings
    priced = sum(1 for each in findings if each.usd_per_case is not None)
    if len(findings) == 1 or won.usd_per_case is None:
        return ""
    kind = "tools" if priced == len(findings) else "priced tools"
    behind = [
        each.tool
        for each in findings[: findings.index(won)]
        if each.outcome == "undecided" and each.reason != "incumbent"
    ]
    if behind:
        return f" and is the cheapest of {priced} {kind} shown to ({listed(behind)} undecided)"
    does = "is" if is_relative(certificate) else "does"
    return f" and is the cheapest of {priced} {kind} that {does}"


def _price_text(certificate: Certificate, won: Finding) -> str:
    if won.usd_per_case is None:
        return "its price is not known"
    text = f"{per_thousand(won.usd_per_case)} per thousand cases"
    used = certificate.finding_of.get(certificate.incumbent or "")
    if used is None or used is won or used.usd_per_case is None:
        return text
    return f"{text} instead of {per_thousand(used.usd_per_case)}"


def _undecided_text(certificate: Certificate) -> str:
    left = _open(certificate)
    first = next((each for each in left if each.more_cases is not None), left[0])
    bar = bar_text(certificate.identity.bar, certificate.identity.metric)
    ended = ended_text(certificate, first)
    few = ended.startswith("there are")
    text = (
        f"{ended} to decide on {first.tool}" if few else f"{ended} before {first.tool} was decided"
    )
    if _is_torn(first):
        text = f"{first.tool}: {BROKEN}"
    elif more := more_text(first):
        text = f"{first.tool} needs {more}"
    others = [each.tool for each in left if each is not first]
    rest = (
        f"; {listed(others)} {'is' if len(others) == 1 else 'are'} undecided too" if others else ""
    )
    return f"Undecided on {bar}: {text}{rest}."


def _none_text(certificate: Certificate) -> str:
    tried = [each for each in certificate.findings if each.reason != "incumbent"]
    asked = [each for each in tried if each.reason not in _NEVER_ASKED]
    if not asked:
        what = "no tool could be tried" if tried else "there was no tool to try"
        return f"Nothing is decided: {what}."
    used = certificate.finding_of.get(certificate.incumbent or "")
    who = "No tool" if used is None or used in asked else "No cheaper tool"
    futile = sum(1 for each in asked if each.outcome == "undecided")
    does, do = ("is", "be") if is_relative(certificate) else ("clears", "clear")
    bar = bar_text(certificate.identity.bar, certificate.identity.metric)
    claim = f"can be shown to {do} {bar}" if futile else f"{does} {bar}"
    return f"{who} {claim}: {_counted(asked, futile, len(tried) - len(asked))}."


def _counted(asked: Sequence[Finding], futile: int, never: int) -> str:
    failed = len(asked) - futile
    parts = []
    if failed:
        parts.append(f"{failed} fail{'s' if failed == 1 else ''}")
    if futile:
        are = "is" if futile == 1 else "are"
        parts.append(f"{futile} {are} too unlikely to within the cases and the budget")
    if never:
        parts.append(f"{never} could not be asked")
    return listed(parts)
