"""Stage 5 of a workspace as it runs: the gateway and its workers."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clearbar.core.errors import ClearbarError
from clearbar.workspace.kept_route import RouteFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from clearbar.route.watching.grading import Grading
    from clearbar.trial.grading.grader import Asker

_BACKLOG = 4096


class Serving(RouteFacts):
    """Requests in, answers out."""

    def serve(
        self,
        say: Callable[[str], None],
        *,
        host: str | None = None,
        port: int | None = None,
        admin_port: int | None = None,
        admin_host: str | None = None,
        logs: bool = False,
    ) -> None:
        """Run the gateway until SIGTERM or Ctrl-C; requests in flight end first.

        What is not given here is as `[gateway]` declares. `say` is told, in sentences, where it
        listens and what happens.

        Raises:
            ClearbarError: when the declarations are wrong, a port is taken, another gateway runs in
                this workspace, or captures are to be encrypted without a key.
        """
        from clearbar.route.capturing.files import checked
        from clearbar.route.serving.gateway import GatewayPlan, run
        from clearbar.workspace.keeping import WorkspaceKeeper

        for route in self.declared.routes:
            if route.capture is not None:
                checked(os.environ, route.capture.protect)
        settings = self.declared.gateway.settings
        chosen = settings.host if host is None else host
        with _only_one(self.route_folder):
            listening = _listening(chosen, settings.port if port is None else port)
            admin = _listening(
                settings.admin_host if admin_host is None else admin_host,
                settings.admin_port if admin_port is None else admin_port,
            )
            for name, opened, below in (
                ("OpenAI clients", listening, "/v1"),
                ("Anthropic clients", listening, ""),
                ("operators", admin, "/metrics"),
            ):
                say(f"for {name}: http://{_shown(opened)}{below}")
            folder, kind = self.folder, type(self)
            plan = GatewayPlan(
                folder,
                self.route_folder,
                listening,
                admin,
                os.environ,
                WorkspaceKeeper(lambda: kind(folder)),
                say,
                logs,
            )
            _run(run(plan))

    def serve_worker(self, name: str, listening: int, parent: int) -> None:
        """Serve as one worker, on a socket that the supervisor opened, until `parent` ends."""
        from clearbar.route.serving.worker import WorkerPlan, serve

        folder, kind = self.folder, type(self)

        def gradings(asker_of: Callable[[str], Asker]) -> Mapping[str, Grading]:
            with kind(folder) as workspace:
                return workspace.gradings(asker_of)

        plan = WorkerPlan(
            name,
            folder,
            self.route_folder,
            folder / ".clearbar" / "facts.db",
            socket.socket(fileno=listening),
            parent,
            os.environ,
            gradings,
        )
        _run(serve(plan))

    def gradings(self, asker_of: Callable[[str], Asker]) -> Mapping[str, Grading]:
        """Return how answers of routed requests are graded, by workflow."""
        from clearbar.route.watching.grading import gradings_of

        declared = self.declared
        return gradings_of(
            declared.trials,
            {each.name: each for each in declared.workflows},
            {each.name: each for each in declared.tools},
            self.folder,
            asker_of,
            os.environ,
        )


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run on the fast loop where there is one."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        opened = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ClearbarError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}",
            "is another gateway running? Choose others: --port, --admin-port, or [gateway]",
        ) from error
    opened.setblocking(False)
    return opened


def _shown(opened: socket.socket) -> str:
    host, port = opened.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keep a second gateway out of the workspace: this one's workers are enough."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)  # whatever made it: users, keys' hashes and captured requests lie there
    descriptor = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClearbarError(
                "a gateway runs in this workspace already",
                "end it first, or give it more workers: [gateway] workers = 2",
            ) from None
        yield
    finally:
        os.close(descriptor)
