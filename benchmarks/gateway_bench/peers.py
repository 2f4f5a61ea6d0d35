"""The other gateways, each installed once, as pinned, below build/peers; absent ones say why."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway_bench.processes import (
    GATEWAY_CORE,
    Absent,
    free_port,
    last_line,
    start,
    stop,
    wait_for_port,
)
from gateway_bench.systems import System, both

if TYPE_CHECKING:
    from gateway_bench.systems import Site

_ROOT: Final = Path(__file__).parents[2]
_CACHE: Final = _ROOT / "build" / "peers"
_LOCKED: Final = Path(__file__).parent / "locked"
_UV: Final = _ROOT / ".boot" / "bin" / "uv"
_BACKDOORED: Final = ("litellm==1.82.7", "litellm==1.82.8")
_CHAT: Final = "/v1/chat/completions"

_LITELLM: Final = """\
model_list:
  - model_name: bench
    litellm_params:
      model: openai/bench
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: none
litellm_settings: {{telemetry: false, num_retries: 0}}
"""
_TENSORZERO: Final = """\
[gateway.observability]
enabled = false
[models.bench]
routing = ["mock"]
[models.bench.providers.mock]
type = "openai"
model_name = "bench"
api_base = "http://127.0.0.1:{upstream}/v1/"
api_key_location = "none"
"""
_TENSORZERO_START: Final = """\
import sys
from tensorzero import _start_http_gateway
gateway = _start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None,
    async_setup=False,
)
print(gateway.base_url, flush=True)
sys.stdin.read()
"""


def litellm(site: Site) -> System:
    """Start the LiteLLM proxy."""
    lock = _ROOT / "requirements-litellm.lock"
    folder = _python_of("litellm", lock)
    version = _pinned(lock, "litellm")
    config, log, port = site.folder / "litellm.yaml", site.folder / "litellm.log", free_port()
    config.write_text(_LITELLM.format(upstream=site.upstream))
    key = f"sk-{secrets.token_hex(24)}"
    environment = {
        "LITELLM_MASTER_KEY": key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }
    command: list[str | Path] = [
        folder / "bin" / "litellm",
        "--config",
        config,
        "--host",
        "127.0.0.1",
    ]
    command += ["--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    process = start(command, GATEWAY_CORE, log, environment)
    wait_for_port(port, process, log, 120)
    note = (
        "its proxy, one worker, a master key; no database: no budgets, no accounts; paced at 10/s"
    )
    ways = both(port, _CHAT, "bench", {"authorization": f"Bearer {key}"})
    return System("litellm", version, note, ways, process, slow=True, every=2, most_rate=10)


def tensorzero(site: Site) -> System:
    """Start TensorZero's embedded gateway with its own HTTP front."""
    lock = _LOCKED / "tensorzero.lock"
    folder = _python_of("tensorzero", lock)
    config, log = site.folder / "tensorzero.toml", site.folder / "tensorzero.log"
    config.write_text(_TENSORZERO.format(upstream=site.upstream))
    command: list[str | Path] = [folder / "bin" / "python", "-c", _TENSORZERO_START, config]
    process = start(command, GATEWAY_CORE, log)
    port = _said_port(process, log)
    note = (
        "the gateway in its Python package, which has an HTTP server in Rust: what its"
        " patch_openai_client starts; observability off, so no accounts"
    )
    ways = both(port, "/openai/v1/chat/completions", "tensorzero::model_name::bench", {})
    return System("tensorzero", _pinned(lock, "tensorzero"), note, ways, process)


def _said_port(process: subprocess.Popen[bytes], log: Path) -> int:
    wait_s = 0.2
    for _ in range(round(30 / wait_s)):
        for line in log.read_text(encoding="utf-8").splitlines():
            if line.startswith("http://"):
                return int(line.split(":")[2].split("/")[0])
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            continue
        break
    stop(process)
    raise Absent(f"it names no address; it said: {last_line(log)}")


def portkey(site: Site) -> System:
    """Start the Portkey gateway."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise Absent("npm and node are not installed")
    program = _portkey_program(npm)
    log, port = site.folder / "portkey.log", free_port()
    process = start([node, program, f"--port={port}", "--headless"], GATEWAY_CORE, log,
                    {"NODE_ENV": "production"})  # fmt: skip
    wait_for_port(port, process, log, 30)
    headers = {
        "authorization": "Bearer none",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{site.upstream}/v1",
    }
    note = "its Node server, told by headers where to go; it keeps no accounts"
    version = json.loads((program.parents[1] / "package.json").read_text())["version"]
    ways = both(port, _CHAT, "bench", headers)
    return System("portkey", version, note, ways, process, slow=True)


def _portkey_program(npm: str) -> Path:
    folder, lock = _CACHE / "portkey", _LOCKED / "portkey" / "package-lock.json"
    program = folder / "node_modules/@portkey-ai/gateway/build/start-server.js"
    made = folder / lock.name
    if not program.exists() or made.read_text() != lock.read_text():
        shutil.copytree(lock.parent, folder, dirs_exist_ok=True)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        _install("portkey", command, folder)
    return program


def _python_of(name: str, lock: Path) -> Path:
    """Return the virtual environment of a peer: of this very Python, and made once by its lock."""
    folder = _CACHE / name
    if not lock.exists():
        raise Absent(f"{lock.name} is not there")
    if any(line.startswith(_BACKDOORED) for line in lock.read_text().splitlines()):
        raise Absent(f"{lock.name} pins a version with a backdoor")
    made, wanted = folder / "made-by.lock", f"# Python {sys.version!r}\n{lock.read_text()}"
    if not made.exists() or made.read_text() != wanted:
        if not _UV.exists():
            raise Absent("uv is not there: run make first")
        shutil.rmtree(folder, ignore_errors=True)
        _install(
            name, [str(_UV), "venv", "--quiet", "--python", sys.executable, str(folder)], _ROOT
        )
        python = ["--python", str(folder / "bin" / "python")]
        sync = [str(_UV), "pip", "sync", "--quiet", "--require-hashes", *python, str(lock)]
        _install(name, sync, _ROOT)
        made.write_text(wanted)
    return folder


def _install(name: str, command: list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Absent(f"{name} cannot be installed: {done.stderr.strip()[-200:]}")


def _pinned(lock: Path, package: str) -> str:
    lines = (line.split() for line in lock.read_text().splitlines())
    words = next(words for words in lines if words and words[0].startswith(f"{package}=="))
    return words[0].removeprefix(f"{package}==")
