"""A tool in force that changes its manner shows signs of it, without a grade."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.route.serving.certified import CASES, certify, workflow
from tests.route.serving.gateway import Gateway, gateway_for, toml
from tests.tools.upstream import Upstream

from clearbar.cli.main import cli
from clearbar.route.journal.seen_calls import MOST_A_PASS
from clearbar.route.watching.pre_alarms import LEARNT
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MORE = """
[[tool]]
name = "big"
kind = "openai"
model = "gpt-5"
url = "{url}"
key_env = "UPSTREAM_KEY"
provider = "openai"

[[route]]
workflow = "replies"
old_tool = "big"
holdout = 0
shadow = 0.1
"""
SIGN = "it writes more tokens"
PATIENCE_S = 30.0


@pytest.fixture
def words() -> list[int]:
    """How many words the upstream answers with: the last of these."""
    return [10]


@pytest.fixture
def running(tmp_path: Path, words: list[int]) -> Iterator[tuple[Gateway, str]]:
    with Upstream(lambda _: "yes " * words[-1]) as upstream:
        text = toml(upstream.url) + MORE.format(url=upstream.url) + workflow("replies", "small")
        (tmp_path / "cases.jsonl").write_text(CASES)
        (tmp_path / "clearbar.toml").write_text(text)
        certify(tmp_path, "replies", "small")
        with gateway_for(tmp_path, text, "replies") as (opened, keys):
            yield opened, keys["replies"]


def passes(gateway: Gateway, key: str, calls: int) -> None:
    """Make so many calls, with as many passes over the journals as there are in as many minutes."""
    with Workspace(gateway.folder) as workspace:
        for _ in range(0, calls, MOST_A_PASS):
            for _ in range(MOST_A_PASS):
                assert gateway.chat(key).status == 200
            assert workspace.charge_journals() >= MOST_A_PASS


def signs(gateway: Gateway) -> list[dict[str, Any]]:
    rows = gateway.operate("GET", "/v1/alarms").json["alarms"]
    return [row for row in rows if SIGN in row["what"]]


@pytest.mark.slow
def test_answers_that_become_three_times_as_long_are_a_pre_alarm(
    running: tuple[Gateway, str], words: list[int]
) -> None:
    gateway, key = running
    passes(gateway, key, LEARNT)
    words.append(30)
    passes(gateway, key, 4 * MOST_A_PASS)
    give_up = time.monotonic() + PATIENCE_S
    while not (found := signs(gateway)) and time.monotonic() < give_up:
        time.sleep(0.2)
    assert [(row["workflow"], row["tool"], row["in_force"]) for row in found] == [
        ("replies", "small", False)
    ]
    page = gateway.operate("GET", "/metrics").body.decode()
    assert 'clearbar_pre_alarms{tool="small",workflow="replies"} 1.0' in page
    arguments = ["--workspace", str(gateway.folder), "route", "watch"]
    assert SIGN in " ".join(CliRunner().invoke(cli, arguments).output.split())
