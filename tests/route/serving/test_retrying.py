"""Whether a failed call is worth another try."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.route.http.upstream import Broken
from clearbar.route.serving.retrying import Failed, failed_by, failed_with, wait_s


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert failed_with(status, [], 0).retry


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_the_client_has_to_change_is_not(status: int) -> None:
    failed = failed_with(status, [], 0)
    assert not failed.retry
    assert not failed.elsewhere


def test_a_server_that_fails_is_ill_and_one_that_is_busy_is_not() -> None:
    assert failed_with(500, [], 0).ill
    assert not failed_with(429, [], 0).ill


def test_another_tool_may_answer_where_this_one_asks_for_a_long_wait() -> None:
    failed = failed_with(429, [(b"retry-after", b"60")], 0)
    assert not failed.retry
    assert failed.elsewhere


def test_a_short_wait_is_waited_for() -> None:
    failed = failed_with(429, [(b"retry-after", b"2")], 0)
    assert failed.retry
    assert wait_s(failed, 1, 0.5) == 2.0


@pytest.mark.parametrize("kind", ["connect", "timeout", "reset", "protocol"])
def test_a_broken_connection_is_tried_again(kind: str) -> None:
    failed = failed_by(Broken(kind, sent=True, what="broke"))  # type: ignore[arg-type]
    assert failed.retry
    assert failed.ill


def test_a_certificate_that_is_not_trusted_is_not_tried_again_but_elsewhere() -> None:
    failed = failed_by(Broken("tls", sent=False, what="not trusted"))
    assert not failed.retry
    assert failed.elsewhere


@given(st.integers(1, 10), st.floats(0, 1, exclude_max=True))
def test_no_client_waits_longer_than_five_seconds_for_another_try(
    attempt: int, draw: float
) -> None:
    assert 0 < wait_s(Failed(retry=True, elsewhere=True, ill=True), attempt, draw) <= 5.0
