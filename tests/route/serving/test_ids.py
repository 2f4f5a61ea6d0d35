"""Ids of requests, calls and spans."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from clearbar.route.serving.ids import Ids


def test_ids_of_one_worker_are_never_the_same() -> None:
    ids = Ids(Random(1))
    assert len({ids.next(5_000) for _ in range(1000)}) == 1000


def test_ids_of_two_workers_are_never_the_same() -> None:
    assert Ids(Random(1)).next(5_000) != Ids(Random(2)).next(5_000)


@given(st.integers(0, 10**16), st.integers(1, 10**9))
def test_a_later_id_sorts_behind_an_earlier_one(at_us: int, later_ms: int) -> None:
    ids = Ids(Random(1))
    assert ids.next(at_us) < ids.next(at_us + later_ms * 1000)


def test_span_and_trace_ids_have_the_form_of_w3c_trace_context() -> None:
    ids = Ids(Random(1))
    assert len(ids.span_id()) == 16
    assert len(ids.trace_id()) == 32
    assert int(ids.span_id(), 16)
