"""Prometheus metrics of the gateway, made from the lines of the journal and from `AdminFacts`.

Labels never hold users, tasks, runs or free text, and their values are bounded (`series.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector

from clearbar.route.operating.series import MOST_VALUES, Distributions, Known, Sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.metrics_core import Metric

    from clearbar.route.journal.entry import Ended, Held, Noted, Refused
    from clearbar.route.operating.facts import AccountRow, AdminFacts, AlarmRow

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
FIRST_BYTE_MS: Final = (10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000)
DURATION_MS: Final = (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000)
_NANO: Final = 10**9
_PATIENCE_S: Final = 5.0
_BEGUN_BY: Final = attrgetter("workflow", "tool", "operation", "arm", "attempt")
_ENDED_BY: Final = attrgetter("outcome", "known", "priced")
_NO_REQUESTS: Final = frozenset({"shadow", "agree"})
_log: Final = logging.getLogger(__name__)
_BOUNDED_SCOPES: Final = frozenset({"organisation", "team", "workflow", "key"})
"""There are as many of these as people have declared; users, tasks and runs come without end."""


class Metrics(Collector):
    """Watches the journal, and answers `/metrics`."""

    def __init__(self, facts: AdminFacts) -> None:
        self._facts = facts
        self._accounts: Sequence[AccountRow] = ()
        self._alarms: Sequence[AlarmRow] = ()
        self._readable = True
        self._workflow, self._tool, self._word = Known(), Known(), Known()
        self._requests, self._calls, self._refusals = Sums(), Sums(), Sums()
        self._tokens, self._cost = Sums(), Sums()
        self._in_flight, self._held = Sums(), Sums()
        self._notes, self._openings = Sums(), Sums()
        self._resting: set[tuple[str, str]] = set()
        """Workers and the tools that they do not ask."""
        self._first_byte = Distributions(FIRST_BYTE_MS)
        self._duration = Distributions(DURATION_MS)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def calls(self, begun: Sequence[Held], ended: Sequence[tuple[Held, Ended]]) -> None:
        """Count calls, those together that have all labels in common."""
        for by, count in Counter(map(_BEGUN_BY, begun)).items():
            workflow, tool, operation, arm, attempt = by
            labels = self._workflow.of(workflow), self._tool.of(tool)
            word = self._word.of(operation)
            if attempt == 1 and arm not in _NO_REQUESTS:
                self._requests.add((labels[0], word), count)
            self._in_flight.add(labels, count)
        for workflow, amount_nusd in _sums([(held.workflow, held.amount_nusd) for held in begun]):
            self._held.add((self._workflow.of(workflow),), amount_nusd)
        alike = defaultdict(list)
        for held, end in ended:
            alike[_BEGUN_BY(held)[:4], _ENDED_BY(end)].append(end)
        for ((workflow, tool, operation, arm), (outcome, known, _)), ends in alike.items():
            labels = self._workflow.of(workflow), self._tool.of(tool)
            self._in_flight.add(labels, -len(ends))
            self._calls.add((*labels, arm, self._word.of(operation), outcome), len(ends))
            self._add_used(labels, known, ends)
        given_back = [(held.workflow, held.amount_nusd) for held, _ in ended]
        for workflow, amount_nusd in _sums(given_back):
            self._held.add((self._workflow.of(workflow),), -amount_nusd)

    def _add_used(self, labels: tuple[str, str], known: str, ends: Sequence[Ended]) -> None:
        """Count what calls used that are alike in labels, outcome, and how far one can trust it."""
        self._cost.add((*labels, basis_of(ends[0])), sum([end.cost_nusd for end in ends]))
        for meter, quantity in _sums(chain(*[end.usage.items() for end in ends])):
            self._tokens.add((*labels, self._word.of(meter), known), quantity)
        if ends[0].outcome != "unsent":
            self._duration.add(labels, [end.latency_ms for end in ends])
            if answered := [end.first_byte_ms for end in ends if end.status]:
                self._first_byte.add(labels, answered)

    def refused(self, refused: Refused) -> None:
        """Count a refusal."""
        self._refusals.add((self._workflow.of(refused.workflow), self._word.of(refused.code)))

    def noted(self, noted: Noted) -> None:
        """Count a note."""
        self._notes.add((self._word.of(noted.what),))
        if noted.what == "breaker_open":
            self._openings.add((self._tool.of(noted.about),))
            self._resting.add((noted.worker, noted.about))
        elif noted.what == "breaker_closed":
            self._resting.discard((noted.worker, noted.about))

    def died(self, worker: str) -> None:
        """Forget the breakers of a worker."""
        self._resting = {each for each in self._resting if each[0] != worker}

    async def refresh(self) -> None:
        """Read what the journals say up to now, the balances and the alarms.

        Where these cannot be read, those before stay, and a gauge says so: what broke must not take
        with it the metrics by which one sees that.
        """
        await self._facts.look()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                self._accounts = await self._facts.balances()
        except Exception:  # noqa: BLE001 - whatever it is, the scrape goes on
            if self._readable:
                _log.exception("the balances cannot be read")
            self._readable = False
        else:
            self._readable = True
        with suppress(Exception):  # those before stay
            async with asyncio.timeout(_PATIENCE_S):
                self._alarms = await self._facts.alarms()

    def page(self) -> bytes:
        """Return what a scrape gets, in the text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Yield every metric."""
        yield from self._of_calls()
        yield from self._of_time()
        yield from self._of_budgets()
        yield from self._of_tools_in_force()
        yield from self._of_the_gateway()

    def _of_calls(self) -> Iterator[Metric]:
        yield _counter(
            "clearbar_requests",
            "Requests that were passed on or answered.",
            ("workflow", "operation"),
            self._requests,
        )
        yield _counter(
            "clearbar_calls",
            "Calls to tools that have ended; retries and fallbacks are calls of their own.",
            ("workflow", "tool", "arm", "operation", "outcome"),
            self._calls,
        )
        yield _counter(
            "clearbar_refusals",
            "Requests that were refused, by our word for the reason.",
            ("workflow", "code"),
            self._refusals,
        )
        yield _counter(
            "clearbar_tokens",
            "Tokens and other quantities by disjoint meter; reported or estimated.",
            ("workflow", "tool", "meter", "known"),
            self._tokens,
        )
        yield _counter(
            "clearbar_cost_dollars",
            "Dollars taken from the budgets, by how far they can be trusted.",
            ("workflow", "tool", "basis"),
            self._cost,
            _NANO,
        )
        yield _counter(
            "clearbar_breaker_openings",
            "How often a worker stopped asking a tool that kept failing.",
            ("tool",),
            self._openings,
        )
        yield _counter(
            "clearbar_notes", "Other lines of the journal: warnings, ...", ("what",), self._notes
        )
        flight = GaugeMetricFamily(
            "clearbar_calls_in_flight", "Calls that run now.", labels=("workflow", "tool")
        )
        held = GaugeMetricFamily(
            "clearbar_held_dollars", "Dollars held for calls in flight.", labels=("workflow",)
        )
        for family, sums, per in (
            (flight, self._in_flight, 1),
            (held, self._held, _NANO),
        ):
            for labels, amount in sums:
                family.add_metric(labels, amount / per)
            yield family

    def _of_time(self) -> Iterator[Metric]:
        for name, what, series in (
            ("clearbar_first_byte_seconds", "From asking a tool to its answer's head.",
             self._first_byte),
            ("clearbar_call_duration_seconds", "From asking a tool to the end.", self._duration),
        ):  # fmt: skip
            family = HistogramMetricFamily(name, what, labels=("workflow", "tool"))
            for labels, buckets, total_s in series.cumulative():
                family.add_metric(labels, buckets, total_s)
            yield family

    def _of_budgets(self) -> Iterator[Metric]:
        labels = ("scope", "name", "per")
        limit = GaugeMetricFamily(
            "clearbar_budget_limit_dollars", "The budget of this period.", labels=labels
        )
        spent = GaugeMetricFamily(
            "clearbar_budget_spent_dollars", "What is spent of it.", labels=labels
        )
        left = GaugeMetricFamily(
            "clearbar_budget_left_dollars", "What is neither spent nor held.", labels=labels
        )
        bounded = Known()
        for row in self._accounts:
            if row.scope not in _BOUNDED_SCOPES or bounded.of(row.account) != row.account:
                continue
            values = row.scope, row.name, row.per
            limit.add_metric(values, row.limit_nusd / _NANO)
            spent.add_metric(values, row.spent_nusd / _NANO)
            left.add_metric(values, row.left_nusd / _NANO)
        yield from (limit, spent, left)

    def _of_tools_in_force(self) -> Iterator[Metric]:
        for name, what, rows in (
            ("clearbar_alarms", "1 while a route is back on its old tool, as the tool fell.",
             [row for row in self._alarms if row.in_force]),
            ("clearbar_pre_alarms", "1 while a tool in force shows signs that it has changed.",
             [row for row in self._alarms if row.sign]),
        ):  # fmt: skip
            family = GaugeMetricFamily(name, what, labels=("workflow", "tool"))
            named = ((self._workflow.of(row.workflow), self._tool.of(row.tool)) for row in rows)
            for labels in dict.fromkeys(named):
                family.add_metric(labels, 1)
            yield family

    def _of_the_gateway(self) -> Iterator[Metric]:
        facts = self._facts
        info = InfoMetricFamily("clearbar_build", "The version that runs.")
        info.add_metric((), {"version": facts.version})
        yield info
        now, ready = datetime.now(UTC), facts.ready().ready
        for name, what, value in (
            ("clearbar_budgets_readable", "1 where the balances could be read for this scrape.",
             float(self._readable)),
            ("clearbar_ready", "1 where requests can be served.", float(ready)),
            ("clearbar_start_time_seconds", "Start, since 1970.", facts.started_at.timestamp()),
            ("clearbar_uptime_seconds", "Since the start.",
             (now - facts.started_at).total_seconds()),
            ("clearbar_journal_lag_seconds", "Age of the oldest call not yet in the ledger.",
             facts.journal_lag_s()),
            ("clearbar_table_generation", "Of the table of routes.",
             float(facts.table().generation)),
        ):  # fmt: skip
            yield GaugeMetricFamily(name, what, value)
        yield from self._of_workers()

    def _of_workers(self) -> Iterator[Metric]:
        workers = self._facts.workers()
        states = GaugeMetricFamily("clearbar_workers", "Worker processes.", labels=("state",))
        alive = sum(worker.alive for worker in workers)
        states.add_metric(("alive",), alive)
        states.add_metric(("dead",), len(workers) - alive)
        behind = GaugeMetricFamily(
            "clearbar_worker_table_generation", "Of each worker.", labels=("worker",)
        )
        restarts = CounterMetricFamily("clearbar_worker_restarts", "Workers started again.")
        restarts.add_metric((), sum(worker.restarts for worker in workers))
        for place, worker in enumerate(workers):
            behind.add_metric((str(place),), worker.generation)
        resting: dict[str, int] = dict.fromkeys(sorted(self._facts.table().tools)[:MOST_VALUES], 0)
        for _, tool in self._resting:
            if tool in resting:
                resting[tool] += 1
        breakers = GaugeMetricFamily(
            "clearbar_breakers_open", "Workers that do not ask a tool now.", labels=("tool",)
        )
        for tool, count in resting.items():
            breakers.add_metric((tool,), count)
        yield from (states, behind, restarts, breakers)


def _sums(amounts: Iterable[tuple[str, int]]) -> Iterable[tuple[str, int]]:
    """Return the sum of the amounts of each name."""
    sums: dict[str, int] = {}
    for name, amount in amounts:
        sums[name] = sums.get(name, 0) + amount
    return sums.items()


def basis_of(ended: Ended) -> str:
    """Return how far its cost can be trusted: `priced`, `estimated` or `unpriced`."""
    if not ended.priced:
        return "unpriced"
    return "estimated" if ended.known == "estimated" else "priced"


def _counter(
    name: str, what: str, labels: Sequence[str], sums: Sums, per: int = 1
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, what, labels=labels)
    for values, amount in sums:
        family.add_metric(values, amount / per)
    return family
