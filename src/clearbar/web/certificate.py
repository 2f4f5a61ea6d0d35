"""The page of a certificate: one HTML file that opens offline, with the evidence drawn.

Never here: a decision, a figure that is not in the certificate, a script.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from clearbar.core.money import usd
from clearbar.trial.certifying import certificate_words as words
from clearbar.trial.certifying.certificate_answer import answer, answer_text
from clearbar.web import plots
from clearbar.web.card_plots import TIER_WORDS
from clearbar.web.evidence_plot import evidence_plot
from clearbar.web.figures import exact, long_day, share_text
from clearbar.web.page import digest_of, source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from decimal import Decimal

    from clearbar.own.workflow import Bar
    from clearbar.trial.trial import Certificate, Finding

_ALL_POINTS: Final = 800
"""Of all paths on a page together, so that it stays small however many tools there are."""
_FEWEST_POINTS: Final = 20
_MOST_POINTS: Final = 160
_AIR: Final = 0.08
_LEAST_SPAN: Final = 0.05


@dataclass(frozen=True, slots=True)
class Entry:
    """One tool as the page shows it."""

    anchor: str
    finding: Finding
    word: str
    """Its outcome as people read it: also its class in the style sheet."""
    why: str
    interval: Markup
    """Empty where it was not asked."""
    evidence: Markup


@dataclass(frozen=True, slots=True)
class MeanScale:
    """The part of all scores (or differences) that the tools' intervals are drawn in."""

    low: float
    high: float

    def at(self, level: float) -> float:
        """Return where a level lies: 0 at the left end, 1 at the right."""
        return min(max((level - self.low) / (self.high - self.low), 0.0), 1.0)

    def end(self, bound: float | None) -> float | None:
        """Return a bound that can be drawn; None where it lies outside."""
        return bound if bound is not None and self.low <= bound <= self.high else None


def render(
    certificate: Certificate, *, identifier: str | None = None, stale: Sequence[str] = ()
) -> str:
    """Return the page. It loads nothing, has no script, and shows every text as text."""
    style = source_of("report.css") + source_of("certificate.css")
    relative = words.is_relative(certificate)
    scale = mean_scale(certificate.findings, bar_level(certificate.identity.bar))
    rows, unasked = words.split_unasked(certificate)
    template = _environment().get_template("certificate.html.jinja")
    return template.render(
        certificate=certificate,
        identity=certificate.identity,
        identifier=identifier,
        stale=stale,
        answer=answer(certificate),
        answer_text=answer_text(certificate),
        entries=_entries(certificate, rows, scale),
        unasked=words.unasked_text(unasked) if unasked else "",
        scale=scale,
        won=certificate.finding_of.get(certificate.winner or ""),
        used=certificate.finding_of.get(certificate.incumbent or ""),
        saved=_saved(certificate),
        relative=relative,
        bar=words.bar_text(certificate.identity.bar, certificate.identity.metric),
        levels=sorted({words.percent_text(each.level) for each in certificate.findings}),
        lines=tuple(words.lines_of(certificate)),
        assumptions=words.assumptions(certificate),
        style=style,
        content_policy=f"default-src 'none'; img-src data:; style-src '{digest_of(style)}';"
        " base-uri 'none'; form-action 'none'",
    )


def bar_level(bar: Bar) -> float:
    """Return the level that the mean has to clear: of a relative bar a difference."""
    return bar.at_least if bar.at_least is not None else -(bar.within or 0.0)


def _entries(
    certificate: Certificate, findings: Sequence[Finding], scale: MeanScale
) -> tuple[Entry, ...]:
    relative = words.is_relative(certificate)
    level = bar_level(certificate.identity.bar)
    drawn = sum(1 for finding in findings if finding.path)
    points = min(max(_ALL_POINTS // max(drawn, 1), _FEWEST_POINTS), _MOST_POINTS)
    return tuple(
        Entry(
            anchor=f"t{number}",
            finding=each,
            word=words.outcome_text(each),
            why=words.why_text(each, certificate),
            interval=_interval(each, scale, level, relative=relative),
            evidence=evidence_plot(each, level, relative=relative, points=points),
        )
        for number, each in enumerate(findings, 1)
    )


def mean_scale(findings: Iterable[Finding], level: float) -> MeanScale:
    """Return the scale on which all means and the bar have a place, with some air around."""
    held = [level]
    for finding in findings:
        if finding.mean is not None:
            near = [each for each in (finding.low, finding.high) if each is not None]
            width = max(near) - min(near) if near else 0.0
            held += [finding.mean, *(near if width < 2 * _LEAST_SPAN else ())]
    air = max(max(held) - min(held), _LEAST_SPAN) * _AIR + 0.01
    return MeanScale(min(held) - air, min(max(held) + air, 1.0))


def _interval(finding: Finding, scale: MeanScale, level: float, *, relative: bool) -> Markup:
    if finding.mean is None:
        return Markup()
    mean = words.mean_text(finding.mean, relative=relative)
    bounds = words.interval_text(finding, relative=relative)
    ends = (scale.end(finding.low), scale.end(finding.high))
    backdrop = plots.unit_track(scale.at(level))
    return plots.interval(finding.mean, ends, scale.at, f"{mean}, {bounds}", backdrop)


def _saved(certificate: Certificate) -> float | None:
    """Return the share of the price in use that the winner saves; None where it is not known."""
    won = certificate.finding_of.get(certificate.winner or "")
    used = certificate.finding_of.get(certificate.incumbent or "")
    if won is None or used is None or won is used:
        return None
    if won.usd_per_case is None or not used.usd_per_case:
        return None
    return float(1 - won.usd_per_case / used.usd_per_case)


def _exact_case(amount: Decimal) -> str:
    return f"{exact(amount)} a case"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(source_of),
        autoescape=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    filters: dict[str, Callable[..., str]] = {
        "usd": usd,
        "day": long_day,
        "share": share_text,
        "exact_case": _exact_case,
        "thousand": words.per_thousand,
        "percent": words.percent_text,
        "cases": words.cases_text,
        "mean": words.mean_text,
        "interval": words.interval_text,
    }
    environment.filters.update(filters)
    environment.globals.update(TIER_WORDS=TIER_WORDS)
    return environment
