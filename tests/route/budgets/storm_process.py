"""One process of the storm: makes its calls all at once, and writes a journal."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Final

import msgspec
from tests.route.budgets.lines import ended_line, held_line

from clearbar.route.budgets.allowance import Allowance, Holding
from clearbar.route.journal.entry import Ended, Held, Noted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from clearbar.route.budgets.account import Account
    from clearbar.route.budgets.store import BudgetStore

CALL_NUSD: Final = 100_000_000
_MOST_ATTEMPTS: Final = 3
_ENCODE: Final = msgspec.json.Encoder().encode


async def serve(
    name: str,
    store: BudgetStore,
    accounts: tuple[Account, ...],
    journal: int,
    calls: Sequence[int],
    lasts_s: float,
    random: Random,
) -> None:
    """Make the calls, over some seconds where that is more than one, and end in good order."""
    process = Process(name, await Allowance.open(name, store), accounts, journal, random)
    writing = asyncio.create_task(process.write_refused())
    await asyncio.gather(*(process.call(number, lasts_s) for number in calls))
    await process.refused.join()
    writing.cancel()
    await process.allowance.close()


class Process:
    """What its calls share."""

    def __init__(
        self,
        name: str,
        allowance: Allowance,
        accounts: tuple[Account, ...],
        journal: int,
        random: Random,
    ) -> None:
        self.name = name
        self.allowance = allowance
        self.accounts = accounts
        self.journal = journal
        self.random = random
        self.refused: asyncio.Queue[Noted] = asyncio.Queue()

    async def call(self, number: int, lasts_s: float) -> None:
        """Make one call, and again where it fails in a way that another try may mend."""
        if lasts_s > 1:
            await asyncio.sleep(self.random.uniform(0, lasts_s))
        for attempt in range(1, _MOST_ATTEMPTS + 1):
            holding = await self._held(number)
            if holding is None:
                return
            call_id = f"{self.name}-{number}-{attempt}"
            self._write(held_line(call_id, holding, now_us(), request_id=str(number)))
            await asyncio.sleep(self.random.expovariate(1 / 0.02))
            fate = self.random.random()
            self._end(call_id, holding, self._cost(fate))
            if not 0.1 < fate < 0.3:
                return

    async def write_refused(self) -> None:
        """Write refusals in between, so that their times are not those of the disk."""
        while True:
            noted = await self.refused.get()
            self._write(noted)
            self.refused.task_done()

    async def _held(self, number: int) -> Holding | None:
        found = self.allowance.try_hold(self.accounts, CALL_NUSD, CALL_NUSD, begun=True)
        if found is None:
            found = await self.allowance.hold(self.accounts, CALL_NUSD, CALL_NUSD, begun=True)
        if isinstance(found, Holding):
            return found
        self.refused.put_nowait(Noted(now_us(), "refused", str(number)))
        return None

    def _cost(self, fate: float) -> int:
        """Return nothing for a call that was aborted before it left, else up to all of it."""
        if fate < 0.15:
            return 0
        return self.random.randrange(CALL_NUSD) if fate < 0.5 else CALL_NUSD

    def _end(self, call_id: str, holding: Holding, cost: int) -> None:
        self._write(ended_line(call_id, cost, now_us()))
        if cost:
            self.allowance.settle(holding, cost)
        else:
            self.allowance.release(holding)
        if self.random.random() < 0.1:
            self.allowance.settle(holding, cost)  # as a duplicate delivery would

    def _write(self, line: Held | Ended | Noted) -> None:
        os.write(self.journal, _ENCODE(line) + b"\n")


def now_us() -> int:
    """Return microseconds of a clock that all processes of a machine share."""
    return time.monotonic_ns() // 1000
