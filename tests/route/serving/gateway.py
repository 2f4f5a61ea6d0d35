"""A real gateway in a workspace of its own, before a real upstream on the loopback."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from clearbar.gate.verdict import Decision

ROOT = Path(__file__).parents[3]
_URL = re.compile(r"http://127\.0\.0\.1:(\d+)")
READY_S = 30.0


def toml(url: str, more: str = "", *, mode: str = "enforce") -> str:
    """One workflow `letters`, a tool for each protocol, and upstreams at the same address."""
    return f"""
[gateway]
drain_s = 5
openai = {{ url = "{url}", key_env = "UPSTREAM_KEY" }}
anthropic = {{ url = "{url}", key_env = "UPSTREAM_KEY" }}

[policy]
mode = "{mode}"

[[workflow]]
name = "letters"
owner = "letters-lead@example.com"

[[tool]]
name = "small"
kind = "openai"
model = "gpt-5-mini"
url = "{url}"
key_env = "UPSTREAM_KEY"
provider = "openai"

[[tool]]
name = "claude"
kind = "anthropic"
model = "claude-haiku-4-5"
url = "{url}"
key_env = "UPSTREAM_KEY"
provider = "anthropic"
{more}
"""


@dataclass
class Gateway:
    """A gateway process. `said` is what it told the person who started it."""

    folder: Path
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    port: int = 0
    admin_port: int = 0
    listener: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def admin_token(self) -> str:
        return (self.folder / ".clearbar/route/admin-token").read_text().strip()

    @classmethod
    def start(cls, folder: Path, *options: str, **environment: str) -> Self:
        """Start it and wait until a worker answers."""
        process = subprocess.Popen(
            [
                sys.executable,
                *("-m", "clearbar", "--workspace", str(folder), "route", "serve"),
                *("--port", "0", "--admin-port", "0", *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "UPSTREAM_KEY": "sk-upstream", **environment},
        )
        gateway = cls(folder, process)
        gateway.listener = threading.Thread(target=gateway._listen, daemon=True)
        gateway.listener.start()
        gateway.wait_until_ready()
        return gateway

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as said:
            self._hear(said)

    def _hear(self, said: IO[str]) -> None:
        for line in said:
            self.said.append(line.rstrip())
            if found := _URL.search(line):
                if "for OpenAI" in line:
                    self.port = int(found[1])
                elif "for operators" in line:
                    self.admin_port = int(found[1])

    def wait_until_ready(self) -> None:
        give_up = time.monotonic() + READY_S
        while time.monotonic() < give_up:
            if self.process.poll() is not None:
                raise AssertionError("\n".join(self.said))
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.port and self.ask("GET", "/healthz").status == 200:
                    return
            time.sleep(0.05)
        raise AssertionError("not ready: " + "\n".join(self.said))

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        port: int = 0,
    ) -> Answered:
        """Ask once over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        payload = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(
                method, path, payload, {"content-type": "application/json", **(headers or {})}
            )
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answered(response.status, found, response.read())
        finally:
            connection.close()

    def chat(self, key: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Answered:
        """Ask for a chat completion."""
        body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}], **more}
        return self.ask(
            "POST",
            "/v1/chat/completions",
            body,
            {"authorization": f"Bearer {key}", **(headers or {})},
        )

    def operate(self, method: str, path: str, body: object = None) -> Answered:
        """Ask the admin API."""
        bearer = {"authorization": f"Bearer {self.admin_token}"}
        return self.ask(method, path, body, bearer, port=self.admin_port)

    def account(self, part: str) -> dict[str, Any]:
        """Return the budget account whose scope and name are `scope:name`."""
        rows = self.operate("GET", "/v1/budgets").json["budgets"]
        return next(each for each in rows if f"{each['scope']}:{each['name']}" == part)

    def worker_pids(self) -> list[int]:
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(each) for each in found.stdout.split()]

    def stop(self, seconds: float = 20.0) -> int:
        """End it in good order; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            if self.listener is not None:
                self.listener.join(5)


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@contextlib.contextmanager
def gateway(folder: Path, text: str, **environment: str) -> Iterator[tuple[Gateway, str]]:
    """Write the declarations, issue a key for `letters`, run a gateway; stop it at the end."""
    with gateway_for(folder, text, "letters", **environment) as (running, keys):
        yield running, keys["letters"]


@contextlib.contextmanager
def gateway_for(
    folder: Path, text: str, *workflows: str, **environment: str
) -> Iterator[tuple[Gateway, dict[str, str]]]:
    """As `gateway`, with a key for each of several workflows, by their names."""
    (folder / "clearbar.toml").write_text(text)
    keys = {each: issue(folder, each) for each in workflows}
    running = Gateway.start(folder, **environment)
    try:
        yield running, keys
    finally:
        code = running.stop()
    assert code == 0, "\n".join(running.said)


def issue(folder: Path, workflow: str) -> str:
    """Issue a key as the command line does; return what clients send."""
    with Workspace(folder) as workspace:
        return workspace.issue_key(workflow=workflow, by="platform@example.com").token


def decide(folder: Path, workflow: str, decision: Decision) -> None:
    """Override the verdict on a workflow as the command line does."""
    until = datetime.now(UTC).date() + timedelta(days=30)
    with Workspace(folder) as workspace:
        workspace.override(workflow, decision, by="cfo@example.com", why="the quarter", until=until)


def settled(folder: Path, found: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Return the charges as soon as they are as they should be, or as they are after a while."""
    give_up = time.monotonic() + 15
    while not found(seen := charges(folder)) and time.monotonic() < give_up:
        time.sleep(0.2)
    return seen


def charges(folder: Path) -> list[dict[str, Any]]:
    """What the ledger of a workspace holds, with all that its gateway has done so far."""
    from clearbar.spend.engine import connect
    from clearbar.spend.storage.record_files import parquet_sql

    with Workspace(folder) as workspace:
        workspace.charge_journals()
        files = list(workspace.ledger.folder.record_files().values())
        connection = connect(workspace.ledger.folder.path / "staging")
        try:
            if not files:
                return []
            origins = parquet_sql(workspace.ledger.folder.origin_files().values())
            said = "origin_id, workflow, labels, credential, principal, team, environment"
            found = connection.execute(
                f"FROM {parquet_sql(files)} LEFT JOIN (SELECT DISTINCT {said} FROM {origins})"  # noqa: S608
                " USING (origin_id) ORDER BY started_at"
            )
            names = [each[0] for each in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        finally:
            connection.close()
