"""The token of the admin API: from the environment, else from a file that the first start makes."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE: Final = "admin-token"
_SHORTEST: Final = 20
_MOST_BYTES: Final = 4096


class AdminToken:
    """Knows the token only by its hash."""

    __slots__ = ("_hashed", "where")

    def __init__(self, token: str, where: str) -> None:
        self._hashed = _hash(token)
        self.where = where
        """Where the token stands, for people: a variable or a file."""

    def is_it(self, token: str) -> bool:
        """Return whether a token is the one, in a time that does not tell how much of it fits."""
        return hmac.compare_digest(_hash(token), self._hashed)


def admin_token(variable: str, environment: Mapping[str, str], folder: Path) -> AdminToken:
    """Return the token that the variable holds, else that of the file `admin-token` in `folder`.

    The file is made where there is none; only its owner may read it.

    Raises:
        ClearbarError: when the token is too short, or others may read the file.
    """
    if token := environment.get(variable, "").strip():
        return AdminToken(_long_enough(token, variable), f"${variable}")
    path = folder / FILE
    try:
        with suppress(FileExistsError):
            _make(path)
        return AdminToken(_long_enough(_read(path), str(path)), str(path))
    except OSError as error:
        raise ClearbarError(
            f"the admin token cannot be kept in {path}: {error.strerror}",
            f"make the folder writable, or set {variable}",
        ) from error


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"cba_{secrets.token_urlsafe(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)  # whole at once, and never over another process's token
    finally:
        aside.unlink(missing_ok=True)


def _read(path: Path) -> str:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode) or mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ClearbarError(
                f"others than its owner may read the admin token in {path}",
                f"delete it, so that a new one is made; or chmod 600 {path}",
            )
        return file.read(_MOST_BYTES).decode("ascii", "replace").strip()


def _long_enough(token: str, where: str) -> str:
    if len(token) < _SHORTEST:
        raise ClearbarError(
            f"the admin token in {where} is shorter than {_SHORTEST} characters",
            'make one: python -c "import secrets; print(secrets.token_urlsafe(32))"',
        )
    return token


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
