"""A receiver in a process of its own, and what a real SDK sends it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import SpanKind

from clearbar.core.period import parse_period
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.spend.usage import Usage

PROMPT = "the customer is called Wilhelmina"
SENDERS = "for-all-who-send"
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
}


class Receiver:
    """`clearbar spend receive` over a workspace."""

    def __init__(self, folder: Path, *options: str, token: str = "") -> None:
        self.folder = folder
        (folder / "clearbar.toml").touch()
        environment = {**os.environ, "RECEIVE_TOKEN": token}
        options = (*options, *(("--token-env", "RECEIVE_TOKEN") if token else ()))
        command = [sys.executable, "-m", "clearbar", "--workspace", str(folder)]
        self.process = subprocess.Popen(
            [*command, "spend", "receive", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        assert self.process.stdout
        first = self.process.stdout.readline()
        found = re.search(r"http://\S+", first)
        if not found:
            with self.process.stdout as rest:
                first += rest.read()
            raise AssertionError(f"{first} {self.process.wait(30)}")
        self.url = found[0]
        self.said: list[str] = []
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    def _listen(self) -> None:
        assert self.process.stdout
        self.said += list(self.process.stdout)

    def end(self, how: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(30)
        self._listening.join()
        assert self.process.stdout
        self.process.stdout.close()
        return code

    def kept(self) -> bytes:
        """Return all bytes that stand in the folder of what was received."""
        files = sorted((self.folder / ".clearbar" / "received").iterdir())
        return b"".join(each.read_bytes() for each in files)

    def post(self, path: str, body: bytes, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("content-type", "application/json")
        return httpx2.post(self.url + path, content=body, headers=named, timeout=20)


@contextmanager
def receiver(folder: Path, *options: str, token: str = "") -> Iterator[Receiver]:
    running = Receiver(folder, *options, token=token)
    try:
        yield running
    finally:
        running.end(signal.SIGKILL)


def usage(folder: Path) -> Usage:
    with Workspace.find(str(folder)) as workspace:
        report = workspace.spend(parse_period("all", workspace.as_of), "model")
        return report.total


@contextmanager
def tracing(url: str, *, batch: bool = True, **options: Any) -> Iterator[Any]:
    """Yield a tracer of the real SDK that exports there."""
    exporter = OTLPSpanExporter(f"{url}/v1/traces", timeout=20, **options)
    provider = TracerProvider(resource=Resource.create({"service.name": "support-api"}))
    processor = BatchSpanProcessor(exporter) if batch else SimpleSpanProcessor(exporter)
    provider.add_span_processor(processor)
    try:
        yield provider.get_tracer("tests")
    finally:
        provider.force_flush()
        provider.shutdown()


def one_call(tracer: Any, **more: object) -> None:
    attributes = {**CHAT, "gen_ai.input.messages": PROMPT, **more}
    with tracer.start_as_current_span("chat", kind=SpanKind.CLIENT, attributes=attributes) as span:
        span.add_event("gen_ai.content.prompt", {"gen_ai.prompt": PROMPT})


GZIP = Compression.Gzip
