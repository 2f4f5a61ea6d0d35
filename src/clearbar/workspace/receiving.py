"""Stage 1 of a workspace as it listens: what OpenTelemetry exporters send becomes charges."""

from __future__ import annotations

import asyncio
import fcntl
import ipaddress
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clearbar.core.errors import ClearbarError
from clearbar.workspace.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_BACKLOG = 1024


class Receiving(Serving):
    """Spans in, charges out."""

    @property
    def received_folder(self) -> Path:
        """The folder of what was received."""
        return self.folder / ".clearbar" / "received"

    def receive(
        self,
        say: Callable[[str], None],
        *,
        host: str,
        port: int,
        token_env: str = "",
        every_s: float = 60.0,
    ) -> None:
        """Receive OTLP over HTTP until SIGTERM or Ctrl-C; then read what came.

        `token_env` names the variable with the token that exporters have to send; `every_s` is how
        often what came is read into the ledger. `say` is told where it listens and what happens.

        Raises:
            ClearbarError: when the port is taken, others could send without a token, or another
                receiver runs in this workspace.
        """
        from clearbar.route.receiving.server import ReceivingPlan, private, run
        from clearbar.route.receiving.writer import Room

        token = _token(host, token_env)
        folder, kind = self.folder, type(self)

        def ingest(paths: Sequence[Path]) -> None:
            with kind(folder) as workspace:
                summary = workspace.add([str(path) for path in paths])
            if summary.new or summary.quarantined:
                say(f"{summary.new:,} new charges, {summary.quarantined:,} not taken in")

        with _only_one(private(self.received_folder)):
            listening = _listening(host, port)
            room = Room(close_every_s=every_s)
            plan = ReceivingPlan(self.received_folder, listening, token, ingest, say, room)
            asyncio.run(run(plan))


def _token(host: str, variable: str) -> str:
    token = os.environ.get(variable, "").strip() if variable else ""
    if variable and not token:
        raise ClearbarError(
            f"the environment variable {variable} holds no token", "set it, or leave --token-env"
        )
    if not (token.isascii() and token.isprintable()):
        raise ClearbarError(
            f"the environment variable {variable} holds characters that no header can",
            'make one: python -c "import secrets; print(secrets.token_urlsafe(32))"',
        )
    if not token and not _is_this_machine(host):
        raise ClearbarError(
            f"others could send what they like to {host}",
            "give a token: --token-env CLEARBAR_RECEIVE_TOKEN, or listen on 127.0.0.1",
        )
    return token


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(host: str, port: int) -> socket.socket:
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise ClearbarError(f"{host!r} is no name of a machine", "--host 127.0.0.1") from error
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        opened = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ClearbarError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}",
            "is a collector running? Choose another: --port",
        ) from error
    opened.setblocking(False)
    return opened


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keep a second receiver out of the workspace: the two would write one file."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClearbarError(
                "a receiver runs in this workspace already", "send to that one, or end it first"
            ) from None
        yield
    finally:
        os.close(descriptor)
