"""How long an endpoint asks to wait, in each way in which it may say so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.retry_after import retry_after_s

NOW = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "120"}, 120),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "in a while"}, None),
        ({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, None),
        ({"retry-after": "Sun, 01 Nov 2026 12:01:30 GMT"}, 90),
        ({"retry-after": "Sun, 01 Nov 2026 12:01:30 -0000"}, 90),
        ({"retry-after": "Sun, 01 Nov 2026 13:01:30 +0100"}, 90),
        ({"retry-after": "Sun, 01 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2),
    ],
)
def test_seconds_milliseconds_and_dates_are_understood(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_s(headers, NOW) == seconds


@given(st.text(max_size=40))
def test_whatever_is_said_the_wait_is_none_or_not_negative(said: str) -> None:
    waits = retry_after_s({"retry-after": said}, NOW)
    assert waits is None or waits >= 0
