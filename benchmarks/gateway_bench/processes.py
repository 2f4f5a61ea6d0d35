"""Programs started on a core of their own, and ended again."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

GATEWAY_CORE: Final = 0
LOAD_CORE: Final = 1
_STOP_S: Final = 15.0


class Absent(Exception):  # noqa: N818 - it is no error: the run goes on without that system
    """A system cannot take part here; the message says why."""


def start(
    command: Sequence[str | Path],
    core: int,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program on one core; what it says goes into `log`, and its input is a pipe."""
    with log.open("wb") as said:
        return subprocess.Popen(
            ["taskset", "-c", str(core), *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=os.environ | (environment or {}),
            cwd=folder,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program, by force when it does not end itself."""
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for_port(
    port: int, process: subprocess.Popen[bytes], log: Path, patience_s: float
) -> None:
    """Wait until somebody listens.

    Raises:
        Absent: when the program ends, or the patience does.
    """
    give_up = time.monotonic() + patience_s
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    stop(process)
    raise Absent(f"it does not listen; it said: {last_line(log)}")


def last_line(log: Path) -> str:
    """Return the last thing that a program said."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "nothing")
