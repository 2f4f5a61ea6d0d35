"""`clearbar spend pull` as a person and a program see it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.spend.pull.providers import OpenAi, completions

from clearbar.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
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
