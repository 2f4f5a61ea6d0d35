"""Keys of the gateway: issued, revoked, listed, found. A key is shown once and never kept.

A key is `cb_`, a public id, and a secret of 256 bits. What is kept is the SHA-256 of the secret:
with so much chance in it there is nothing to guess, so a slow hash would only slow requests.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError, UnknownName, nearest
from clearbar.route.route import GatewayKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.core.store import Store

PREFIX: Final = "cb_"
MAX_TEXT: Final = 200
_ID_BYTES: Final = 5
_SECRET_BYTES: Final = 32
_ID_END: Final = len(PREFIX) + 8
"""Five bytes are eight characters of base32."""
_LENGTH: Final = _ID_END + 1 + 52
_NOBODYS: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key, with what is only ever known here."""

    key: GatewayKey
    token: str
    """What clients send. It cannot be shown again."""

    def __repr__(self) -> str:
        return f"IssuedKey(key_id={self.key.key_id!r})"


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as the store knows it, with when and by whom it was issued and revoked."""

    key: GatewayKey
    issued_by: str
    issued_at: str
    """UTC, ISO 8601."""
    revoked_by: str | None = None
    revoked_at: str | None = None
    last_used_at: str | None = None
    """When a call was last made under it, as far as the journals were read; ISO 8601 in UTC."""


class KeyRing:
    """The keys in force, by what clients send."""

    __slots__ = ("_found", "_keys")

    def __init__(self, keys: Mapping[str, GatewayKey]) -> None:
        self._keys = keys
        self._found: dict[bytes, GatewayKey] = {}
        """By hash, so that how long a look-up takes tells nothing of a key."""

    def find(self, token: bytes) -> GatewayKey | None:
        """Return the key that a client sent; None where it is no key in force."""
        digest = hashlib.sha256(token).digest()
        found = self._found.get(digest)
        if found is None and (found := self._checked(token)) is not None:
            self._found[digest] = found
        return found

    def _checked(self, token: bytes) -> GatewayKey | None:
        """Compare with the hash of the key of that id, in the same time whether there is one."""
        shaped = len(token) == _LENGTH and token.isascii()
        text = token.decode("ascii") if shaped else ""
        key = self._keys.get(text[len(PREFIX) : _ID_END])
        hashed = _hash_of(text[_ID_END + 1 :])
        same = compare_digest(hashed, _NOBODYS if key is None else key.hashed)
        whole = text.startswith(PREFIX) and text[_ID_END : _ID_END + 1] == "_"
        return key if same and whole else None


def issue(
    store: Store,
    *,
    workflow: str = "",
    team: str = "",
    name: str = "",
    environment: str = "",
    by: str,
    now: datetime,
) -> IssuedKey:
    """Make a key for a workflow or for a team, and keep its hash.

    Raises:
        ClearbarError: when it is for neither or both, or a text is none.
    """
    if bool(workflow) == bool(team):
        raise ClearbarError(
            "a key is for one workflow or for one team", "name the workflow, or give --team"
        )
    texts = {"by": by, "name": name, "environment": environment}
    said = {what: _said(what, text) for what, text in texts.items()}
    if not said["by"]:
        raise ClearbarError("it is not said who issues the key", "name a role or an address")
    key_id, secret = _text(_ID_BYTES), _text(_SECRET_BYTES)
    key = GatewayKey(key_id, _hash_of(secret), workflow, team, said["name"], said["environment"])
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO gateway_key VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key.key_id,
                key.hashed,
                key.workflow,
                key.team,
                key.name,
                key.environment,
                said["by"],
                now.isoformat(),
            ),
        )
    return IssuedKey(key, f"{PREFIX}{key_id}_{secret}")


def revoke(store: Store, key_id: str, *, by: str, now: datetime) -> ListedKey:
    """End a key. One that was revoked before stays as it was.

    Raises:
        UnknownName: when no key has that id.
        ClearbarError: when `by` names nobody.
    """
    if not (who := _said("by", by)):
        raise ClearbarError("it is not said who revokes the key", "name a role or an address")
    known = {each.key.key_id: each for each in listed(store)}
    if key_id not in known:
        raise UnknownName(
            "no key has that id" + nearest(key_id, known).rstrip(),
            "see them: clearbar route key list",
        )
    with store.transaction() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO gateway_key_revoked VALUES (?, ?, ?)",
            (key_id, who, now.isoformat()),
        )
    return next(each for each in listed(store) if each.key.key_id == key_id)


def listed(store: Store) -> list[ListedKey]:
    """Return all keys ever issued, oldest first."""
    rows = store.rows(
        "SELECT key_id, hashed, workflow, team, name, environment, issued_by, issued_at,"
        " revoked_by, revoked_at, at_us FROM gateway_key"
        " LEFT JOIN gateway_key_revoked USING (key_id) LEFT JOIN gateway_key_used USING (key_id)"
        " ORDER BY issued_at, gateway_key.rowid"
    )
    return [_listed(row) for row in rows]


def keys_in_force(store: Store) -> dict[str, GatewayKey]:
    """Return the keys that are not revoked, by id."""
    return {each.key.key_id: each.key for each in listed(store) if each.revoked_at is None}


def _listed(row: tuple[object, ...]) -> ListedKey:
    *of_key, by, at = (str(each) for each in row[:8])
    revoked_by, revoked_at = (None if each is None else str(each) for each in row[8:10])
    return ListedKey(GatewayKey(*of_key), by, at, revoked_by, revoked_at, _time(row[10]))


def _time(at_us: object) -> str | None:
    if not isinstance(at_us, int):
        return None
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).isoformat()


def _text(count: int) -> str:
    """Return so many random bytes in base32: letters and digits, no case to get wrong."""
    return base64.b32encode(secrets.token_bytes(count)).decode("ascii").rstrip("=").lower()


def _hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def _said(what: str, text: str) -> str:
    plain = " ".join(text.split())
    if len(plain) > MAX_TEXT or not plain.isprintable():
        raise ClearbarError(
            f"`{what}` is no plain text", f"write up to {MAX_TEXT} characters on one line"
        )
    return plain
