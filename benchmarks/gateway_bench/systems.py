"""The systems side by side: how each is started, and how a client speaks to it.

Direct, nginx and Clearbar stand here, the other gateways in peers.py.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.request import urlopen

from gateway_bench.processes import (
    GATEWAY_CORE,
    Absent,
    free_port,
    start,
    wait_for_port,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway_bench.bodies import Api

_CLEARBAR: Final = Path(sys.executable).with_name("clearbar")


@dataclass(frozen=True, slots=True)
class Way:
    """How a client asks for one API."""

    port: int
    path: str
    model: str
    headers: Mapping[str, str]


@dataclass(slots=True)
class System:
    """One system as it runs."""

    name: str
    version: str
    note: str
    """What exactly is measured."""
    ways: Mapping[tuple[Api, bool], Way]
    """By API and whether streamed."""
    process: subprocess.Popen[bytes] | None = None
    slow: bool = False
    """So slow that a load that is broken off at the end would count work without its reply."""
    every: int = 1
    """It takes part in one of so many rounds."""
    most_rate: float = 1e9
    """Paced requests a second that it can serve."""
    accounts_later: bool = False
    """Whether its first process writes accounts after the replies: see afterwards.py."""
    later_us: float = 0.0
    """What that takes for each request, which counts in every cell."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where things are."""

    folder: Path
    """For files of this run."""
    upstream: int
    """The upstream's port."""


def both(
    port: int, path: str, model: str, headers: Mapping[str, str]
) -> Mapping[tuple[Api, bool], Way]:
    """Return the ways of a gateway that serves chat completions, streamed or not, on one port."""
    way = Way(port, path, model, headers)
    return {("chat", False): way, ("chat", True): way}


def direct(site: Site) -> System:
    """Ask the upstream itself."""
    chat, messages = (
        Way(site.upstream, f"/v1/{path}", "bench", {"authorization": "Bearer none"})
        for path in ("chat/completions", "messages")
    )
    ways: dict[tuple[Api, bool], Way] = {
        ("chat", False): chat,
        ("chat", True): chat,
        ("messages", False): messages,
        ("messages", True): messages,
    }
    return System("direct", "", "no gateway", ways)


_KINDS: Final[dict[Api, tuple[str, str, Callable[[str], dict[str, str]]]]] = {
    "chat": ("openai", "/v1/chat/completions", lambda key: {"authorization": f"Bearer {key}"}),
    "messages": (
        "anthropic",
        "/v1/messages",
        lambda key: {"x-api-key": key, "anthropic-version": "2023-06-01"},
    ),
}

_NGINX: Final = """\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log nginx-error.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_requests 100000000;
  client_body_buffer_size 256k;
  client_max_body_size 32m;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{whole} backlog=4096;
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
  server {{
    listen 127.0.0.1:{streamed} backlog=4096;
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 600s;
    }}
  }}
}}
"""


def nginx(site: Site) -> System:
    """Start nginx as a plain proxy."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise Absent("nginx is not installed")
    folder = site.folder / "nginx"
    folder.mkdir()
    whole, streamed = free_port(), free_port()
    conf = folder / "nginx.conf"
    conf.write_text(_NGINX.format(upstream=site.upstream, whole=whole, streamed=streamed))
    log = folder / "log"
    process = start([program, "-p", folder, "-c", conf, "-e", folder / "nginx-error.log"],
                    GATEWAY_CORE, log)  # fmt: skip
    wait_for_port(whole, process, log, 10)
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    version = said.strip().rpartition("/")[2]
    ways: dict[tuple[Api, bool], Way] = {
        (api, stream): Way(streamed if stream else whole, path, "bench", {})
        for api, (_, path, _) in _KINDS.items()
        for stream in (False, True)
    }
    note = "proxy_pass, keep-alive pool, no access log; streams with proxy_buffering off"
    return System("nginx", version, note, ways, process)


_WORKFLOW: Final = """
[[tool]]
name = "{api}-small"
kind = "{kind}"
model = "bench-small"
url = "http://127.0.0.1:{upstream}/v1"
key_env = "BENCH_UPSTREAM_KEY"
input_usd_per_million = "0.25"
output_usd_per_million = "2"

[[workflow]]
name = "{api}"
owner = "owner@example.com"
purpose = "A load made for this benchmark"
metric = {{ name = "resolved", unit = "ticket", from = "outcomes.csv" }}
bar = "resolved >= 0.9"

[[route]]
workflow = "{api}"
mode = "enforce"
tool = "{api}-small"
fallbacks = []
holdout = 0
shadow = 0

[[budget]]
scope = "workflow"
name = "{api}"
usd = "1000000"
"""
_ORGANISATION: Final = '\n[[budget]]\nscope = "organisation"\nusd = "1000000"\n'


def clearbar(site: Site, name: str = "clearbar", durability: str = "disk") -> System:
    """Start Clearbar as a user would: keys, routes with a tool in force, and two budgets each."""
    folder = Path(tempfile.mkdtemp(prefix="clearbar-", dir=site.folder))
    port, admin = free_port(), free_port()
    head = '[workspace]\nname = "Benchmark"\n\n[gateway]\nworkers = 1\n'
    head += f'port = {port}\nadmin_port = {admin}\ndurability = "{durability}"\n'
    workflows = (
        _WORKFLOW.format(api=api, kind=kind, upstream=site.upstream)
        for api, (kind, _, _) in _KINDS.items()
    )
    (folder / "clearbar.toml").write_text("".join([head, *workflows, _ORGANISATION]))
    ways: dict[tuple[Api, bool], Way] = {}
    for api, (_, path, headers) in _KINDS.items():
        way = Way(port, path, "bench", headers(_key(folder, api)))
        ways |= {(api, False): way, (api, True): way}
    log = folder / "log"
    command: list[str | Path] = [_CLEARBAR, "--workspace", folder, "route", "serve"]
    process = start(command, GATEWAY_CORE, log, {"BENCH_UPSTREAM_KEY": "none"})
    wait_for_port(port, process, log, 30)
    with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
        answer.read()
    said = subprocess.run([_CLEARBAR, "--version"], capture_output=True, text=True, check=True)
    note = (
        "one worker and its supervisor; key checked, model rewritten, two budgets held and settled,"
        f" the journal written before the reply ends ({durability}), the ledger charged"
    )
    version = said.stdout.split()[-1]
    return System(name, version, note, ways, process, accounts_later=True)


def _key(folder: Path, workflow: str) -> str:
    command = [str(_CLEARBAR), "--workspace", str(folder), "route", "key", "create", workflow]
    said = subprocess.run(
        [*command, "--by", "owner@example.com", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode:
        raise Absent(f"no key: {said.stderr.strip()[-200:]}")
    return str(json.loads(said.stdout)["key"])
