"""What is remembered of a head says what the head itself says, and ends with the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from hypothesis import given
from hypothesis import strategies as st
from tests.route.made import asked, ring, route, table, token

from clearbar.route.http.message import Memory, Request
from clearbar.route.identity import Identified, identify
from clearbar.route.serving.known_head import known_head

if TYPE_CHECKING:
    from clearbar.route.keys import KeyRing
    from clearbar.route.route import Refusal, RouteTable
    from clearbar.route.serving.means import InForce

BEARER = (b"authorization", b"Bearer " + token())
HEADERS = st.sampled_from(
    [
        BEARER,
        (b"authorization", b"Bearer sk-of-their-own"),
        (b"x-api-key", token()),
        (b"x-clearbar-key", token()),
        (b"x-clearbar-key", b"cb_nobody"),
        (b"x-clearbar-workflow", b"replies"),
        (b"x-clearbar-workflow", b"digest"),
        (b"x-clearbar-task", b"ticket-7"),
        (b"x-clearbar-user", b"u-1"),
        (b"x-clearbar-label-place", b"north"),
        (b"x-clearbar-label-kind", b"reserved"),
        (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        (b"traceparent", b"malformed"),
        (b"user-agent", b"client"),
    ]
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "user": st.sampled_from(["", "u-2"]),
        "metadata": st.sampled_from([{}, {"clearbar_task": "t"}, {"clearbar_workflow": "digest"}]),
    },
)


class Ids:
    """Trace ids in order."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def trace_id(self) -> str:
        return f"{next(self._numbers):032x}"


@dataclass
class Force:
    """As much of a table in force as a head is read by."""

    table: RouteTable
    keys: KeyRing
    mark: object = field(default_factory=object)


def in_force(made: RouteTable | None = None) -> InForce:
    used = made or table(route(), route(workflow="digest"))
    return cast("InForce", Force(used, ring(used)))


def request(headers: list[tuple[bytes, bytes]], memory: Memory | None) -> Request:
    return Request("POST", "/v1/chat/completions", b"", headers, b"{}", memory=memory)


@given(st.lists(HEADERS, max_size=5), st.lists(BODIES, min_size=2, max_size=5))
def test_a_head_that_is_remembered_says_whose_it_is_as_a_new_one(
    headers: list[tuple[bytes, bytes]], bodies: list[dict[str, Any]]
) -> None:
    memory, force, ids, plain_ids = Memory(), in_force(), Ids(), Ids()
    for fields in bodies:
        said = asked()
        for name, value in fields.items():
            setattr(said, name, value)
        sent = request(headers, memory)
        found = known_head(sent, force).identify(sent, said, force, ids)
        expected = identify(headers, said.metadata, said.user, force.table, force.keys, plain_ids)
        assert found == expected


def identified(memory: Memory | None, force: InForce) -> Identified | Refusal:
    sent = request([BEARER], memory)
    return known_head(sent, force).identify(sent, None, force, Ids())


def test_a_key_that_is_revoked_is_refused_on_a_connection_that_is_kept() -> None:
    memory = Memory()
    assert isinstance(identified(memory, in_force()), Identified)
    assert not isinstance(identified(memory, in_force(table(keys={}))), Identified)


def test_what_is_known_of_a_head_is_worked_out_once_for_each_table() -> None:
    memory, first, second = Memory(), in_force(), in_force()
    sent = request([BEARER], memory)
    assert known_head(sent, first) is known_head(sent, first)
    assert known_head(sent, first) is not known_head(sent, second)


def test_a_request_without_a_memory_leaves_nothing_behind() -> None:
    force = in_force()
    sent = request([BEARER], None)
    assert known_head(sent, force) is not known_head(sent, force)
