"""Pulling from an API: what is asked for, what is kept, what counts afterwards."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.spend.pull.providers import OpenAi, Refusal, completions

from clearbar.core.errors import ClearbarError
from clearbar.core.period import parse_period
from clearbar.spend.pull.kept import only_one
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.spend.pull.pulling import Pulled

KEY = "sk-admin-1"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOON.date()


@pytest.fixture
def provider() -> Iterator[OpenAi]:
    with OpenAi(KEY).running() as running:
        assert isinstance(running, OpenAi)
        yield running


class Pulling:
    """A workspace that pulls from the provider; its clock moves by hand."""

    def __init__(self, folder: Path, provider: OpenAi) -> None:
        (folder / "clearbar.toml").write_text("")
        self.now = NOON
        self.folder = folder
        self.provider = provider
        self.workspace = Workspace(folder, clock=lambda: self.now)

    def pull(self, since: date | None = None, account: str = "", key: str = KEY) -> list[Pulled]:
        self.now += timedelta(seconds=1)
        environment = {"OPENAI_ADMIN_KEY": key, "OPENAI_BASE_URL": self.provider.url}
        return self.workspace.pull("openai", since, account, environment)[0]

    def tokens(self, by: str = "model") -> dict[str, int]:
        everything = parse_period("all", TODAY)
        rows = self.workspace.spend(everything, by).rows
        return {row.key: row.usage.input_tokens for row in rows if row.usage.input_tokens}

    def pages(self) -> list[Path]:
        return sorted((self.folder / ".clearbar" / "pulled").rglob("page-*.json"))


@pytest.fixture
def pulling(tmp_path: Path, provider: OpenAi, prices: Path) -> Iterator[Pulling]:
    (tmp_path / ".clearbar").mkdir()
    (tmp_path / ".clearbar" / "prices").symlink_to(prices)
    made = Pulling(tmp_path, provider)
    yield made
    made.workspace.close()


def test_what_the_api_tells_is_in_the_ledger(pulling: Pulling, provider: OpenAi) -> None:
    provider.usage[date(2026, 11, 18)] = [completions("gpt-4o", 1_000)]
    pulling.pull()
    assert pulling.tokens() == {"gpt-4o": 1_000}


def test_all_pages_are_asked_for(pulling: Pulling, provider: OpenAi) -> None:
    provider.buckets_per_page = 3
    for day in range(1, 21):
        provider.usage[date(2026, 11, day)] = [completions("gpt-4o", 100)]
    pulling.pull(since=date(2026, 11, 1))
    assert pulling.tokens() == {"gpt-4o": 2_000}


def test_the_first_pull_takes_the_last_31_days(pulling: Pulling) -> None:
    [first, *_] = pulling.pull()
    assert (first.start, first.end) == (date(2026, 10, 20), date(2026, 11, 21))


def test_the_next_pull_takes_the_last_week_again(pulling: Pulling) -> None:
    pulling.pull()
    [first, *_] = pulling.pull()
    assert (first.start, first.end) == (date(2026, 11, 13), date(2026, 11, 21))


def test_a_bucket_that_grew_replaces_what_it_was(pulling: Pulling, provider: OpenAi) -> None:
    provider.usage[TODAY] = [completions("gpt-4o", 1_000, calls=3)]
    pulling.pull()
    provider.usage[TODAY] = [completions("gpt-4o", 1_500, calls=4)]
    pulling.pull()
    assert pulling.tokens() == {"gpt-4o": 1_500}


def test_a_bucket_that_was_corrected_downwards_replaces_what_it_was(
    pulling: Pulling, provider: OpenAi
) -> None:
    provider.usage[TODAY] = [completions("gpt-4o", 1_000, calls=3)]
    pulling.pull()
    provider.usage[TODAY] = [completions("gpt-4o", 700, calls=2)]
    pulling.pull()
    assert pulling.tokens() == {"gpt-4o": 700}


def test_a_bucket_that_moved_to_another_model_counts_once(
    pulling: Pulling, provider: OpenAi
) -> None:
    provider.usage[TODAY] = [completions("gpt-4o", 1_000)]
    pulling.pull()
    provider.usage[TODAY] = [completions("gpt-4o-2024-11-20", 1_000)]
    [*_, usage] = [each for each in pulling.pull() if each.name == "usage-completions"]
    assert usage.withdrawn == 1
    assert pulling.tokens() == {"gpt-4o-2024-11-20": 1_000}


def test_what_was_withdrawn_and_is_told_again_counts_again(
    pulling: Pulling, provider: OpenAi
) -> None:
    for model in ("gpt-4o", "gpt-4.1", "gpt-4o"):
        provider.usage[TODAY] = [completions(model, 1_000)]
        pulling.pull()
    assert pulling.tokens() == {"gpt-4o": 1_000}


def test_what_is_older_than_the_last_week_is_not_withdrawn(
    pulling: Pulling, provider: OpenAi
) -> None:
    provider.usage[date(2026, 11, 1)] = [completions("gpt-4o", 1_000)]
    pulling.pull()
    provider.usage.clear()
    pulling.pull()
    assert pulling.tokens() == {"gpt-4o": 1_000}


def test_pulling_again_what_has_not_changed_adds_nothing(
    pulling: Pulling, provider: OpenAi
) -> None:
    provider.usage[TODAY] = [completions("gpt-4o", 1_000)]
    pulling.pull()
    pulling.pull()
    assert pulling.tokens() == {"gpt-4o": 1_000}


def test_two_accounts_are_two_bills(pulling: Pulling, provider: OpenAi) -> None:
    provider.usage[TODAY] = [completions("gpt-4o", 1_000)]
    pulling.pull(account="eu")
    pulling.pull(account="us")
    assert pulling.tokens("account") == {"eu": 1_000, "us": 1_000}


def test_a_charge_is_traced_to_the_page_that_the_api_sent(
    pulling: Pulling, provider: OpenAi
) -> None:
    provider.usage[TODAY] = [completions("gpt-4o", 1_000)]
    pulling.pull()
    told = [page for page in pulling.pages() if b'"input_tokens": 1000' in page.read_bytes()]
    assert len(told) == 1


def test_a_pull_that_breaks_off_in_the_middle_of_a_span_keeps_nothing_of_it(
    pulling: Pulling, provider: OpenAi
) -> None:
    provider.buckets_per_page = 10
    page = provider.paths["/organization/costs"]

    def broken(headers: dict[str, str], query: list[tuple[str, str]]) -> object:
        if dict(query).get("page") == "20":
            raise Refusal(403)
        return page(headers, query)

    provider.paths["/organization/costs"] = broken
    costs, *_ = pulling.pull()
    assert costs.failed == "the key may not read this: an admin key is needed (403)"
    assert not [page for page in pulling.pages() if "costs" in page.parts]


def test_a_series_that_fails_does_not_keep_the_others_from_being_pulled(
    pulling: Pulling, provider: OpenAi
) -> None:
    provider.usage[TODAY] = [completions("gpt-4o", 1_000)]
    del provider.paths["/organization/costs"]
    costs, *others = pulling.pull()
    assert costs.failed is not None
    assert not any(each.failed for each in others)
    assert pulling.tokens() == {"gpt-4o": 1_000}


def test_a_wrong_key_is_named_by_its_effect_and_not_shown(pulling: Pulling) -> None:
    [first, *_] = pulling.pull(key="sk-admin-wrong")
    assert first.failed == "the API did not accept the key (401)"


def test_pages_without_end_are_refused(pulling: Pulling, provider: OpenAi) -> None:
    provider.paths["/organization/costs"] = lambda _headers, _query: {
        "data": [],
        "has_more": True,
        "next_page": "same",
    }
    costs, *_ = pulling.pull()
    assert costs.failed == "the API names pages without end"


def test_what_is_no_page_is_refused(pulling: Pulling, provider: OpenAi) -> None:
    provider.faults = [b"<html>"]
    costs, *_ = pulling.pull()
    assert costs.failed == "the answer is not JSON"


def test_a_page_that_is_a_list_is_refused(pulling: Pulling, provider: OpenAi) -> None:
    provider.faults = [b"[1]"]
    costs, *_ = pulling.pull()
    assert costs.failed == "the answer is not a page"


def test_a_token_that_is_no_text_is_refused(pulling: Pulling, provider: OpenAi) -> None:
    provider.faults = [b'{"data": [], "has_more": true, "next_page": 7}']
    costs, *_ = pulling.pull()
    assert costs.failed == "the answer's next_page is not a text"


def test_what_a_killed_pull_has_kept_is_added_by_the_next(
    pulling: Pulling, provider: OpenAi
) -> None:
    provider.usage[date(2026, 11, 1)] = [completions("gpt-4o", 1_000)]
    pulling.pull()
    ledger = pulling.folder / ".clearbar" / "ledger"
    pulling.workspace.close()
    for path in (*ledger.rglob("*.parquet"), ledger / "manifest.json"):
        path.unlink(missing_ok=True)
    (pulling.folder / ".clearbar" / "facts.db").unlink()
    pulling.workspace = Workspace(pulling.folder, clock=lambda: pulling.now)
    pulling.pull()
    assert pulling.tokens() == {"gpt-4o": 1_000}


def test_what_a_killed_pull_has_begun_is_not_read(pulling: Pulling, provider: OpenAi) -> None:
    provider.usage[TODAY] = [completions("gpt-4o", 1_000)]
    pulling.pull(account="eu")
    [page] = [each for each in pulling.pages() if b"gpt-4o" in each.read_bytes()]
    begun = page.parent.parent / ".0123456789abcdef"
    begun.mkdir()
    (begun / page.name).write_bytes(page.read_bytes())
    pulling.pull(account="eu")
    assert pulling.tokens() == {"gpt-4o": 1_000}
    assert not begun.exists()


def test_two_pulls_at_once_are_refused(pulling: Pulling) -> None:
    place = pulling.folder / ".clearbar" / "pulled" / "openai"
    with only_one(place), pytest.raises(ClearbarError, match="another pull of openai"):
        pulling.pull()
    assert pulling.pull()


@pytest.mark.parametrize(
    ("since", "why"), [(date(2026, 11, 21), "yet to come"), (date(202, 11, 1), "no API knows")]
)
def test_a_day_that_no_api_knows_is_refused(pulling: Pulling, since: date, why: str) -> None:
    with pytest.raises(ClearbarError, match=why):
        pulling.pull(since=since)


def test_behind_a_pull_from_the_time_to_come_nothing_is_pulled(pulling: Pulling) -> None:
    pulling.now += timedelta(days=400)
    pulling.pull()
    pulling.now -= timedelta(days=390)
    assert {each.failed is None for each in pulling.pull()} == {False}


def test_pages_that_tell_nothing_are_counted_and_not_kept(
    pulling: Pulling, provider: OpenAi
) -> None:
    provider.usage[TODAY] = [completions("gpt-4o", 1_000)]
    assert sum(each.pages for each in pulling.pull()) > 1
    assert len(pulling.pages()) == 1
