"""What every request of a worker works with; the table of routes in it is replaced as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from clearbar.core.errors import ClearbarError
from clearbar.route.journal.entry import Noted
from clearbar.route.serving.endpoint import endpoint_of
from clearbar.route.serving.refusing import Strangers
from clearbar.route.serving.written import Written
from clearbar.tools.address import PROTOCOLS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from clearbar.route.admit import Admission
    from clearbar.route.budgets.account import Accounts
    from clearbar.route.budgets.allowance import Allowance
    from clearbar.route.capturing.capturing import Capturing
    from clearbar.route.http.upstream import Upstreams
    from clearbar.route.journal.writer import Journal
    from clearbar.route.keys import KeyRing
    from clearbar.route.prices import PriceList
    from clearbar.route.route import RouteTable
    from clearbar.route.serving.breakers import Breakers
    from clearbar.route.serving.endpoint import Endpoint
    from clearbar.route.serving.ids import Ids
    from clearbar.route.serving.local import LocalTools
    from clearbar.route.serving.owners import Owners
    from clearbar.route.serving.retrying import Failed
    from clearbar.route.watching.grading import Grading
    from clearbar.route.watching.shadow import ShadowDesk


@dataclass(slots=True)
class InForce:
    """A table of routes with all that is worked out from it once."""

    table: RouteTable
    admission: Admission
    keys: KeyRing
    accounts: Accounts
    prices: PriceList
    endpoints: Mapping[str, Endpoint]
    """By tool, of those that are asked over a network."""
    gradings: Mapping[str, Grading]
    """By workflow, of those that declare a trial."""
    mark: object = field(default_factory=object)
    """By which it is told from any other, also by who does not keep it."""


class InFlight(Protocol):
    """A request that is being served."""

    def break_off(self) -> None:
        """End it now: the gateway itself has to end."""


@dataclass(slots=True)
class Means:
    """Of one worker."""

    worker: str
    in_force: InForce
    allowance: Allowance
    journal: Journal
    upstreams: Upstreams
    breakers: Breakers
    local: LocalTools
    ids: Ids
    loop: asyncio.AbstractEventLoop
    now_us: Callable[[], int]
    """The wall clock."""
    draw: Callable[[], float]
    """A random number in [0, 1)."""
    strangers: Strangers = field(default_factory=Strangers)
    written: Written = field(default_factory=Written)
    owners: Owners | None = None
    """Without one, nobody is known to have made anything."""
    shadow: ShadowDesk | None = None
    capturing: Capturing | None = None
    exchanges: set[InFlight] = field(default_factory=set)
    """Requests in flight."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """Work that goes on by itself; kept here so that it is not collected."""

    def begin(
        self, work: Coroutine[Any, Any, None], failed: Callable[[BaseException], None]
    ) -> asyncio.Task[None]:
        """Start work that goes on by itself; `failed` hears of what it raises."""
        task = self.loop.create_task(work)
        self.tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self.tasks.discard(task)
            if task.cancelled() or (error := task.exception()) is None:
                return
            self.report(error)
            failed(error)

        task.add_done_callback(ended)
        return task

    def worked(self, tool: str) -> None:
        """Note for the tool's breaker that it has answered."""
        if self.breakers.worked(tool) is not None:
            self.note("breaker_closed", tool)

    def failed(self, tool: str, failed: Failed) -> None:
        """Note for the tool's breaker that it has not."""
        if failed.ill and self.breakers.failed(tool, self.loop.time()) is not None:
            self.note("breaker_open", tool)

    def report(self, error: BaseException) -> None:
        """Tell the loop of a fault of our own; what a `ClearbarError` says is told elsewhere."""
        if not isinstance(error, ClearbarError):
            said = {"message": "a request's work failed", "exception": error}
            self.loop.call_exception_handler(said)

    def note(self, what: str, about: str, detail: str = "") -> None:
        """Write something into the journal that operators want to see.

        Where the disk is full, what room is left is for the ends of calls.
        """
        if self.journal.has_room:
            self.journal.append(Noted(self.now_us(), what, about, detail, self.worker))


def endpoints_of(
    table: RouteTable, environment: Mapping[str, str]
) -> tuple[dict[str, Endpoint], dict[str, str]]:
    """Return the endpoints of a table's tools, and by tool what is wrong with the others."""
    found: dict[str, Endpoint] = {}
    faults: dict[str, str] = {}
    for name, tool in table.tools.items():
        if tool.kind in PROTOCOLS:
            try:
                found[name] = endpoint_of(tool, environment)
            except ClearbarError as error:
                faults[name] = error.message
    return found, faults
