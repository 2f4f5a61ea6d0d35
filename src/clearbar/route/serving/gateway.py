"""The supervisor's process as a whole: workers, the admin port, and all who read the journal."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.route.budgets.allowance import Allowance
from clearbar.route.budgets.opening import open_store
from clearbar.route.http.front import Front, keep_time
from clearbar.route.http.limits import Limits
from clearbar.route.http.upstream import Upstreams
from clearbar.route.journal.reader import Follower
from clearbar.route.journal.writer import Journal
from clearbar.route.operating.admin import MOST_BYTES, Admin
from clearbar.route.operating.admin_token import admin_token
from clearbar.route.operating.feed import Feed, InFlight
from clearbar.route.operating.logs import Logs
from clearbar.route.operating.metrics import Metrics
from clearbar.route.operating.traces import Traces
from clearbar.route.operating.traces import wanted as traces_wanted
from clearbar.route.serving.admin_facts import GatewayFacts, Generations
from clearbar.route.serving.breakers import Breakers
from clearbar.route.serving.following import Following
from clearbar.route.serving.holds import Holds
from clearbar.route.serving.ids import Ids
from clearbar.route.serving.local import LocalTools
from clearbar.route.serving.means import Means
from clearbar.route.serving.reload import in_force_of
from clearbar.route.serving.supervisor import Supervisor, worker_name
from clearbar.route.snapshot import SnapshotReader, read

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from clearbar.route.operating.feed import Counting, Observer
    from clearbar.route.serving.keeper import Keeper

_LOOK_S: Final = 1.0
_MOST_OPERATORS: Final = 1000
"""Connections to the admin port; LiteLLM keeps one for each of its processes, or a few."""


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """What a gateway is started with."""

    folder: Path
    """The workspace."""
    kept: Path
    """`.clearbar/route`."""
    listening: socket.socket
    admin_listening: socket.socket
    environment: Mapping[str, str]
    keeper: Keeper
    say: Callable[[str], None]
    logs: bool
    """Whether to write a line of JSON for each request on standard output."""


async def run(plan: GatewayPlan) -> None:
    """Run until SIGTERM, SIGINT or the admin API ends it.

    Raises:
        ClearbarError: when the declarations are wrong, or something cannot be opened.
    """
    follower = Follower(plan.kept / "journal")
    follower.skip_to_end()
    supervisor = Supervisor(plan.folder, plan.kept, plan.listening, plan.keeper, plan.say)
    await supervisor.start()
    means = await _means(plan)
    holds, in_flight, generations = Holds(means), InFlight(), Generations()
    facts = GatewayFacts(supervisor, holds, in_flight, generations)
    metrics = Metrics(facts)
    counting: list[Counting] = [in_flight, generations, metrics]
    observers: list[Observer | Counting] = [*counting, *_more_observers(plan, facts)]
    following = Following(
        Feed(observers),
        follower,
        asyncio.get_running_loop().time,
        at_once=len(observers) > len(counting),
        wanted=facts.awaits_workers,
    )
    facts.read_journals = following.asked
    supervisor.on_death = lambda worker: following.bury(
        worker, time.time_ns() // 1000, ending=supervisor.ending
    )
    settings = supervisor.table.settings
    token = admin_token(settings.admin_token_env, plan.environment, plan.kept)
    admin = Admin(facts, metrics, token, open_metrics=settings.open_metrics)
    fronts: set[Front] = set()
    limits = Limits(max_body_bytes=MOST_BYTES, max_connections=_MOST_OPERATORS)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Front(admin.handle, limits, fronts), sock=plan.admin_listening
    )
    sweep = keep_time(fronts, loop)
    plan.say(f"the admin token is in {token.where}")
    reading = loop.create_task(_read_on(plan, following, means, holds))
    try:
        await supervisor.run()
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        server.close()
        sweep.close()
        for front in list(fronts):
            front.abort()
        await means.upstreams.close()
        await means.allowance.close()
        means.journal.close()
        following.end()
        for observer in observers:
            if isinstance(observer, Traces):
                observer.close()
            elif isinstance(observer, Logs):
                observer.flush()
        await supervisor.close()


async def _means(plan: GatewayPlan) -> Means:
    """Return what holds for others are made with; the supervisor serves no client itself."""
    loop = asyncio.get_running_loop()
    name = worker_name()
    in_force, _ = in_force_of(read(plan.kept / "table.json"), plan.environment, {})
    store = open_store(in_force.table.settings, plan.kept, plan.environment)
    random = SystemRandom()
    return Means(
        name,
        in_force,
        await Allowance.open(name, store),
        Journal(plan.kept / "journal", name, loop),
        Upstreams(loop, plan.environment),
        Breakers(),
        LocalTools(plan.folder, plan.environment),
        Ids(random),
        loop,
        lambda: time.time_ns() // 1000,
        random.random,
    )


def _more_observers(plan: GatewayPlan, facts: GatewayFacts) -> list[Observer]:
    more: list[Observer] = []
    if plan.logs:
        more.append(Logs(sys.stdout.buffer))
    if traces_wanted(plan.environment):
        more.append(Traces(facts.version, plan.environment))
    return more


async def _read_on(plan: GatewayPlan, following: Following, means: Means, holds: Holds) -> None:
    """Read the journals on and on, and take over new tables for the holds of others."""
    reader = SnapshotReader(plan.kept / "table.json")
    while True:
        await following.turn()
        if (snapshot := reader.look()) is not None:
            with suppress(ClearbarError):
                means.in_force, _ = in_force_of(snapshot, plan.environment, {})
        with suppress(ClearbarError):  # the disk is full: they expire when there is room
            holds.expire()
        await asyncio.sleep(_LOOK_S)
