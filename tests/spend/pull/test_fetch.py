"""Asking for one page: what is tried again, what is waited for, what is given up."""

from __future__ import annotations

import gzip
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.spend.pull.providers import Packed, Provider, Refusal

from clearbar.spend.pull import openai
from clearbar.spend.pull.api import Ask, PullError
from clearbar.spend.pull.fetch import MAX_PAGE_BYTES, MAX_TRIES, Fetcher
from clearbar.spend.pull.pulling import pull

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASK = Ask("/page", (("a", "1 2"),))
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider({"/page": lambda _headers, query: dict(query)}).running() as running:
        yield running


class Asking:
    """Asks the provider; notes how long it would have slept."""

    def __init__(self, provider: Provider) -> None:
        self.ask = ASK
        self.slept_s: list[float] = []
        self.environment = {"OPENAI_ADMIN_KEY": "sk-1", "OPENAI_BASE_URL": provider.url}

    def fetcher(self) -> Fetcher:
        return Fetcher(openai.API, self.environment, self.slept_s.append, lambda: 1.0, lambda: NOON)

    def page(self) -> bytes:
        with self.fetcher() as fetcher:
            return fetcher.page(self.ask)


@pytest.fixture
def asking(provider: Provider) -> Asking:
    return Asking(provider)


def test_a_page_is_what_the_api_sent(asking: Asking) -> None:
    assert asking.page() == b'{"a": "1 2"}'


def test_an_api_that_is_busy_is_asked_again_when_it_says(
    asking: Asking, provider: Provider
) -> None:
    provider.faults = [Refusal(429, {"retry-after": "7"})]
    asking.page()
    assert asking.slept_s == [7.0]


def test_a_day_on_which_to_come_back_is_kept(asking: Asking, provider: Provider) -> None:
    provider.faults = [Refusal(503, {"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT"})]
    asking.page()
    assert asking.slept_s == [30.0]


def test_pauses_double(asking: Asking, provider: Provider) -> None:
    provider.faults = [Refusal(500), Refusal(502), Refusal(529)]
    asking.page()
    assert asking.slept_s == [1.0, 2.0, 4.0]


def test_a_connection_that_breaks_is_tried_again(asking: Asking, provider: Provider) -> None:
    provider.faults = [ConnectionError()]
    assert asking.page() == b'{"a": "1 2"}'


def test_it_is_not_tried_without_end(asking: Asking, provider: Provider) -> None:
    provider.faults = [Refusal(503)] * 20
    with pytest.raises(PullError, match=rf"answered with an error \(503\) after {MAX_TRIES} tries"):
        asking.page()
    assert len(provider.asked) == MAX_TRIES


def test_a_connection_that_always_breaks_is_given_up(asking: Asking, provider: Provider) -> None:
    provider.faults = [ConnectionError()] * 20
    with pytest.raises(PullError, match="cannot be reached, or broke off, 6 times"):
        asking.page()


def test_an_api_that_cannot_be_reached_is_not_tried_again_for_each_series(
    asking: Asking, tmp_path: Path
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        asking.environment["OPENAI_BASE_URL"] = f"http://127.0.0.1:{held.getsockname()[1]}"
        with asking.fetcher() as fetcher:
            found = pull(openai.API, fetcher, tmp_path, "", None, lambda: NOON)
    assert len(asking.slept_s) == MAX_TRIES - 1
    assert [each.name for each in found] == [each.name for each in openai.API.series]
    assert {each.failed for each in found} == {"the API cannot be reached, or broke off, 6 times"}


def test_an_api_that_wants_an_hour_is_not_waited_for(asking: Asking, provider: Provider) -> None:
    provider.faults = [Refusal(429, {"retry-after": "3600"})]
    with pytest.raises(PullError, match="come back in 3,600 seconds"):
        asking.page()
    assert asking.slept_s == []


def test_what_will_not_pass_is_not_tried_again(asking: Asking, provider: Provider) -> None:
    provider.faults = [Refusal(400)]
    with pytest.raises(PullError, match="did not accept the request"):
        asking.page()
    assert len(provider.asked) == 1


def test_a_redirect_is_not_followed(asking: Asking, provider: Provider) -> None:
    provider.faults = [Refusal(302, {"location": provider.url + "/page"})]
    with pytest.raises(PullError, match=r"\(302\)"):
        asking.page()


def test_a_key_that_is_not_set_is_named(asking: Asking) -> None:
    del asking.environment["OPENAI_ADMIN_KEY"]
    with pytest.raises(PullError, match="OPENAI_ADMIN_KEY, which is not set"):
        asking.page()


def test_a_key_with_a_line_break_inside_is_not_sent(asking: Asking) -> None:
    asking.environment["OPENAI_ADMIN_KEY"] = "sk-1\r\nx: y"
    with pytest.raises(PullError, match="characters that no key has"):
        asking.page()


def test_an_address_without_a_scheme_is_refused(asking: Asking) -> None:
    asking.environment["OPENAI_BASE_URL"] = "api.example.com"
    with pytest.raises(PullError, match="OPENAI_BASE_URL is no address"):
        asking.page()


def test_no_error_shows_the_key(asking: Asking, provider: Provider) -> None:
    provider.faults = [Refusal(401)]
    with pytest.raises(PullError) as error:
        asking.page()
    assert "sk-1" not in str(error.value) + repr(error.value.__cause__)


@pytest.mark.parametrize(
    "address", ["http://[::1", "http://host:port", "https://a..b", "http://" + "a" * 300]
)
def test_an_address_that_is_none_is_named(asking: Asking, address: str) -> None:
    asking.environment["OPENAI_BASE_URL"] = address
    with pytest.raises(PullError) as error:
        asking.page()
    assert "OPENAI_BASE_URL" in error.value.hint


@pytest.mark.parametrize("token", ["\ud800", "x" * 200_000])
def test_a_token_that_no_address_can_hold_is_refused(provider: Provider, token: str) -> None:
    asking = Asking(provider)
    asking.ask = Ask("/page", (("page", token),))
    with pytest.raises(PullError, match="none that can be asked"):
        asking.page()


def test_a_packed_page_is_unpacked(asking: Asking, provider: Provider) -> None:
    provider.faults = [Packed("gzip", gzip.compress(b"{}"))]
    assert asking.page() == b"{}"


def test_a_little_gzip_that_is_a_very_large_page_is_refused(
    asking: Asking, provider: Provider
) -> None:
    provider.faults = [Packed("gzip", gzip.compress(bytes(MAX_PAGE_BYTES + 1), 1))]
    with pytest.raises(PullError, match="a page of more than"):
        asking.page()


@pytest.mark.parametrize(
    ("coding", "body", "why"),
    [
        ("gzip", b"{}", "no gzip"),
        (
            "gzip, gzip",
            gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0),
            "packed in another way",
        ),
        ("zstd", b"{}", "packed in another way"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_refused(
    asking: Asking, provider: Provider, coding: str, body: bytes, why: str
) -> None:
    provider.faults = [Packed(coding, body)]
    with pytest.raises(PullError, match=why):
        asking.page()


def test_gzip_that_is_cut_short_is_asked_for_again(asking: Asking, provider: Provider) -> None:
    provider.faults = [Packed("gzip", gzip.compress(b"{}")[:-3])]
    assert asking.page() == b'{"a": "1 2"}'


def test_a_page_that_comes_drop_by_drop_is_given_up(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearbar.spend.pull.fetch._PAGE_S", -1.0)
    with pytest.raises(PullError, match="took more than"):
        asking.page()
