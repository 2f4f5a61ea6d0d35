"""What each API is asked for, page by page; the servers refuse what their documents do not know."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.spend.pull.providers import OpenAi, Provider, Refusal, completions, cost

from clearbar.core.errors import UnknownName
from clearbar.spend.pull import anthropic, langfuse, litellm, openrouter
from clearbar.spend.pull.api import PullError
from clearbar.spend.pull.apis import APIS, api_named
from clearbar.spend.pull.content import kept_of, page_of
from clearbar.spend.pull.fetch import Fetcher
from clearbar.spend.pull.pulling import pull

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.spend.pull.providers import Query

    from clearbar.spend.pull.api import Api
    from clearbar.spend.pull.pulling import Pulled

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def pulled(
    api: Api, provider: Provider, root: Path, since: date, keys: tuple[str, ...] = ("k",)
) -> list[Pulled]:
    """Pull from a running provider."""
    environment = {api.url_env: provider.url, **dict(zip(api.key_envs, keys, strict=True))}
    with Fetcher(api, environment, lambda _s: None, lambda: 0.0, lambda: NOON) as fetcher:
        return pull(api, fetcher, root, "", since, lambda: NOON)


def pages(root: Path, series: str) -> list[Any]:
    """Return the kept pages of a series, oldest span first."""
    return [json.loads(path.read_bytes()) for path in sorted(root.rglob(f"{series}/*/page-*.json"))]


def day_pages(query: Query) -> int:
    return int(dict(query)["page"])


@pytest.mark.parametrize("name", APIS)
def test_every_api_is_found_by_its_name(name: str) -> None:
    assert api_named(name).name == name


def test_another_api_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match='Did you mean "openai"'):
        api_named("opnai")


def test_the_server_of_these_tests_speaks_as_the_official_client_of_openai_expects() -> None:
    with OpenAi("sk-admin-1").running() as provider:
        assert isinstance(provider, OpenAi)
        provider.usage[date(2026, 11, 2)] = [completions("gpt-4o", 7)]
        provider.costs[date(2026, 11, 2)] = [cost(0.06, "GPT-4o input")]
        client = openai.OpenAI(api_key="x", admin_api_key="sk-admin-1", base_url=provider.url)
        asked: dict[str, Any] = {"start_time": 1_793_491_200, "end_time": 1_793_750_400}
        usage = client.admin.organization.usage.completions(
            bucket_width="1d", limit=31, group_by=["model", "batch"], **asked
        )
        costs = client.admin.organization.usage.costs(
            bucket_width="1d", limit=31, group_by=["line_item"], **asked
        )
        client.close()
    assert usage.data[1].results[0].input_tokens == 7  # type: ignore[union-attr]
    assert costs.data[1].results[0].amount.value == 0.06  # type: ignore[union-attr]
    assert {name for name, _ in provider.asked[0][1]} >= {"group_by[]", "bucket_width", "limit"}


class Anthropic(Provider):
    """Usage and cost reports: two buckets a page, the token of the next page is opaque."""

    def __init__(self) -> None:
        super().__init__(
            {
                "/v1/organizations/usage_report/messages": self._page,
                "/v1/organizations/cost_report": self._page,
            }
        )

    def _page(self, headers: dict[str, str], query: Query) -> Any:
        if (headers.get("x-api-key"), headers.get("anthropic-version")) != ("k", "2023-06-01"):
            raise Refusal(401)
        asked = dict(query)
        if not {"starting_at", "ending_at"} <= asked.keys() or int(asked["limit"]) > 31:
            raise Refusal(400)
        last = asked.get("page") == "page_2"
        return {"data": [], "has_more": not last, "next_page": None if last else "page_2"}


@pytest.fixture
def anthropic_server() -> Iterator[Provider]:
    with Anthropic().running() as running:
        yield running


def test_anthropic_is_asked_for_costs_and_usage_to_the_last_page(
    anthropic_server: Provider, tmp_path: Path
) -> None:
    found = pulled(anthropic.API, anthropic_server, tmp_path, date(2026, 11, 1))
    assert [(each.name, each.pages, each.failed) for each in found] == [
        ("costs", 2, None),
        ("usage", 2, None),
    ]


def test_anthropic_is_asked_for_whole_days_of_utc(
    anthropic_server: Provider, tmp_path: Path
) -> None:
    pulled(anthropic.API, anthropic_server, tmp_path, date(2026, 11, 1))
    asked = dict(anthropic_server.asked[0][1])
    assert (asked["starting_at"], asked["ending_at"]) == (
        "2026-11-01T00:00:00Z",
        "2026-11-21T00:00:00Z",
    )


class LiteLlm(Provider):
    """Spend logs, version 2: numbered pages of one row."""

    def __init__(self) -> None:
        super().__init__({"/spend/logs/v2": self._page})

    def _page(self, headers: dict[str, str], query: Query) -> Any:
        if headers.get("authorization") != "Bearer k":
            raise Refusal(401)
        asked = dict(query)
        for name in ("start_date", "end_date"):
            datetime.strptime(asked[name], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        if int(asked["page_size"]) > 1000 or asked["sort_by"] != "startTime":
            raise Refusal(400)
        row = {
            "request_id": f"r-{asked['start_date']}-{asked['page']}",
            "spend": 1.2345678901234567,
            "messages": [{"role": "user", "content": "secret words"}],
            "response": {"choices": "secret words"},
            "metadata": {"usage_object": {"prompt_tokens": 3}, "input": "kept"},
        }
        return {"data": [row], "page": int(asked["page"]), "total_pages": 3, "page_size": 1000}


@pytest.fixture
def litellm_server() -> Iterator[Provider]:
    with LiteLlm().running() as running:
        yield running


def test_litellm_is_asked_day_by_day_to_the_last_page(
    litellm_server: Provider, tmp_path: Path
) -> None:
    [found] = pulled(litellm.API, litellm_server, tmp_path, date(2026, 11, 19))
    assert (found.pages, found.failed) == (6, None)
    ids = [row["request_id"] for page in pages(tmp_path, "spend-logs") for row in page["data"]]
    assert ids[0] == "r-2026-11-19 00:00:00-1"
    assert ids[-1] == "r-2026-11-20 00:00:00-3"


def test_what_litellm_logs_of_prompts_and_answers_is_not_kept(
    litellm_server: Provider, tmp_path: Path
) -> None:
    pulled(litellm.API, litellm_server, tmp_path, date(2026, 11, 20))
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*.json"))
    assert b"secret words" not in kept
    assert b'"prompt_tokens":3' in kept


ROW: Any = {
    "request_id": "r-1",
    "api_key": "sk-secret-words",
    "startTime": "2026-11-20T00:00:00Z",
    "request_tags": ["team:shop"],
    "prompt_tokens": 3,
    "a_field_of_tomorrow": "secret words",
    "metadata": json.dumps(
        {
            "user_api_key_alias": "shop",
            "usage_object": {"prompt_tokens_details": {"cached_tokens": 2}},
            "error_information": {"error_message": "secret words", "number": 4711},
            "hooks": [{"of": ["secret words"]}],
        }
    ),
}


def test_of_litellms_texts_only_those_that_are_known_are_kept() -> None:
    page = {"data": [ROW], "total_pages": 1}
    kept = kept_of(litellm.API, b"", page)
    [row] = json.loads(kept)["data"]
    assert b"secret" not in kept
    assert b"4711" not in kept
    assert row["request_tags"] == ["team:shop"]
    assert row["api_key"] == hashlib.sha256(b"sk-secret-words").hexdigest()
    assert row["metadata"]["user_api_key_alias"] == "shop"
    assert row["metadata"]["usage_object"] == {"prompt_tokens_details": {"cached_tokens": 2}}


def test_numbers_of_a_page_that_is_kept_in_parts_stay_exact(
    litellm_server: Provider, tmp_path: Path
) -> None:
    pulled(litellm.API, litellm_server, tmp_path, date(2026, 11, 20))
    assert b"1.2345678901234567" in next(tmp_path.rglob("page-*.json")).read_bytes()


def test_litellm_has_no_address_of_its_own(tmp_path: Path) -> None:
    del tmp_path
    with (
        pytest.raises(PullError, match="does not say where the LiteLLM proxy is"),
        Fetcher(litellm.API, {"LITELLM_MASTER_KEY": "k"}, print, lambda: 0.0, lambda: NOON),
    ):
        pass


class Langfuse(Provider):
    """Observations: version 2 by cursor, version 1 by number; `versions` says which it knows."""

    def __init__(self, *versions: int) -> None:
        known = {
            1: ("/api/public/observations", self._v1),
            2: ("/api/public/v2/observations", self._v2),
        }
        super().__init__(dict(known[version] for version in versions))

    def _v2(self, headers: dict[str, str], query: Query) -> Any:
        asked = self._checked(headers, query)
        if "io" in asked["fields"].split(","):
            raise Refusal(400)
        return {"data": [{"id": "o"}], "meta": {} if "cursor" in asked else {"cursor": "c=="}}

    def _v1(self, headers: dict[str, str], query: Query) -> Any:
        asked = self._checked(headers, query)
        row = {"id": "o", "input": "secret words", "output": {"text": "secret words"}}
        return {"data": [row], "meta": {"page": int(asked["page"]), "totalPages": 2}}

    def _checked(self, headers: dict[str, str], query: Query) -> dict[str, str]:
        if b64decode(headers["authorization"].removeprefix("Basic ")) != b"pk-lf-1:sk-lf-1":
            raise Refusal(401)
        asked = dict(query)
        if asked["type"] not in ("GENERATION", "EMBEDDING") or "fromStartTime" not in asked:
            raise Refusal(400)
        return asked


KEYS = ("pk-lf-1", "sk-lf-1")


def test_langfuse_is_asked_for_generations_and_embeddings_by_cursor(tmp_path: Path) -> None:
    with Langfuse(2, 1).running() as provider:
        found = pulled(langfuse.API, provider, tmp_path, date(2026, 11, 20), KEYS)
    assert [(each.name, each.pages, each.failed) for each in found] == [
        ("generations", 2, None),
        ("embeddings", 2, None),
    ]


def test_an_older_langfuse_is_asked_in_its_own_way(tmp_path: Path) -> None:
    with Langfuse(1).running() as provider:
        found = pulled(langfuse.API, provider, tmp_path, date(2026, 11, 20), KEYS)
    assert [(each.pages, each.failed) for each in found] == [(2, None), (2, None)]


def test_what_an_older_langfuse_sends_of_prompts_and_answers_is_not_kept(tmp_path: Path) -> None:
    with Langfuse(1).running() as provider:
        pulled(langfuse.API, provider, tmp_path, date(2026, 11, 20), KEYS)
    assert b"secret" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*.json"))


@pytest.mark.parametrize("name", ["usage", "usageDetails", "costDetails"])
def test_of_langfuses_counts_none_is_lost_for_being_called_input(name: str) -> None:
    counts = {"input": 1000, "output": 100, "input_cached_tokens": 24, "total": 1100}
    row = {"id": "o", "input": "secret words", name: counts}
    payload = json.dumps({"data": [row]}).encode()
    kept = json.loads(kept_of(langfuse.API, payload, page_of(payload)))
    assert kept["data"] == [{"id": "o", name: counts}]


@pytest.mark.parametrize("value", ["secret words", ["secret"], {"text": "secret"}, True])
def test_of_langfuses_counts_only_numbers_are_kept(value: object) -> None:
    payload = json.dumps({"data": [{"usageDetails": {"input": value, "total": 1}}]}).encode()
    kept = json.loads(kept_of(langfuse.API, payload, page_of(payload)))
    assert kept["data"] == [{"usageDetails": {"total": 1}}]


def test_a_number_that_was_asked_is_no_count() -> None:
    payload = json.dumps({"data": [{"input": 42, "metadata": {"usage": {"input": 1}}}]}).encode()
    assert json.loads(kept_of(langfuse.API, payload, page_of(payload)))["data"] == [{}]


def test_what_is_no_langfuse_says_so(tmp_path: Path) -> None:
    with Langfuse().running() as provider:
        [found, _] = pulled(langfuse.API, provider, tmp_path, date(2026, 11, 20), KEYS)
    assert found.failed == "the API does not know this address (404)"


class OpenRouter(Provider):
    """The activity of one finished day of the last thirty."""

    def __init__(self) -> None:
        super().__init__({"/activity": self._day})

    def _day(self, headers: dict[str, str], query: Query) -> Any:
        if headers.get("authorization") != "Bearer k":
            raise Refusal(401)
        day = date.fromisoformat(dict(query)["date"])
        if not date(2026, 10, 21) <= day < NOON.date():
            raise Refusal(400)
        return {"data": [{"date": str(day), "model": "m", "usage": 0.5}]}


def test_openrouter_is_asked_for_each_finished_day_that_it_remembers(tmp_path: Path) -> None:
    with OpenRouter().running() as provider:
        [found] = pulled(openrouter.API, provider, tmp_path, date(2026, 1, 1))
    assert (found.start, found.end, found.pages, found.failed) == (
        date(2026, 10, 21),
        NOON.date(),
        30,
        None,
    )
