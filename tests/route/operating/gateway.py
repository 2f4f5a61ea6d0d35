"""A small gateway for operators: no workers, but a real table, real keys in memory, real holds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from clearbar.route.operating.facts import (
    AccountRow,
    AlarmRow,
    Draining,
    HoldEnded,
    HoldGiven,
    HoldSettled,
    HoldWanted,
    KeyIssued,
    KeyRow,
    KeyWanted,
    NotFoundError,
    Readiness,
    Reloaded,
    WorkerRow,
)
from clearbar.route.route import Capture, GatewayKey, Refusal, Route, RouteTable
from clearbar.tools.tool import Tool

if TYPE_CHECKING:
    from clearbar.core.errors import ClearbarError
    from clearbar.route.operating.facts import AdminFacts

NOW: Final = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
TOKEN: Final = "cba_a-token-of-a-test-and-no-other"  # noqa: S105 - of a test
GATEWAY_KEY: Final = "cb_abcdefgh_of-a-test"
ROUTES: Final = (
    Route("support-replies", capture=Capture(), team="support", why=("funded since 3 November",)),
    Route("old-reports", verdict="kill", mode="enforce", owner="reports@example.com"),
)
HELD_NUSD: Final = 10_000_000


class SmallGateway:
    """Implements `AdminFacts`; one workflow with a budget of a dollar, one that is killed."""

    def __init__(self) -> None:
        self.version = "9.9.9"
        self.started_at = NOW
        self.lag_s = 0.25
        self.problem: ClearbarError | None = None
        self.crash: Exception | None = None
        self.why_not: tuple[str, ...] = ()
        self.draining = False
        self.limit_nusd = 10**9
        self.spent_nusd = 0
        self.accounts: list[AccountRow] = []
        self.alarm_rows = [
            AlarmRow(workflow="support-replies", tool="small", at=NOW, what="it fell"),
            AlarmRow(workflow="letters", tool="tiny", at=NOW, what="slower", in_force=False,
                     sign=True),
        ]  # fmt: skip
        self.worker_rows = [
            WorkerRow(name="w1", pid=101, alive=True, in_flight=3, generation=7, started_at=NOW,
                      restarts=1),
            WorkerRow(name="w2", pid=102, alive=False, in_flight=0, generation=6, started_at=NOW),
        ]  # fmt: skip
        self._keys: dict[str, KeyRow] = {
            "abcdefgh": KeyRow(key_id="abcdefgh", team="support", issued_at=NOW, issued_by="cli")
        }
        self._holds: dict[str, tuple[HoldWanted, str]] = {}
        self._ends: dict[str, HoldEnded] = {}
        self.settled: dict[str, HoldSettled] = {}

    @property
    def holds(self) -> list[HoldWanted]:
        """What was asked, in order."""
        return [wanted for wanted, _ in self._holds.values()]

    @property
    def ends(self) -> list[HoldEnded]:
        """What became of holds, in order."""
        return list(self._ends.values())

    def table(self) -> RouteTable:
        routes = {route.workflow: route for route in ROUTES}
        keys = {"abcdefgh": GatewayKey("abcdefgh", "0" * 64, team="support")}
        tools = {"openai": Tool("openai", "openai"), "small": Tool("small", "openai")}
        return RouteTable(7, NOW, routes, tools, keys)

    def workers(self) -> list[WorkerRow]:
        return self.worker_rows

    def ready(self) -> Readiness:
        return Readiness(ready=not self.why_not, why=self.why_not)

    def journal_lag_s(self) -> float:
        return self.lag_s

    async def look(self) -> None:
        pass

    async def balances(self) -> list[AccountRow]:
        if self.crash is not None:
            raise self.crash
        held = (len(self._holds) - len(self._ends)) * HELD_NUSD
        workflow = AccountRow(
            account="workflow:support-replies/2026-11", scope="workflow", name="support-replies",
            per="month", limit_nusd=self.limit_nusd, spent_nusd=self.spent_nusd, held_nusd=held,
        )  # fmt: skip
        return [workflow, *self.accounts]

    async def alarms(self) -> list[AlarmRow]:
        if self.crash is not None:
            raise self.crash
        return self.alarm_rows

    async def keys(self) -> list[KeyRow]:
        return list(self._keys.values())

    async def issue_key(self, wanted: KeyWanted) -> KeyIssued:
        known = {route.workflow for route in ROUTES} if wanted.scope == "workflow" else {"support"}
        if wanted.of not in known:
            raise NotFoundError(f"there is no such {wanted.scope}")
        key_id = f"key{len(self._keys)}"
        self._keys[key_id] = KeyRow(
            key_id=key_id,
            workflow=wanted.of if wanted.scope == "workflow" else "",
            team=wanted.of if wanted.scope == "team" else "",
            name=wanted.name,
            environment=wanted.environment,
            issued_at=NOW,
            issued_by="the admin API",
        )
        return KeyIssued(key_id=key_id, key=f"cb_{key_id}_{'s' * 52}")

    async def revoke_key(self, key_id: str) -> KeyRow:
        found = self._keys.get(key_id)
        if found is None:
            raise NotFoundError("no key has that id")
        revoked = KeyRow(
            key_id=key_id, workflow=found.workflow, team=found.team, issued_at=NOW, revoked_at=NOW
        )
        self._keys[key_id] = revoked
        return revoked

    async def reload(self) -> Reloaded:
        if self.problem is not None:
            raise self.problem
        return Reloaded(generation=7, changed=False)

    async def drain(self) -> Draining:
        self.draining = True
        return Draining(draining=True, in_flight=3)

    def key_of(self, token: str) -> str | None:
        return "abcdefgh" if token == GATEWAY_KEY else None

    async def hold(self, wanted: HoldWanted, key: str) -> HoldGiven | Refusal:
        if wanted.workflow == "old-reports":
            return Refusal("killed", 403, "The workflow is killed: ask reports@example.com.")
        if wanted.hold_id not in self._holds:
            held = (len(self._holds) - len(self._ends)) * HELD_NUSD
            if self.spent_nusd + held + HELD_NUSD > self.limit_nusd:
                return Refusal("over_budget", 429, "The budget is used up until 1 December.", 60)
            self._holds[wanted.hold_id] = wanted, key
        return HoldGiven(
            hold_id=wanted.hold_id,
            workflow=wanted.workflow or "support-replies",
            held_usd=Decimal("0.01"),
            max_output_tokens=wanted.max_output_tokens or 1000,
        )

    async def settle(self, hold_id: str, settled: HoldSettled, key: str) -> HoldEnded:
        self.settled.setdefault(hold_id, settled)
        cost = sum(settled.usage.values()) * 1000
        return self._end(hold_id, settled.outcome, cost, key)

    async def release(self, hold_id: str, key: str) -> HoldEnded:
        return self._end(hold_id, "unsent", 0, key)

    def _end(self, hold_id: str, outcome: str, cost_nusd: int, key: str) -> HoldEnded:
        if hold_id not in self._holds or self._holds[hold_id][1] != key:
            raise NotFoundError("there is no such hold")
        if hold_id not in self._ends:
            self.spent_nusd += cost_nusd
            cost = Decimal(cost_nusd).scaleb(-9)
            self._ends[hold_id] = HoldEnded(
                hold_id=hold_id,
                outcome=outcome,  # type: ignore[arg-type] # one of the words
                cost_usd=cost,
                priced=True,
            )
        return self._ends[hold_id]


def _implements() -> AdminFacts:
    return SmallGateway()
