"""Reads `[[workflow]]` and `[[tier]]` of clearbar.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from clearbar.core.errors import ClearbarError
from clearbar.core.toml_kinds import (
    DAYS,
    GLOB,
    TEXT,
    USD,
    choice,
    list_of,
    table_of,
)
from clearbar.core.toml_table import Key, Kind, Place, Table
from clearbar.own.bar import read_bar
from clearbar.own.match_rule import MATCH_RULES
from clearbar.own.workflow import UNATTRIBUTED, MatchRule, Metric, Stakes, TierRule, Workflow
from clearbar.tools.tool import DataClass, Tier

if TYPE_CHECKING:
    from decimal import Decimal

    from clearbar.own.workflow import Bar, MatchRule

STAKES: Final[tuple[Stakes, ...]] = get_args(Stakes)
DATA_CLASSES: Final[tuple[DataClass, ...]] = get_args(DataClass)
_DECLARED_TIERS: Final[tuple[Tier, ...]] = ("frontier", "small", "none")


def _workflow_name(value: object, place: Place) -> str:
    name = TEXT.read(value, place)
    if name == UNATTRIBUTED:
        raise ClearbarError(f'"{name}" is the line of what no workflow took', "choose another")
    return name


METRIC_NAME: Final = Key(
    "name", TEXT, "", "What is measured of each outcome.", '"resolved"', required=True
)
METRIC_UNIT: Final = Key("unit", TEXT, "", "What one outcome is.", '"ticket"', required=True)
METRIC_FROM: Final = Key(
    "from",
    TEXT,
    "",
    "Where the scores come from, in words or as a path.",
    '"outcomes/support.csv"',
    required=True,
)


def _metric(table: Table) -> Metric:
    return Metric(table.take(METRIC_NAME), table.take(METRIC_UNIT), table.take(METRIC_FROM))


NAME: Final = Key(
    "name",
    Kind("text", _workflow_name),
    "",
    "The one name of the workflow, everywhere.",
    '"support-replies"',
    required=True,
)
OWNER: Final[Key[str | None]] = Key(
    "owner",
    TEXT,
    None,
    "The accountable person; spending without one ends in a kill.",
    '"support-lead@example.com"',
)
PURPOSE: Final[Key[str | None]] = Key(
    "purpose", TEXT, None, "What it is for, in one sentence.", '"Draft replies to support tickets"'
)
METRIC: Final[Key[Metric | None]] = Key(
    "metric",
    table_of((METRIC_NAME, METRIC_UNIT, METRIC_FROM), _metric),
    None,
    "What proves that it works; spending without one ends in a kill.",
    '{ name = "resolved", unit = "ticket", from = "outcomes/support.csv" }',
)
BAR: Final[Key[tuple[Bar, str | None] | None]] = Key(
    "bar",
    Kind("bar", lambda value, place: read_bar(TEXT.read(value, place))),
    None,
    "The level that the metric has to clear: absolute, or relative to the tool in use.",
    '"resolved >= 0.92", or "within 0.02 of claude-opus-4-6"',
)
STAKES_KEY: Final[Key[Stakes]] = Key(
    "stakes", choice(STAKES), "normal", "What a wrong answer costs.", '"high"'
)
BUDGET: Final[Key[Decimal | None]] = Key(
    "budget_usd_month", USD, None, "What it may spend in a calendar month.", '"900"'
)
WORTH: Final[Key[Decimal | None]] = Key(
    "worth_usd",
    USD,
    None,
    "Worth of one good outcome, where the outcome itself does not say.",
    '"1.20"',
)
DATA_CLASS: Final[Key[DataClass]] = Key(
    "data_class",
    choice(DATA_CLASSES),
    "internal",
    "How its data may travel; restricted data may go to in-house providers only.",
    '"restricted"',
)
NEXT_STEP: Final[Key[str | None]] = Key(
    "next_step",
    TEXT,
    None,
    "What its owner does next with it.",
    '"Trial a small model on the ten commonest questions"',
)
KILL: Final[Key[tuple[str, ...]]] = Key(
    "kill",
    list_of(TEXT),
    (),
    "The conditions, agreed beforehand, any of which ends it.",
    '["usd_per_good > 0.30 for 28d", "return_usd < 0 for 60d"]',
)
REVIEW: Final[Key[int | None]] = Key(
    "review", DAYS, None, "How long a defence of it holds, instead of the policy's time.", '"60d"'
)
MATCH: Final[Key[tuple[MatchRule, ...]]] = Key(
    "match",
    MATCH_RULES,
    (),
    "Which charges are its own, the first matching rule of the file wins: dimension or label.KEY ="
    " glob or globs, all of which have to match. Without rules: the charges whose caller named it.",
    '[{ service = "support-*" }, { project = ["helpdesk", "tickets"], "label.channel" = "email" }]',
)

WORKFLOW_KEYS: Final = (
    NAME,
    OWNER,
    PURPOSE,
    METRIC,
    BAR,
    STAKES_KEY,
    BUDGET,
    WORTH,
    DATA_CLASS,
    NEXT_STEP,
    KILL,
    REVIEW,
    MATCH,
)


def read_workflow(table: Table) -> Workflow:
    """Return the workflow. Its kill rules stay texts: the gate, further up, reads those."""
    metric = table.take(METRIC)
    return Workflow(
        name=table.take(NAME),
        owner=table.take(OWNER),
        purpose=table.take(PURPOSE),
        metric=metric,
        bar=_bar_of(table, metric),
        stakes=table.take(STAKES_KEY),
        budget_usd_month=table.take(BUDGET),
        worth_usd=table.take(WORTH),
        data_class=table.take(DATA_CLASS),
        next_step=table.take(NEXT_STEP),
        kill_rules=table.take(KILL),
        review_days=table.take(REVIEW),
        match_rules=table.take(MATCH),
        line=table.place.line,
    )


def _bar_of(table: Table, metric: Metric | None) -> Bar | None:
    taken = table.take(BAR)
    if taken is None:
        return None
    bar, named = taken
    if named is not None and METRIC.name not in table.values:
        table.place.at(BAR.name).fault(f'"{named}" is no metric of this workflow: it declares none')
    elif named is not None and metric is not None and metric.name and named != metric.name:
        table.place.at(BAR.name).fault(
            f'expected the metric "{metric.name}" of this workflow, found "{named}"'
        )
    return bar


TIER_MODEL: Final = Key(
    "model",
    GLOB,
    "",
    "Glob over the model's name, and over what follows a / : or . in it.",
    '"acme-finetune-*"',
    required=True,
)
TIER: Final[Key[Tier]] = Key(
    "tier", choice(_DECLARED_TIERS), "unknown", "The class of the tool.", '"small"', required=True
)
TIER_KEYS: Final = (TIER_MODEL, TIER)


def read_tier(table: Table) -> TierRule:
    """Return the tier rule."""
    return TierRule(table.take(TIER_MODEL), table.take(TIER))
