"""Two replicas of the real LiteLLM before one real gateway, which keeps one budget for both."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError

import pytest
from tests.route.operating.lines import NANO
from tests.route.operating.litellm_proxy import ABSENT, PROGRAM, proxy
from tests.tools.upstream import Upstream

from clearbar.route.journal.entry import Ended, Held
from clearbar.route.journal.reader import entries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAM.exists(), reason=ABSENT),
]
BUDGET_USD: Final = 0.02
LIMIT: Final = 10_000
TOML: Final = f"""
[gateway]
openai = {{ url = "https://api.openai.com/v1", key_env = "NOT_USED" }}

[[workflow]]
name = "support-replies"
owner = "support-lead@example.com"
metric = {{ name = "score", unit = "task", from = "outcomes.csv" }}
bar = "score >= 0.9"

[[route]]
workflow = "support-replies"
mode = "enforce"

[[budget]]
scope = "workflow"
name = "support-replies"
usd = {BUDGET_USD}
"""


def run(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "clearbar", "--workspace", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """Run `clearbar route serve` and yield the address of its admin API."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "clearbar", "--workspace", str(folder), "route", "serve"]
    command += ["--port", "0", "--admin-port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with (folder / "serve.log").open("wb") as log:
        environment = {**os.environ, "NOT_USED": "x"}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        _wait(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):  # noqa: S310 - loopback
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError("the gateway did not start")


def summed(url: str, metric: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as reply:  # noqa: S310 - loopback
        page = reply.read().decode()
    return sum(float(each) for each in re.findall(rf"^{metric}{{.*}} (\S+)$", page, re.MULTILINE))


def peak_nusd(folder: Path) -> int:
    """Return the most that was spent and held at any moment, as the journal has it."""
    held: dict[str, int] = {}
    spent = peak = 0
    for entry in (placed.entry for placed in entries(folder)):  # of one process, in its order
        if isinstance(entry, Held):
            held[entry.call_id] = entry.amount_nusd
        elif isinstance(entry, Ended):
            del held[entry.call_id]
            spent += entry.cost_nusd
        peak = max(peak, spent + sum(held.values()))
    return peak


def test_a_budget_holds_over_replicas_and_each_answer_is_one_charge(tmp_path: Path) -> None:
    workspace, first, second = (tmp_path / name for name in ("workspace", "first", "second"))
    for folder in (workspace, first, second):
        folder.mkdir()
    (workspace / "clearbar.toml").write_text(TOML)
    created = run(
        workspace, "route", "key", "create", "support-replies", "--by", "it@example.com", "--json"
    )
    environment = {"CLEARBAR_KEY": json.loads(created)["key"]}
    body = {
        "model": "fast",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": LIMIT,
    }
    with Upstream(lambda _: "yes " * 40, seconds=0.5) as upstream, gateway(workspace) as url:
        environment["CLEARBAR_ADMIN_URL"] = url
        with (
            proxy(first, upstream.url, environment) as one,
            proxy(second, upstream.url, environment) as two,
            ThreadPoolExecutor(24) as pool,
        ):
            asked = pool.map(
                lambda n: (one, two)[n % 2].ask("/v1/chat/completions", body), range(24)
            )
            statuses = Counter(status for status, _, _ in asked)
            give_up = time.monotonic() + 15
            while summed(url, "clearbar_calls_in_flight") and time.monotonic() < give_up:
                time.sleep(0.2)
        assert set(statuses) == {200, 429}
        assert summed(url, "clearbar_calls_total") == statuses[200]
        assert summed(url, "clearbar_held_dollars") == 0
        spent = summed(url, "clearbar_cost_dollars_total")
    assert peak_nusd(workspace / ".clearbar" / "route" / "journal") <= BUDGET_USD * NANO
    report: Any = json.loads(run(workspace, "spend", "--json"))
    assert len(upstream.asked) == statuses[200]
    total = report["total"]
    assert total["calls"] == statuses[200]
    assert float(total["cost_usd"]) == pytest.approx(spent)
