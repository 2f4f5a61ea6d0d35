"""`clearbar spend pull` as a person and a program see it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.spend.pull.providers import OpenAi, Provider, Refusal, completions

from clearbar.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def provider() -> Iterator[OpenAi]:
    with OpenAi("sk-admin-1").running() as running:
        assert isinstance(running, OpenAi)
        yield running


@pytest.fixture
def workspace(tmp_path: Path, prices: Path) -> Path:
    (tmp_path / "clearbar.toml").write_text("")
    (tmp_path / ".clearbar").mkdir()
    (tmp_path / ".clearbar" / "prices").symlink_to(prices)
    return tmp_path


def run(workspace: Path, provider: OpenAi, *words: str, key: str = "sk-admin-1") -> Result:
    environment = {"OPENAI_ADMIN_KEY": key, "OPENAI_BASE_URL": provider.url}
    arguments = ["--workspace", str(workspace), "spend", "pull", *words]
    return CliRunner().invoke(cli, arguments, env=environment)


def test_a_pull_says_of_each_series_what_came(workspace: Path, provider: OpenAi) -> None:
    provider.usage[datetime.now(UTC).date()] = [completions("gpt-4o", 1_000)]
    result = run(workspace, provider, "openai")
    assert result.exit_code == 0
    assert "usage-completions: " in result.output
    assert "1 records: 1 new" in result.output


def test_a_pull_says_the_same_as_json(workspace: Path, provider: OpenAi) -> None:
    told = json.loads(run(workspace, provider, "openai", "--json").stdout)
    assert told["api"] == "openai"
    assert {each["failed"] for each in told["series"]} == {None}
    assert told["added"]["records"] == 0


def test_a_pull_that_fails_says_why_and_ends_with_1(workspace: Path, provider: OpenAi) -> None:
    result = run(workspace, provider, "openai", key="sk-wrong")
    assert result.exit_code == 1
    assert "costs: failed: the API did not accept the key (401)" in result.output
    assert "sk-wrong" not in result.output


def test_an_unknown_api_is_refused(workspace: Path, provider: OpenAi) -> None:
    result = run(workspace, provider, "opnai")
    assert result.exit_code != 0
    assert 'Did you mean "openai"?' in result.output


def of_another_api(workspace: Path, api: str, paths: Mapping[str, object], *more: str) -> Result:
    """Pull from a server that answers each path with one value."""
    answers: dict[str, Callable[..., object]] = {
        path: partial(_answer, value) for path, value in paths.items()
    }
    keys = ("ANTHROPIC_ADMIN_KEY", "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")
    with Provider(answers).running() as running:
        environment = {
            **dict.fromkeys(keys, "key"),
            **dict.fromkeys(("ANTHROPIC_BASE_URL", "LANGFUSE_HOST"), running.url),
        }
        words = ["--workspace", str(workspace), "spend", "pull", api, *more]
        return CliRunner().invoke(cli, words, env=environment)


def _answer(value: object, _headers: object, _query: object) -> object:
    if isinstance(value, Refusal):
        raise value
    return value


def test_tokens_that_langfuse_counts_as_input_and_output_are_in_the_ledger(workspace: Path) -> None:
    today = datetime.now(UTC).date()
    row = {
        "id": "o",
        "traceId": "t",
        "projectId": "p",
        "parentObservationId": None,
        "type": "GENERATION",
        "startTime": f"{today}T00:00:00Z",
        "model": "gpt-4o",
        "input": "secret words",
        "output": "secret words",
        "usageDetails": {"input": 1000, "output": 100, "total": 1100},
    }
    path = "/api/public/v2/observations"
    page = {"data": [row], "meta": {}}
    result = of_another_api(workspace, "langfuse", {path: page}, "--since", str(today))
    assert result.exit_code == 0, result.output
    said = CliRunner().invoke(cli, ["--workspace", str(workspace), "spend", "--json"])
    total = json.loads(said.stdout)["total"]
    assert (total["input_tokens"], total["output_tokens"]) == (1000, 100)
    kept = b"".join(each.read_bytes() for each in workspace.rglob("page-*.json"))
    assert b"secret" not in kept


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_is_named(workspace: Path, status: int) -> None:
    refused = Refusal(status)
    paths = {
        "/v1/organizations/cost_report": refused,
        "/v1/organizations/usage_report/messages": refused,
    }
    result = of_another_api(workspace, "anthropic", paths)
    assert result.exit_code == 1
    assert "what was pulled before stays; set ANTHROPIC_ADMIN_KEY anew" in result.output


def test_an_answer_without_rows_is_no_pull_that_went_well(workspace: Path) -> None:
    paths = {
        "/v1/organizations/cost_report": {"data": None},
        "/v1/organizations/usage_report/messages": {},
    }
    result = of_another_api(workspace, "anthropic", paths)
    assert result.exit_code == 1
    assert result.output.count("failed: the answer is not a page") == 2
    assert not list(workspace.rglob("page-*.json"))
