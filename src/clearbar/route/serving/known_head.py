"""What follows from a request's head alone, under one table, whatever its body says.

A client on a connection that is kept sends the same head again and again. What was worked out from
it lies in the memory of that head, which all connections share that send the same bytes, the key
among them: so nobody else sees it, it goes with the last of them, and it does not outlive the
table. All of it is equal to what is worked out anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.route.identity import Identified, identify
from clearbar.route.route import Caller, Refusal
from clearbar.route.wire.chat_likeness import ChatsAlike

if TYPE_CHECKING:
    from clearbar.route.http.message import Request
    from clearbar.route.identity import TraceIds
    from clearbar.route.serving.lane import Lane
    from clearbar.route.serving.means import InForce
    from clearbar.route.wire.operation import Operation
    from clearbar.route.wire.reading import Asked


class KnownHead:
    """Of one head, under one table."""

    __slots__ = ("_identified", "alike", "lanes", "mark", "operation", "prepared")

    def __init__(self, force: InForce) -> None:
        self.mark = force.mark
        """Of the table."""
        self._identified: Identified | None = None
        self.prepared: dict[str, tuple[bytes, bytes]] = {}
        """By tool, the head that goes to it: see `headers.prepared_head`."""
        self.operation: Operation
        """Set with the first lane."""
        self.lanes: dict[str, Lane] = {}
        """By the model that is asked for."""
        self.alike = ChatsAlike()
        """What their bodies have in common."""

    def identify(
        self, request: Request, asked: Asked | None, force: InForce, ids: TraceIds
    ) -> Identified | Refusal:
        """Return what `identity.identify` does, which only a plain head tells without its body."""
        metadata, user = ({}, "") if asked is None else (asked.metadata, asked.user)
        if metadata or user:
            return identify(request.headers, metadata, user, force.table, force.keys, ids)
        known = self._identified
        if known is None:
            found = identify(request.headers, metadata, user, force.table, force.keys, ids)
            if isinstance(found, Identified):
                self._identified = found
            return found
        if known.caller.parent_span_id:  # the head tells of the trace too
            return known
        workflow, key, team, user, task, run, environment, labels, *_ = known.caller
        caller = Caller(workflow, key, team, user, task, run, environment, labels, ids.trace_id())
        return Identified(caller, known.passes_credentials)


def known_head(request: Request, force: InForce) -> KnownHead:
    """Return what is known of a request's head, and remember it where the connection does."""
    memory = request.memory
    if memory is None:
        return KnownHead(force)
    known = memory.known
    if not isinstance(known, KnownHead) or known.mark is not force.mark:
        memory.known = known = KnownHead(force)
    return known
