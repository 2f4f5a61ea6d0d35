"""How a captured request is written: plain, as digests, or sealed with a key of the user's.

`hashed` keeps SHA-256 digests: enough to count how often the same is asked, too little for a trial.
Digests hide texts only as far as texts cannot be guessed.

`encrypted` is AES-256 in Galois counter mode with a random nonce for each line. The line's id, time
and workflow are bound to it, so that lines cannot be moved or renamed. The key is 32 bytes in
base64, from the environment variable `CLEARBAR_CAPTURE_KEY`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_VARIABLE: Final = "CLEARBAR_CAPTURE_KEY"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class Row(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One captured request, as the columns of a file of cases."""

    id: str
    at: str
    """UTC, ISO 8601."""
    input: str
    prompt: str = ""
    answers: dict[str, str] = {}
    """Tool -> its answer."""
    cluster: str = ""
    """The task or run; cases of one are not independent."""


class SealedError(ClearbarError):
    """A line that this key does not open."""


def new_key() -> str:
    """Return a random key as the environment variable holds it."""
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def sealer(environment: Mapping[str, str]) -> AESGCM:
    """Return what seals and opens lines.

    Raises:
        ClearbarError: when there is no key, it is none, or the library is not installed.
    """
    said = environment.get(KEY_VARIABLE, "")
    if not said:
        raise ClearbarError(
            f"requests are captured encrypted, and {KEY_VARIABLE} is not set",
            "make a key: clearbar route capture key",
        )
    try:
        key = base64.b64decode(said.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise ClearbarError(f"{KEY_VARIABLE} holds no key", "make one: clearbar route capture key")
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ClearbarError(
            "encryption needs the extra `encrypt`", "pip install 'clearbar[encrypt]'"
        ) from error
    return AESGCM(key)


def plain_line(row: Row) -> bytes:
    """Return the row as a line of a file of cases."""
    return msgspec.json.encode(row) + b"\n"


def hashed_line(row: Row) -> bytes:
    """Return the row with digests for its texts."""
    told: dict[str, Any] = {"id": row.id, "at": row.at, "input_digest": _digest(row.input)}
    told["answer_digests"] = {tool: _digest(text) for tool, text in row.answers.items()}
    if row.prompt:
        told["prompt_digest"] = _digest(row.prompt)
    if row.cluster:
        told["cluster_digest"] = _digest(row.cluster)
    return msgspec.json.encode(told) + b"\n"


def sealed_line(row: Row, workflow: str, seal: AESGCM) -> bytes:
    """Return the row with its texts encrypted."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    text = msgspec.json.encode(row)
    sealed = nonce + seal.encrypt(nonce, text, _bound(workflow, row.id, row.at))
    told = {"id": row.id, "at": row.at, "sealed": base64.b64encode(sealed).decode()}
    return msgspec.json.encode(told) + b"\n"


def opened(line: Mapping[str, Any], workflow: str, seal: AESGCM) -> Row:
    """Return the row that `sealed_line` wrote.

    Raises:
        SealedError: when the key is another one, or the line was changed or moved.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an extra

    try:
        sealed = base64.b64decode(str(line.get("sealed", "")), validate=True)
        bound = _bound(workflow, str(line.get("id", "")), str(line.get("at", "")))
        text = seal.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
        return msgspec.json.decode(text, type=Row)
    except (InvalidTag, ValueError) as error:
        raise SealedError(
            "a captured line does not open with this key",
            f"set {KEY_VARIABLE} to the key with which it was captured",
        ) from error


def _bound(workflow: str, row_id: str, at: str) -> bytes:
    return msgspec.json.encode([workflow, row_id, at])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
