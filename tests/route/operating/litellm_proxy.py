"""The real LiteLLM proxy with the plug-in, in a process of its own, where it is installed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[3]
PROGRAM: Final = ROOT / ".venv-litellm" / "bin" / "litellm"
ABSENT: Final = "LiteLLM is not installed in .venv-litellm: make litellm"
MASTER_KEY: Final = "sk-of-a-test"
_STARTS_IN_S: Final = 120.0
CONFIG: Final = """
model_list:
  - model_name: fast
    litellm_params: {{ model: openai/gpt-4o-mini, api_base: "{url}", api_key: "sk-upstream" }}
  - model_name: careful
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      api_base: "{root}"
      api_key: "sk-upstream"
  - model_name: nowhere
    litellm_params: {{ model: openai/gpt-4o, api_base: "http://127.0.0.1:9/v1", api_key: "x" }}
litellm_settings:
  callbacks: clearbar.litellm_plugin.handler
  num_retries: 1
  request_timeout: 5
general_settings:
  master_key: {master_key}
"""


class Proxy:
    """A running proxy."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(
        self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Return the status, the headers and the body of an answer."""
        request = urllib.request.Request(  # noqa: S310 - of the loopback
            self.url + path,
            json.dumps(body).encode(),
            {
                "content-type": "application/json",
                "authorization": f"Bearer {MASTER_KEY}",
                **(headers or {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - as above
                return reply.status, dict(reply.headers), reply.read()
        except HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()


@contextmanager
def proxy(folder: Path, upstream_url: str, environment: dict[str, str]) -> Iterator[Proxy]:
    """Run the proxy before an upstream."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = folder / "config.yaml"
    root = upstream_url.removesuffix("/v1")
    config.write_text(CONFIG.format(url=upstream_url, root=root, master_key=MASTER_KEY))
    said = folder / "litellm.log"
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT / "src"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        **environment,
    }
    command = [str(PROGRAM), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with said.open("wb") as log:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
    try:
        _wait(process, f"http://127.0.0.1:{port}/health/liveliness", said)
        yield Proxy(port)
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], url: str, said: Path) -> None:
    give_up = time.monotonic() + _STARTS_IN_S
    while time.monotonic() < give_up and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - of the loopback
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"LiteLLM did not start: {said.read_text()[-2000:]}")
