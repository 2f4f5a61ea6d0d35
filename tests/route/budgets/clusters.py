"""A real PostgreSQL in a temporary folder, without anything of the machine's own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACES: Final = ("/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt")
_OPTIONS: Final = "-c listen_addresses='' -c max_connections=60 -c unix_socket_directories="


class NoClusterError(Exception):
    """PostgreSQL cannot be run here; the message says why."""


@contextmanager
def cluster() -> Iterator[str]:
    """Start a cluster; yield the address of its database, without password, over a socket file.

    Raises:
        NoClusterError: there is no PostgreSQL, or nobody who could run it.
    """
    programs = _programs()
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        folder.chmod(0o755)
        data = folder / "data"
        data.mkdir(mode=0o700)
        if user:
            shutil.chown(folder, user)
            shutil.chown(data, user)
        _run(user, programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
        _run(
            user, programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log",
            "-o", f"{_OPTIONS}{folder}", "start",
        )  # fmt: skip
        try:
            yield f"postgresql:///postgres?host={folder}&user=postgres"
        finally:
            _run(user, programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    on_path = shutil.which("pg_ctl")
    if on_path:
        return Path(on_path).resolve().parent
    found = [it for place in _PLACES for it in Path(place).glob("*/bin/pg_ctl")]
    if not found:
        raise NoClusterError("PostgreSQL is not installed: there is no pg_ctl")
    return max(found).parent


def _user() -> str:
    """Return who has to run it; empty: whoever we are. It refuses to be run by root."""
    if os.geteuid():
        return ""
    if shutil.which("setpriv") is None:
        raise NoClusterError("PostgreSQL does not run as root, and there is no setpriv")
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        raise NoClusterError(
            "PostgreSQL does not run as root, and there is no user postgres"
        ) from None
    return "postgres"


def _run(user: str, *command: str | Path) -> None:
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
    done = subprocess.run(
        [*become, *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd="/",
    )
    if done.returncode:
        raise NoClusterError(f"{command[0]} failed: {done.stderr.strip()[-300:]}")
