"""One round of the storm: what the processes do, and what their journals say about it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec
from tests.route.budgets.storm_process import CALL_NUSD, now_us, serve

from clearbar.route.budgets.account import Account
from clearbar.route.budgets.allowance import Allowance, Holding
from clearbar.route.budgets.recovery import recover
from clearbar.route.journal.entry import Ended, Held, Noted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from clearbar.route.budgets.store import BudgetStore

CALLS: Final = 1000
LIMIT_NUSD: Final = 50 * CALL_NUSD
LYING_US: Final = 1_000_000
"""Money counts as refused too early when it has been lying for so long."""
_SKEW_US: Final = 20_000
"""A call that was served together with a refusal writes its line a moment after it."""
_DECODE: Final = msgspec.json.Decoder(Held | Ended | Noted).decode


@dataclass
class Finding:
    """What one round came to."""

    served: int
    refused: int
    kills: int
    lying_nusd: int
    """The most that had been lying for a second when a call was refused."""
    just_now_nusd: int
    """The most that had been lying for a tenth of a second."""
    wall_s: float
    faults: list[str] = field(default_factory=list)


class Storm:
    """One round."""

    def __init__(
        self, open_store: Callable[[], BudgetStore], folder: Path, seed: int, workers: int
    ) -> None:
        self.open_store = open_store
        self.folder = folder
        self.random = Random(seed)
        self.workers = workers
        limits = [LIMIT_NUSD, LIMIT_NUSD * 2, LIMIT_NUSD + CALL_NUSD * 7]
        self.random.shuffle(limits)
        names = (
            f"key:k{seed}/2026-11",
            f"organisation:{seed}/2026-11",
            f"workflow:w{seed}/2026-11",
        )
        self.accounts = tuple(map(Account, names, limits))
        self.seed = seed
        self.lasts_s = self.random.choice((0.3, 0.3, 3.0))
        """Over how long the calls come in: in the first half all at once, where it is short."""
        self.started = 0
        self.names: list[str] = []
        self.dead_us: list[tuple[int, int]] = []
        """When a worker was killed, and when it had been recovered."""

    def run(self) -> Finding:
        """Let it rage, recover, and look."""
        began = time.monotonic()
        share = CALLS // self.workers
        living = {
            self._start(range(it * share, (it + 1) * share)): it for it in range(self.workers)
        }
        parts = {it: range(it * share, (it + 1) * share) for it in range(self.workers)}
        kills = self.random.choice((0, 0, 1, 1, 2, self.workers))
        whens = sorted(began + self.random.uniform(0.0, self.lasts_s / 2) for _ in range(kills))
        killed = 0
        while living:
            if whens and time.monotonic() >= whens[0]:
                whens.pop(0)
                victim = self.random.choice(sorted(living))
                killed_us = now_us()
                os.kill(victim, signal.SIGKILL)
                place = living.pop(victim)
                _, status = os.waitpid(victim, 0)
                killed += os.waitstatus_to_exitcode(status) == -signal.SIGKILL
                self._recover(self._name_of(victim))
                self.dead_us.append((killed_us, now_us()))
                left = sorted(set(parts[place]) - self._seen())
                living[self._start(left)] = place
            for pid in list(living):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    del living[pid]
            time.sleep(0.002)
        finding = self._judged(killed)
        finding.wall_s = time.monotonic() - began
        return finding

    def _start(self, calls: Sequence[int]) -> int:
        self.started += 1
        name = f"s{self.seed}w{self.started}"
        self.names.append(name)
        pid = os.fork()
        if pid:
            (self.folder / f"pid{pid}").write_text(name)
            return pid
        try:
            journal = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            random = Random(f"{self.seed}/{name}")
            asyncio.run(
                serve(name, self.open_store(), self.accounts, journal, calls, self.lasts_s, random)
            )
        except BaseException as error:  # noqa: BLE001 - the child ends here
            os.write(2, f"{name}: {error!r}\n".encode())
            os._exit(1)
        os._exit(0)

    def _name_of(self, pid: int) -> str:
        return (self.folder / f"pid{pid}").read_text()

    def lines(self, name: str) -> Iterator[Held | Ended | Noted]:
        """Return what a worker wrote."""
        file = self.folder / name
        for line in file.read_bytes().splitlines() if file.exists() else ():
            yield _DECODE(line)

    def calls(self, name: str) -> list[tuple[Held, Ended | None]]:
        """Return the calls of a worker's journal."""
        held: dict[str, tuple[Held, Ended | None]] = {}
        for line in self.lines(name):
            if isinstance(line, Held):
                held[line.call_id] = line, None
            elif isinstance(line, Ended):
                held[line.call_id] = held[line.call_id][0], line
        return list(held.values())

    def _recover(self, name: str) -> None:
        store = self.open_store()
        recover(store, name, self.calls(name))
        if self.random.random() < 0.3:
            recover(store, name, self.calls(name))
        store.close()

    def _seen(self) -> set[int]:
        seen: set[int] = set()
        for name in self.names:
            for line in self.lines(name):
                if isinstance(line, Held):
                    seen.add(int(line.request_id))
                elif isinstance(line, Noted):
                    seen.add(int(line.about))
        return seen

    def _judged(self, kills: int) -> Finding:
        calls = [call for name in self.names for call in self.calls(name)]
        refusals = [it for name in self.names for it in self.lines(name) if isinstance(it, Noted)]
        due = sum(held.amount_nusd if ended is None else ended.cost_nusd for held, ended in calls)
        moments = _moments(calls)
        limit = min(each.limit_nusd for each in self.accounts)
        lying, just_now = (
            max((self._lying(moments, it, limit, for_us) for it in refusals), default=0)
            for for_us in (LYING_US, LYING_US // 10)
        )
        finding = Finding(len(calls), len(refusals), kills, lying, just_now, 0.0)
        say = finding.faults.append
        if max((committed for _, committed in moments), default=0) > limit:
            say("more was held and spent at once than the budget has")
        if lying >= 2 * CALL_NUSD:
            say(f"refused although {lying / 1e9} had been lying for a second")
        if len(self._seen()) != CALLS:
            say(f"{CALLS - len(self._seen())} calls got no answer")
        self._look_at_store(due, say)
        left = limit - due
        more = asyncio.run(self._spend_rest(left // CALL_NUSD + 1))
        if more != left // CALL_NUSD:
            say(f"{left / 1e9} was left, and only {more} more calls were served")
        self._look_at_store(due + more * CALL_NUSD, say)
        return finding

    def _look_at_store(self, due: int, say: Callable[[str], None]) -> None:
        store = self.open_store()
        with store.transaction() as session:
            for account, limit, *_ in self.accounts:
                (spent,) = session.rows(
                    "SELECT spent_nusd FROM budget_accounts WHERE account = ?", account
                )[0]
                if spent != due:
                    say(f"{account}: the balance is {spent}, the charges are {due}")
                if spent > limit:
                    say(f"{account}: {spent} spent of {limit}")
            left = session.rows(
                "SELECT account, worker FROM budget_leases "
                "WHERE leased_nusd <> 0 OR held_nusd <> 0 OR short_nusd <> 0"
            )
            living = session.rows("SELECT worker FROM budget_workers WHERE state = 'live'")
        store.close()
        if left or living:
            say(f"left behind: {left} {living}")

    def _lying(
        self, moments: list[tuple[int, int]], refusal: Noted, limit: int, for_us: int
    ) -> int:
        """Return what nobody had held or spent for so long when a call was refused.

        Where a worker was dead and not recovered in that time, nothing is said.
        """
        until, since = refusal.at_us, refusal.at_us - for_us
        if any(killed <= until and back >= since for killed, back in self.dead_us):
            return 0
        first = bisect_right(moments, (since, sys.maxsize))
        last = bisect_right(moments, (until + _SKEW_US, sys.maxsize))
        most = max((it for _, it in moments[first:last]), default=0)
        return limit - max(most, moments[first - 1][1] if first else 0)

    async def _spend_rest(self, calls: int) -> int:
        allowance = await Allowance.open(f"s{self.seed}last", self.open_store())
        served = 0
        for _ in range(calls):
            found = await allowance.hold(self.accounts, CALL_NUSD, CALL_NUSD, begun=True)
            if isinstance(found, Holding):
                allowance.settle(found, CALL_NUSD)
                served += 1
        await allowance.close()
        return served


def _moments(calls: list[tuple[Held, Ended | None]]) -> list[tuple[int, int]]:
    """Return, for each moment at which it changed, what was spent and held."""
    changes = [(held.at_us, held.amount_nusd) for held, _ in calls]
    changes += [(it.at_us, it.cost_nusd - held.amount_nusd) for held, it in calls if it]
    committed = 0
    moments = []
    for at, change in sorted(changes):
        committed += change
        moments.append((at, committed))
    return moments
