"""Asks a tool a copy of a request, for the watch: held, charged, and answered to nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from clearbar.route.budgets.allowance import BudgetStoreError
from clearbar.route.http.message import Request
from clearbar.route.protocols import permits
from clearbar.route.route import Caller
from clearbar.route.serving.inquiry import Inquiry
from clearbar.route.serving.local import ask_here
from clearbar.route.serving.whole import ask_whole
from clearbar.route.wire.reading import BadBody, read_body

if TYPE_CHECKING:
    from clearbar.route.serving.means import Means
    from clearbar.route.wire.operation import Operation

KEY: Final = ""
"""Nobody's key: the gateway itself asks, on behalf of the workflow."""


class Copier:
    """Of one worker."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def ask(self, workflow: str, tool: str, operation: Operation, body: bytes) -> str | None:
        """Return the text of a tool's answer; None where there is none, or no money to ask."""
        means, force = self._means, self._means.in_force
        found = force.table.tools.get(tool)
        inquiry = self._inquiry(workflow, operation, body)
        if found is None or inquiry is None:
            return None
        if not permits(tool, force.table.routes[workflow].data_class, force.table.tools):
            return None  # also of a judge, whom no route names
        try:
            if tool in force.endpoints:
                asked = await ask_whole(means, inquiry, found, "shadow", 1)
            else:
                asked = await ask_here(means, inquiry, found, "shadow", 1)
        except BudgetStoreError:
            return None
        return asked.text

    def _inquiry(self, workflow: str, operation: Operation, body: bytes) -> Inquiry | None:
        means, force = self._means, self._means.in_force
        route = force.table.routes.get(workflow)
        try:
            asked = read_body(operation, body)
        except BadBody:
            return None
        if route is None:
            return None
        caller = Caller(workflow, KEY, route.team, trace_id=means.ids.trace_id())
        now_us = means.now_us()
        return Inquiry(
            Request("POST", operation.upstream_path, b"", _JSON, body),
            operation,
            asked,
            caller,
            force,
            enforced=True,
            request_id=means.ids.next(now_us),
            accounts=force.accounts.of(caller, datetime.fromtimestamp(now_us / 1_000_000, UTC)),
            begun=False,
            passes_credentials=False,
            at_us=now_us,
            started_s=means.loop.time(),
        )


_JSON: Final = [(b"content-type", b"application/json")]
