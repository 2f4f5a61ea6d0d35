"""A certificate as plain JSON: stable names, money as decimal text, times as ISO 8601."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from clearbar.core.money import plain
from clearbar.trial.certifying.certificate_answer import answer, answer_text
from clearbar.trial.certifying.certificate_words import assumptions, why_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from clearbar.own.workflow import Bar
    from clearbar.trial.trial import Certificate, Error, Finding, Identity, Step

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "id": "SHA-256 of the certificate as it was recorded; null where it was not.",
        "answer": "`clears` (there is a winner), `fails` (there is none) or `undecided`.",
        "answer_text": "The answer as one sentence.",
        "winner": "The cheapest tool that clears the bar; null where none does.",
        "incumbent": "The tool in use; null where none is known.",
        "decided_at": "When the trial ended, in UTC.",
        "calls": "Calls bought in the trial.",
        "spent_usd": "What they cost, as text.",
        "warnings": "Evidence that looks broken, in words.",
        "stale": "What changed since, in words; empty while the certificate holds.",
        "assumptions": "What has to hold for it to mean what it says.",
        "identity": "What it is about: a change of any makes it stale.",
        "identity.workflow": "Name of the workflow; of recorded scores, what they are scores of.",
        "identity.bar": "The level to clear.",
        "identity.bar.at_least": "Absolute bar on the mean score; null of a relative bar.",
        "identity.bar.within": "Relative bar: how far below the tool `of`; null of an absolute.",
        "identity.bar.of": "The tool that a relative bar compares with.",
        "identity.bar.text": "The bar as declared; may be empty.",
        "identity.metric": "What is measured.",
        "identity.grader": "The grader and its settings.",
        "identity.prompt_digest": "Of the prompt that all tools were given.",
        "identity.cases_digest": "Of the ids and contents of all cases that could be drawn.",
        "identity.cases": "How many they are.",
        "identity.cases_from": "The window that they stand for: days, or the name of a file.",
        "identity.tools": "Tool -> digest of all that is declared of it.",
        "identity.error": "The error rates, fixed before the first case.",
        "identity.error.certify": "At most the share of such trials that certify wrongly.",
        "identity.error.drop": "Per tool, of failing one that is `slack` or more above the bar.",
        "identity.error.slack": "How far above the bar a tool has to be not to fail.",
        "identity.error.futility": "Below this predicted chance to clear, a tool is not asked on.",
        "identity.seed": "Fixes the order of the cases.",
        "findings": "One for each tool, in the order of trying: cheapest first.",
        "findings[].tool": "Name of the tool.",
        "findings[].tier": "`frontier`, `small`, `none` (no model at all) or `unknown`.",
        "findings[].outcome": "`clears`, `fails` or `undecided`.",
        "findings[].reason": "`evidence`, or why there is no decision: `futile`, `cases`, "
        "`budget`, `dearer`, `incumbent`, `data_class` or `broken`.",
        "findings[].why": "Outcome and reason in words, with the numbers.",
        "findings[].n": "Cases on which the decision rests.",
        "findings[].mean": "Mean score; of a relative bar, mean difference to the tool in use; "
        "null without a case.",
        "findings[].low": "Lower bound of the mean, valid however often one looks.",
        "findings[].high": "Upper bound of the mean.",
        "findings[].level": "Probability with which the interval holds at all times.",
        "findings[].alpha": "The share of `identity.error.certify` that this tool had.",
        "findings[].log_for": "Natural logarithm of the wealth of the bet that it clears.",
        "findings[].log_for_needed": "At this `log_for` it clears; null where it never can.",
        "findings[].log_against": "The same of the bet that it fails.",
        "findings[].log_against_needed": "At this `log_against` it fails; null where it never can.",
        "findings[].usd_per_case": "What a case costs in use, as text; null where not known.",
        "findings[].calls": "Calls bought of it in this trial.",
        "findings[].spent_usd": "What they cost, as text.",
        "findings[].spent_unpriced_calls": "Calls without a known price: not in `spent_usd`.",
        "findings[].labels": "Labels of people that its grades took.",
        "findings[].more_cases": "About how many more cases would decide; null if none would.",
        "findings[].more_usd": "About what they would cost, as text.",
        "findings[].note": "What a reader has to know: failures, the threshold of a cascade.",
        "findings[].threshold": "Of a cascade: the least confidence at which the first tool's "
        "answer stands; null of other tools.",
        "findings[].path": "The evidence path: what was known after `n` cases.",
        "findings[].path[].n": "Cases so far.",
        "findings[].path[].mean": "Their mean.",
        "findings[].path[].low": "Lower bound of the mean then.",
        "findings[].path[].high": "Upper bound of the mean then.",
        "findings[].path[].log_for": "As in the finding, then.",
        "findings[].path[].log_against": "As in the finding, then.",
    }
)
"""Every field, by its path, in the order in which they are written."""


def certificate_json(
    certificate: Certificate, *, identifier: str | None = None, stale: Sequence[str] = ()
) -> dict[str, object]:
    """Return a certificate as JSON values; `FIELD_DOCS` says what each field means.

    `identifier` and `stale` are known of recorded certificates only.
    """
    return {
        "id": identifier,
        "answer": answer(certificate),
        "answer_text": answer_text(certificate),
        "winner": certificate.winner,
        "incumbent": certificate.incumbent,
        "decided_at": certificate.decided_at.isoformat(),
        "calls": certificate.calls,
        "spent_usd": plain(certificate.spent_usd),
        "warnings": list(certificate.warnings),
        "stale": list(stale),
        "assumptions": list(assumptions(certificate)),
        "identity": _identity_json(certificate.identity),
        "findings": [_finding_json(each, certificate) for each in certificate.findings],
    }


def _identity_json(identity: Identity) -> dict[str, object]:
    return {
        "workflow": identity.workflow,
        "bar": _bar_json(identity.bar),
        "metric": identity.metric,
        "grader": identity.grader,
        "prompt_digest": identity.prompt_digest,
        "cases_digest": identity.cases_digest,
        "cases": identity.cases,
        "cases_from": identity.cases_from,
        "tools": dict(identity.tools),
        "error": _error_json(identity.error),
        "seed": identity.seed,
    }


def _bar_json(bar: Bar) -> dict[str, object]:
    return {"at_least": bar.at_least, "within": bar.within, "of": bar.of, "text": bar.text}


def _error_json(error: Error) -> dict[str, object]:
    return {
        "certify": error.certify,
        "drop": error.drop,
        "slack": error.slack,
        "futility": error.futility,
    }


def _finding_json(finding: Finding, certificate: Certificate) -> dict[str, object]:
    return {
        "tool": finding.tool,
        "tier": finding.tier,
        "outcome": finding.outcome,
        "reason": finding.reason,
        "why": why_text(finding, certificate),
        "n": finding.n,
        "mean": finding.mean,
        "low": finding.low,
        "high": finding.high,
        "level": finding.level,
        "alpha": finding.alpha,
        "log_for": _finite(finding.log_for),
        "log_for_needed": _finite(finding.log_for_needed),
        "log_against": _finite(finding.log_against),
        "log_against_needed": _finite(finding.log_against_needed),
        "usd_per_case": _money(finding.usd_per_case),
        "calls": finding.calls,
        "spent_usd": plain(finding.spent_usd),
        "spent_unpriced_calls": finding.spent_unpriced_calls,
        "labels": finding.labels,
        "more_cases": finding.more_cases,
        "more_usd": _money(finding.more_usd),
        "note": finding.note,
        "threshold": finding.threshold,
        "path": [_step_json(step) for step in finding.path],
    }


def _step_json(step: Step) -> dict[str, object]:
    return {
        "n": step.n,
        "mean": step.mean,
        "low": step.low,
        "high": step.high,
        "log_for": _finite(step.log_for),
        "log_against": _finite(step.log_against),
    }


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _finite(number: float) -> float | None:
    """Return a number that JSON can write: there is no infinity in it."""
    return number if math.isfinite(number) else None
