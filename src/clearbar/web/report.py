"""The page: one scorecard and its verdicts as a single HTML file that opens offline.

Never here: a verdict, an estimate, a file other than the page's own template.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined

from clearbar.core.money import usd
from clearbar.gate.gather import budget_month
from clearbar.web import card_plots, figures, plots
from clearbar.web.gathered_days import GatheredDays, gather
from clearbar.web.page import digest_of, source_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from markupsafe import Markup

    from clearbar.gate.verdict import Verdict
    from clearbar.own.card import Scorecard, WorkflowCard

DECISIONS: Final = ("fund", "pause", "kill", "none")
"""In the order of the stacked bar; `none` is a workflow without a verdict."""


MODELS_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """One workflow as the page shows it."""

    anchor: str
    card: WorkflowCard
    verdict: Verdict | None
    days: GatheredDays

    @property
    def decision(self) -> str:
        """One of `DECISIONS`."""
        return self.verdict.decision if self.verdict else "none"


@dataclass(frozen=True, slots=True)
class Purse:
    """The period's money under one decision, or under none."""

    decision: str
    workflows: int
    cost_usd: Decimal
    share: float | None
    """Of the total; None where the total is not above zero."""


def render(scorecard: Scorecard, verdicts: Sequence[Verdict], *, workspace_name: str) -> str:
    """Return the page. It loads nothing, needs no script, and shows every text as text."""
    entries = _entries(scorecard.cards, {verdict.workflow: verdict for verdict in verdicts})
    purses = _purses(scorecard, entries)
    style, script = source_of("report.css"), source_of("report.js")
    template = _environment().get_template("report.html.jinja")
    return template.render(
        workspace_name=workspace_name,
        scorecard=scorecard,
        entries=entries,
        purses=purses,
        money_bar=_money_bar(purses),
        cost_scale=card_plots.cost_scale(scorecard.cards),
        levels=_levels(scorecard.cards),
        month=figures.month_text(budget_month(scorecard.as_of)),
        period=figures.period_text(scorecard.period),
        period_argument=figures.period_argument(scorecard.period),
        style=style,
        script=script,
        content_policy=_content_policy(style, script),
    )


def _entries(cards: Iterable[WorkflowCard], verdicts: Mapping[str, Verdict]) -> tuple[Entry, ...]:
    taken: set[str] = set()
    entries = []
    for number, card in enumerate(cards, 1):
        name = card.workflow.name
        anchor = "w-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        anchor = f"{anchor}.{number}" if anchor in taken else anchor
        taken.add(anchor)
        entries.append(Entry(anchor, card, verdicts.get(name), gather(card.days)))
    return tuple(entries)


def _purses(scorecard: Scorecard, entries: Sequence[Entry]) -> tuple[Purse, ...]:
    costs: dict[str, list[Decimal]] = {decision: [] for decision in DECISIONS}
    for entry in entries:
        costs[entry.decision].append(entry.card.usage.cost_usd)
    total = scorecard.total.cost_usd
    held = [
        Purse(decision, len(each), (spent := sum(each, Decimal(0))), figures.share(spent, total))
        for decision, each in costs.items()
    ]
    loose = scorecard.unattributed.cost_usd
    return (*held, Purse("unattributed", 0, loose, figures.share(loose, total)))


def _money_bar(purses: Sequence[Purse]) -> Markup:
    parts = [
        plots.Part(f"{purse.decision}: {usd(purse.cost_usd)}", purse.cost_usd, purse.decision)
        for purse in purses
        if purse.cost_usd
    ]
    return plots.stacked_bar(parts, f"Spend by verdict: {', '.join(part.label for part in parts)}")


def _levels(cards: Iterable[WorkflowCard]) -> tuple[str, ...]:
    estimates = (
        estimate
        for card in cards
        for estimate in (card.cost_per_good_usd, card.return_usd, card.mean_score)
    )
    levels = sorted({estimate.level for estimate in estimates if estimate})
    return tuple(f"{level * 100:.4g}" for level in levels)


def _content_policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; img-src data:; style-src '{digest_of(style)}';"
        f" script-src '{digest_of(script)}'; base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(source_of),
        autoescape=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        usd=usd,
        exact=figures.exact,
        count=figures.count_text,
        share=figures.share_text,
        growth=figures.growth_text,
        interval=figures.interval_text,
        outlook=figures.outlook_text,
        score=figures.score_text,
        bar=figures.bar_text,
        day=figures.long_day,
        quoted=shlex.quote,
    )
    environment.globals.update(
        share=figures.share,
        TIER_WORDS=card_plots.TIER_WORDS,
        MODELS_SHOWN=MODELS_SHOWN,
        decade_axis=plots.decade_axis,
        decade_lines=plots.decade_lines,
        spend_sparkline=card_plots.spend_sparkline,
        days_plot=card_plots.days_plot,
        tier_bar=card_plots.tier_bar,
        main_tier=card_plots.main_tier,
        cost_interval=card_plots.cost_interval,
        score_interval=card_plots.score_interval,
        budget_bullet=card_plots.budget_bullet,
    )
    return environment
