"""Budgets as clients meet them: never above, whoever asks at the same time, and clear refusals."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.budgets.clusters import NoClusterError, cluster
from tests.route.serving.certified import CASES, certify, workflow
from tests.route.serving.gateway import (
    Answered,
    Gateway,
    charges,
    gateway,
    gateway_for,
    issue,
    toml,
)
from tests.tools.upstream import Upstream

from clearbar.route.journal.entry import Noted
from clearbar.route.journal.reader import entries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.tools.upstream_bodies import Asked

CENTS = Decimal("0.10")
"""What a request costs: a hundred tokens of a tenth of a cent, and input for nothing."""
FIXED = """
[[tool]]
name = "fixed"
kind = "openai"
model = "fixed"
url = "{url}"
key_env = "UPSTREAM_KEY"
input_usd_per_million = "0"
output_usd_per_million = "1000"

[[tool]]
name = "fixed-claude"
kind = "anthropic"
model = "fixed"
url = "{url}"
key_env = "UPSTREAM_KEY"
input_usd_per_million = "0"
output_usd_per_million = "1000"
"""
PAIR = """
[[tool]]
name = "last"
kind = "openai"
model = "last"
url = "{url}"
key_env = "UPSTREAM_KEY"
input_usd_per_million = "0"
output_usd_per_million = "1000"

[[tool]]
name = "pair"
kind = "cascade"
first = "small"
then = "last"
agree_with = ["fixed"]

