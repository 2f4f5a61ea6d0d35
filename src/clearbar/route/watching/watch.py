"""The supervisor's side of the watch: samples -> alarms, verdicts in the docket, proposed trials.

An alarm and its verdict are one commit. From then on `alarms` names the workflow, whose route goes
back to the old tool with the next table, within seconds. A false alarm costs the difference in
price until the next trial; that is why it acts at once and asks nobody. It ends with the workflow's
next certificate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from clearbar.gate.docket import append_within, entries
from clearbar.gate.docket_entries import said
from clearbar.gate.facts import Drift
from clearbar.gate.verdict import Reason, Verdict
from clearbar.route.route import Alarm
from clearbar.route.watching.drift import DEFAULT_RUN_LENGTH
from clearbar.route.watching.pre_alarms import PreAlarms, raised_share
from clearbar.route.watching.sample import Watched
from clearbar.route.watching.stand import Stand
from clearbar.route.watching.store import StoredAlarm, alarms, calls, raise_within, samples

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from clearbar.core.store import Store
    from clearbar.route.route import Route, RouteTable
    from clearbar.trial.trial import Certificate

RULE: Final = "drifted"
"""The rule of the gate that says the same while the alarm stands."""
_FUNDS: Final = "fund"
_DAYS: Final = 30
"""For which a verdict holds where none was recorded before."""

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A trial that is due."""

    workflow: str
    command: str
    why: str


class Watch:
    """All routed tools of one workspace. Used by one thread; made anew, it knows the same."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stands: dict[_Key, Stand] = {}
        self._signs: dict[_Key, PreAlarms] = {}

    @property
    def stands(self) -> tuple[Stand, ...]:
        """How the tools that are watched stand, by workflow."""
        return tuple(self._stands[key] for key in sorted(self._stands))

    def step(self, watched: Iterable[Watched], now: datetime) -> tuple[Alarm, ...]:
        """Take in what is new of the watched tools; return the alarms that this raised."""
        listed = {_key(each): each for each in watched}
        for key in self._stands.keys() - listed.keys():
            del self._stands[key], self._signs[key]
        raised = [self._follow(key, each, now) for key, each in listed.items()]
        return tuple(each for each in raised if each is not None)

    def pre_alarms(self) -> dict[str, tuple[str, ...]]:
        """Return what has been seen of late, in words, by workflow."""
        return {key[0]: signs.raised for key, signs in self._signs.items() if signs.raised}

    def _follow(self, key: _Key, watched: Watched, now: datetime) -> Alarm | None:
        if key not in self._stands or self._stands[key].watched != watched:
            self._stands[key], self._signs[key] = Stand(watched), PreAlarms()
        stand, signs = self._stands[key], self._signs[key]
        before = stand.alarmed
        found = samples(
            self._store, watched.workflow, watched.tool, watched.decided_at, stand.last_sample
        )
        for sample in found:
            signs.take(sample)
            if stand.take(sample):
                break
        signs.take_calls(calls(self._store, watched, signs.last_call))
        return self._raise(stand, now) if stand.alarmed and not before else None

    def _raise(self, stand: Stand, now: datetime) -> Alarm | None:
        watched = stand.watched
        alarm = Alarm(watched.workflow, watched.tool, now, stand.finding())
        stored = StoredAlarm(
            alarm,
            watched.certificate_id,
            stand.n,
            stand.statistic,
            stand.threshold,
            stand.last_sample,
        )
        with self._store.transaction() as connection:
            if not raise_within(connection, stored):
                return None
            self._record(connection, alarm, watched.old_tool)
        return alarm

    def _record(self, connection: sqlite3.Connection, alarm: Alarm, old_tool: str) -> None:
        before = _last_verdict(self._store, alarm.workflow)
        verdict = drifted_verdict(alarm, old_tool, before)
        body = cast("dict[str, Any]", msgspec.to_builtins(verdict))
        append_within(connection, "verdict", alarm.workflow, alarm.at, body)


def watched_of(
    route: Route,
    certificate: Certificate,
    certificate_id: str,
    *,
    run_length: float | None = None,
    false_alarm_days: float | None = None,
) -> Watched | None:
    """Return what is watched of a route under its certificate; None where nothing can be.

    One false alarm in `run_length` graded answers, where that is given, else in so many days.
    """
    finding = certificate.finding_of.get(route.tool or "")
    if route.tool is None or route.old_tool in {None, route.tool} or finding is None:
        return None
    bar = certificate.identity.bar
    return Watched(
        route.workflow,
        route.tool,
        route.old_tool or "",
        certificate_id,
        certificate.decided_at,
        bar,
        finding.mean if bar.at_least is not None else None,
        DEFAULT_RUN_LENGTH if run_length is None else run_length,
        false_alarm_days if run_length is None else None,
        "" if route.cascade is None else route.cascade.first,
    )


def watched_routes(
    table: RouteTable,
    certificates: Iterable[tuple[str, Certificate, str, Mapping[str, float | None]]],
) -> Iterator[Watched]:
    """Yield what is watched of a table, by certificates as (workflow, certificate, id, bounds)."""
    for workflow, certificate, certificate_id, bounds in certificates:
        route = table.routes.get(workflow)
        if route is not None:
            found = watched_of(route, certificate, certificate_id, **bounds)
            if found is not None:
                yield found


def drifted_verdict(alarm: Alarm, old_tool: str, before: Verdict | None) -> Verdict:
    """Return the verdict that records an alarm: what was decided before, with one more reason.

    Nobody is paused by it, because the old tool, on which the work goes on, is not in doubt.
    """
    day = alarm.at.astimezone(UTC).date()
    if before is None:
        lapses = day + timedelta(days=_DAYS)
        before = Verdict(alarm.workflow, "fund", (), "", lapses, Decimal(0))
    again = f"{before.owner or 'Whoever runs it'} tries the tools again: {proposed(alarm).command}"
    fact = f"since {day}: {alarm.what}; {old_tool} is in force again"
    kept = [each for each in before.reasons if each.decision != _FUNDS]
    reasons = (*kept, Reason(RULE, "fund", fact, f"{again}."))
    next_step = reasons[0].next_step
    return replace(before, reasons=reasons, next_step=next_step)


def proposed(alarm: Alarm) -> Proposal:
    """Return the trial that an alarm asks for."""
    return Proposal(
        alarm.workflow,
        f"clearbar trial {alarm.workflow}",
        f"{alarm.tool} fell under its bar; with fresh cases a trial finds which tool is enough now",
    )


def drifts(store: Store) -> dict[str, Drift]:
    """Return the alarms that stand as the gate reads them, by workflow."""
    return {
        workflow: Drift(alarm.tool, alarm.at.astimezone(UTC).date(), alarm.what)
        for workflow, alarm in alarms(store).items()
    }


def with_raised_shares(table: RouteTable, raised: Mapping[str, tuple[str, ...]]) -> RouteTable:
    """Return the table in which workflows with a pre-alarm are sampled more."""
    if not raised:
        return table
    routes = {
        name: replace(route, shadow_share=raised_share(route.shadow_share, raised=name in raised))
        for name, route in table.routes.items()
    }
    return replace(table, routes=routes)


def _last_verdict(store: Store, workflow: str) -> Verdict | None:
    found = entries(store, "verdict", workflow)
    return said(found[-1], Verdict) if found else None


def _key(watched: Watched) -> _Key:
    return watched.workflow, watched.tool, watched.certificate_id
