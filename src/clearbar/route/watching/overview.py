"""What the watch knows, read and never written: for people who look, and as plain JSON."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.money import plain
from clearbar.route.watching.pre_alarms import PreAlarms
from clearbar.route.watching.stand import Stand
from clearbar.route.watching.store import StoredAlarm, alarms, all_alarms, calls, samples
from clearbar.route.watching.watch import proposed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clearbar.core.store import Store
    from clearbar.own.card import Estimate
    from clearbar.route.watching.sample import Watched
    from clearbar.route.watching.saving import Saving

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "watched": "Routed tools, by workflow.",
        "watched[].workflow": "Name of the workflow.",
        "watched[].tool": "The tool in force.",
        "watched[].old_tool": "The tool to which an alarm goes back.",
        "watched[].certificate": "Id of the certificate that is watched over.",
        "watched[].kind": "What its answers are graded by: `score`, `difference` to the old tool, "
        "`agreement` with it; null before the first grade.",
        "watched[].bar": "What the mean may not fall under; null while it is learnt.",
        "watched[].graded": "Graded answers since the certificate.",
        "watched[].mean": "Their mean; null before the first.",
        "watched[].recent": "The mean of the last 50; null before the first.",
        "watched[].statistic": "How far the bets that it fell have come.",
        "watched[].threshold": "Where they are an alarm.",
        "watched[].signs": "What is unusual of late, in words; may be empty.",
        "alarms": "All alarms, newest first.",
        "alarms[].workflow": "Name of the workflow.",
        "alarms[].tool": "The tool that fell.",
        "alarms[].at": "When it was seen, ISO 8601 in UTC.",
        "alarms[].what": "The finding with its numbers.",
        "alarms[].in_force": "False once a newer certificate has ended it.",
        "alarms[].command": "The trial that is due; null once it has ended.",
        "savings": "Of workflows with a hold-out, by workflow.",
        "savings[].workflow": "Name of the workflow.",
        "savings[].usd_per_request": "What a routed request saves.",
        "savings[].usd_per_request.value": "US dollars.",
        "savings[].usd_per_request.low": "Lower bound; null of too few conversations.",
        "savings[].usd_per_request.high": "Upper bound; null of too few conversations.",
        "savings[].usd_per_request.level": "Coverage of the interval.",
        "savings[].usd_per_good": "The same for a good outcome; null where none was scored.",
        "savings[].share": "Share of the cost per request that is saved; null of a free tool.",
        "savings[].saved_usd": "What all routed requests saved, as text.",
        "savings[].holdout_conversations": "Conversations that stayed on the old tool.",
        "savings[].routed_conversations": "Conversations that were routed.",
        "savings[].holdout_requests": "Requests that stayed on the old tool.",
        "savings[].routed_requests": "Requests that were routed.",
        "savings[].unpriced_conversations": "Conversations left out, whose cost is not known.",
    }
)
"""Field -> meaning, for `clearbar route watch --json`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How one routed tool stands, and what is unusual of late."""

    stand: Stand
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """What the watch knows."""

    seen: tuple[Seen, ...]
    alarms: tuple[tuple[StoredAlarm, bool], ...]
    """Newest first, each with whether it stands."""
    savings: tuple[Saving, ...]


def overview(store: Store, watched: Iterable[Watched], savings: Mapping[str, Saving]) -> Overview:
    """Return what the watch knows of some routed tools; nothing is raised by looking."""
    standing = set(alarms(store).values())
    return Overview(
        tuple(_seen(store, each) for each in sorted(watched, key=lambda each: each.workflow)),
        tuple((each, each.alarm in standing) for each in reversed(all_alarms(store))),
        tuple(savings[workflow] for workflow in sorted(savings)),
    )


def overview_json(shown: Overview) -> dict[str, Any]:
    """Return an overview with the fields of `FIELD_DOCS`."""
    return {
        "watched": [_seen_json(each) for each in shown.seen],
        "alarms": [_alarm_json(each, in_force=stands) for each, stands in shown.alarms],
        "savings": [_saving_json(each) for each in shown.savings],
    }


def _seen(store: Store, watched: Watched) -> Seen:
    stand, signs = Stand(watched), PreAlarms()
    for sample in samples(store, watched.workflow, watched.tool, watched.decided_at):
        signs.take(sample)
        stand.take(sample)
    signs.take_calls(calls(store, watched))
    return Seen(stand, signs.raised)


def _seen_json(seen: Seen) -> dict[str, Any]:
    stand, watched = seen.stand, seen.stand.watched
    return {
        "workflow": watched.workflow,
        "tool": watched.tool,
        "old_tool": watched.old_tool,
        "certificate": watched.certificate_id,
        "kind": stand.kind,
        "bar": stand.bar,
        "graded": stand.n,
        "mean": stand.mean,
        "recent": stand.recent,
        "statistic": stand.statistic,
        "threshold": stand.threshold,
        "signs": list(seen.signs),
    }


def _alarm_json(stored: StoredAlarm, *, in_force: bool) -> dict[str, Any]:
    alarm = stored.alarm
    return {
        "workflow": alarm.workflow,
        "tool": alarm.tool,
        "at": alarm.at.isoformat(),
        "what": alarm.what,
        "in_force": in_force,
        "command": proposed(alarm).command if in_force else None,
    }


def _saving_json(saving: Saving) -> dict[str, Any]:
    return {
        "workflow": saving.workflow,
        "usd_per_request": _estimate_json(saving.each_usd),
        "usd_per_good": saving.per_good_usd and _estimate_json(saving.per_good_usd),
        "share": saving.share,
        "saved_usd": plain(saving.saved_usd),
        "holdout_conversations": saving.holdout.units,
        "routed_conversations": saving.routed.units,
        "holdout_requests": int(saving.holdout.requests),
        "routed_requests": int(saving.routed.requests),
        "unpriced_conversations": saving.holdout.unpriced + saving.routed.unpriced,
    }


def _estimate_json(estimate: Estimate) -> dict[str, float | None]:
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "level": estimate.level,
    }