[[route]]
workflow = "pairs"
holdout = 0
"""
BUDGET = """
[[budget]]
scope = "{scope}"
name = "{name}"
usd = "{usd}"
{more}
"""
NAMES = ("letters", "capped", "warned", "runs", "drained")


def usage(asked: Asked, _: str) -> dict[str, Any]:
    """As many tokens as a prompt says, else a hundred."""
    said = asked.prompt.split()[-1]
    tokens = int(said) if said.isdigit() else 100
    if asked.protocol == "anthropic":
        return {"input_tokens": 1, "output_tokens": tokens}
    return {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}


def declared(url: str) -> str:
    budgets = (
        ("workflow", "letters", "5", ""),
        ("workflow", "capped", "0.60", ""),
        ("workflow", "warned", "2", "warn_at = [0.5, 0.8]"),
        ("run", "*", "0.30", ""),
        ("workflow", "drained", "1", "drain_at = 0.5"),
    )
    more = [
        f'[[workflow]]\nname = "{each}"\nowner = "{each}-lead@example.com"\n' for each in NAMES[1:]
    ]
    more += [
        BUDGET.format(scope=scope, name=name, usd=usd, more=said)
        for scope, name, usd, said in budgets
    ]
    text = toml(url, FIXED.format(url=url) + "".join(more))
    return text.replace("[gateway]", "[gateway]\nworkers = 2")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(usage=usage) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("budgets")


@pytest.fixture(scope="module")
def running(upstream: Upstream, folder: Path) -> Iterator[tuple[Gateway, dict[str, str]]]:
    with gateway_for(folder, declared(upstream.url), *NAMES) as opened:
        yield opened


@pytest.fixture
def ask(running: tuple[Gateway, dict[str, str]]) -> Any:
    def asked(name: str, prompt: str = "hi", max_tokens: int = 100, **told: str) -> Answered:
        return running[0].chat(
            running[1][name],
            model="fixed",
            messages=[{"role": "user", "content": prompt}],
            max_tokens=max_tokens,
            headers={f"x-clearbar-{word}": value for word, value in told.items()},
        )

    return asked


def at_once(count: int, ask: Any) -> list[Answered]:
    with ThreadPoolExecutor(64) as threads:
        return list(threads.map(lambda _: ask(), range(count)))


def paid(folder: Path, workflow: str) -> Decimal:
    found = [each["cost_usd"] for each in charges(folder) if each["workflow"] == workflow]
    return sum(found, Decimal(0))


def test_many_at_once_never_spend_more_than_the_budget(
    ask: Any, folder: Path, running: tuple[Gateway, dict[str, str]]
) -> None:
    statuses = Counter(each.status for each in at_once(200, lambda: ask("letters")))
    assert set(statuses) == {200, 429}
    assert statuses[200] == 50
    assert paid(folder, "letters") == 50 * CENTS
    time.sleep(1.2)  # a worker tells the store of budgets once a second
    account = running[0].account("workflow:letters")
    assert Decimal(account["spent_usd"]) == Decimal(5)
    assert Decimal(account["held_usd"]) == Decimal(0)


def test_a_refusal_says_which_budget_and_who_can_raise_it_and_is_not_to_be_tried_again(
    ask: Any,
) -> None:
    at_once(50, lambda: ask("letters"))
    answered = ask("letters")
    assert answered.status == 429
    assert answered.headers["x-should-retry"] == "false"
    assert "retry-after" not in answered.headers
    error = answered.json["error"]
    assert (error["code"], error["type"]) == ("over_budget", "insufficient_quota")
    assert "workflow:letters" in error["message"]
    assert "letters-lead@example.com" in error["message"]


def test_and_so_in_the_shape_of_the_other_protocol(
    ask: Any, running: tuple[Gateway, dict[str, str]]
) -> None:
    at_once(50, lambda: ask("letters"))
    gateway, keys = running
    body = {"model": "fixed", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    answered = gateway.ask("POST", "/v1/messages", body, {"x-api-key": keys["letters"]})
    assert (answered.status, answered.json["type"]) == (429, "error")
    assert answered.headers["x-should-retry"] == "false"
    assert "workflow:letters" in answered.json["error"]["message"]


def test_the_limit_of_an_answer_is_lowered_to_what_is_left(ask: Any, upstream: Upstream) -> None:
    assert ask("capped", "cap 10", max_tokens=2000).status == 200
    sent = upstream.asked[-1].body
    assert sent["max_tokens"] == 600
    assert ask("capped", "cap 10", max_tokens=2000).status == 200
    assert upstream.asked[-1].body["max_tokens"] == 590
    ask("capped", "cap 10", max_tokens=300)
    assert upstream.asked[-1].body["max_tokens"] == 300


@pytest.mark.slow
def test_a_warning_stands_in_the_journal_once_whoever_crosses_it(ask: Any, folder: Path) -> None:
    at_once(20, lambda: ask("warned"))
    give_up = time.monotonic() + 8
    told: list[Noted] = []
    while len(told) < 2 and time.monotonic() < give_up:
        time.sleep(0.2)
        told = warnings(folder)
    time.sleep(1.5)
    told = warnings(folder)
    assert sorted(each.detail for each in told) == ["50% is spent or held", "80% is spent or held"]


def warnings(folder: Path) -> list[Noted]:
    found = (each.entry for each in entries(folder / ".clearbar/route/journal"))
    noted = [each for each in found if isinstance(each, Noted) and each.what == "budget_warning"]
    return [each for each in noted if each.about.startswith("workflow:warned")]


def test_each_run_has_a_budget_of_its_own(ask: Any) -> None:
    first = [ask("runs", run="first").status for _ in range(5)]
    assert first == [200, 200, 200, 429, 429]
    assert ask("runs", run="second").status == 200


def test_from_drain_at_on_new_tasks_are_refused_and_begun_ones_go_on(ask: Any) -> None:
    assert [ask("drained", task="begun").status for _ in range(5)] == [200] * 5
    give_up = time.monotonic() + 5
    while (new := ask("drained", task=f"new-{time.monotonic()}")).status == 200:
        assert time.monotonic() < give_up
    assert (new.status, new.json["error"]["code"]) == (429, "draining")
    assert ask("drained", task="begun").status == 200


@pytest.mark.slow
def test_machines_that_share_a_database_share_their_budgets(
    upstream: Upstream, tmp_path: Path
) -> None:
    text = declared(upstream.url).replace("[gateway]", '[gateway]\nstore_env = "SHARED"')
    folders = [tmp_path / name for name in ("one", "two")]
    with ExitStack() as opened:
        try:
            address = opened.enter_context(cluster())
        except NoClusterError as error:
            pytest.skip(str(error))
        for each in folders:
            each.mkdir()
        machines = [opened.enter_context(gateway(each, text, SHARED=address)) for each in folders]
        hi = [{"role": "user", "content": "hi"}]
        given = iter(range(200))

        def asked() -> Answered:
            running, key = machines[next(given) % 2]
            return running.chat(key, model="fixed", max_tokens=100, messages=hi)

        statuses = Counter(each.status for each in at_once(200, asked))
        time.sleep(1.2)
        accounts = [running.account("workflow:letters") for running, _ in machines]
    assert set(statuses) == {200, 429}
    assert 45 <= statuses[200] <= 50
    assert sum(paid(each, "letters") for each in folders) == statuses[200] * CENTS
    assert [Decimal(each["spent_usd"]) for each in accounts] == [statuses[200] * CENTS] * 2


@pytest.mark.slow
def test_without_its_database_a_gateway_lives_on_and_refuses_what_it_cannot_hold(
    upstream: Upstream, tmp_path: Path
) -> None:
    text = declared(upstream.url).replace("[gateway]", '[gateway]\nstore_env = "SHARED"')
    text += workflow("pairs", "pair") + PAIR.format(url=upstream.url)
    (tmp_path / "cases.jsonl").write_text(CASES)
    (tmp_path / "clearbar.toml").write_text(text)
    certify(tmp_path, "pairs", "pair", threshold=1.0)
    with ExitStack() as started:
        try:
            address = started.enter_context(cluster())
        except NoClusterError as error:
            pytest.skip(str(error))
        key, paired = issue(tmp_path, "runs"), issue(tmp_path, "pairs")
        running = Gateway.start(tmp_path, SHARED=address)
        try:
            assert running.chat(key, model="fixed", max_tokens=9).status == 200
            assert running.chat(paired, max_tokens=9).status == 200
            started.close()
            for each in (key, paired):
                told = {"x-clearbar-run": f"new-{each[:8]}"}
                answered = running.chat(each, model="fixed", max_tokens=9, headers=told)
                assert (answered.status, answered.json["error"]["code"]) == (503, "budget_store")
                assert answered.headers["retry-after"]
            for pid in running.worker_pids():
                os.kill(pid, signal.SIGKILL)
            time.sleep(2)
            assert running.process.poll() is None
            assert running.operate("GET", "/healthz").status == 200
        finally:
            running.stop()
