"""The JavaScript clients change their address and their key, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.serving.gateway import ROOT, gateway, toml
from tests.tools.upstream import Fault, Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tools.upstream_bodies import Asked

pytestmark = pytest.mark.slow
SOURCES = Path(__file__).with_name("javascript")
CACHE = ROOT / "build" / "javascript-clients"
LOCK = "package-lock.json"
MODELS: Any = {
    ("GET", "/v1/models"): lambda _: {
        "object": "list",
        "data": [{"id": "gpt-5-mini", "object": "model", "created": 1, "owned_by": "openai"}],
    }
}


def fault_of(asked: Asked) -> Fault | None:
    return Fault("drip", seconds=0.02) if asked.prompt == "slowly" else None


@pytest.fixture(scope="module")
def installed() -> Path:
    """The clients as the lock has them; skip where they cannot be installed."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node or npm is not installed")
    lock = (SOURCES / LOCK).read_text()
    made = CACHE / "installed-by.json"
    if not made.exists() or made.read_text() != lock:
        shutil.rmtree(CACHE, ignore_errors=True)
        shutil.copytree(SOURCES, CACHE)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm cannot install the clients: {done.stderr.strip()[-200:]}")
        made.write_text(lock)
    shutil.copy(SOURCES / "clients.mjs", CACHE)
    return CACHE


@pytest.fixture(scope="module")
def found(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the clients say of each of their requests, by its name."""
    with (
        Upstream(lambda _: "hello from the model", faults=fault_of, others=MODELS) as upstream,
        gateway(tmp_path_factory.mktemp("javascript"), toml(upstream.url)) as (running, key),
    ):
        done = subprocess.run(
            ["node", "clients.mjs"],
            cwd=installed,
            env={**os.environ, "GATEWAY_URL": running.url, "GATEWAY_KEY": key},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        yield json.loads(done.stdout)


def test_the_lock_names_no_registry() -> None:
    assert "http" not in (SOURCES / LOCK).read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chat", "hello from the model"),
        ("chatStream", {"text": "hello from the model", "usages": 0}),
        ("chatStreamWithUsage", 4),
        ("aborted", 1),
        ("message", "hello from the model"),
        ("messageStream", {"text": "hello from the model", "tokens": 4}),
        ("models", ["gpt-5-mini"]),
        ("refused", {"name": "AuthenticationError", "code": "bad_key", "quick": True}),
        ("refusedByAnthropic", {"name": "AuthenticationError", "type": "authentication_error"}),
    ],
)
def test_javascript_client(found: dict[str, Any], name: str, said: object) -> None:
    assert found[name] == said
