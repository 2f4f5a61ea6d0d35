"""Keys: shown once, kept as hashes, found in the same time, revoked for good."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.made import NOW, SECRET, key, token

from clearbar.core.errors import ClearbarError, UnknownName
from clearbar.core.store import Store
from clearbar.route.journal.seen_calls import note_used_within
from clearbar.route.keys import IssuedKey, KeyRing, issue, keys_in_force, listed, revoke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BY = "platform@example.com"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "facts.db")
    yield opened
    opened.close()


def issued(store: Store, **said: str) -> IssuedKey:
    of = said if "team" in said else {"workflow": "replies", **said}
    return issue(store, by=of.pop("by", BY), now=NOW, **of)


def test_an_issued_key_is_found_by_what_the_client_sends(store: Store) -> None:
    made = issued(store)
    assert KeyRing(keys_in_force(store)).find(made.token.encode()) == made.key


def test_a_key_found_once_is_found_again(store: Store) -> None:
    made = issued(store)
    ring = KeyRing(keys_in_force(store))
    assert [ring.find(made.token.encode()) for _ in range(2)] == [made.key, made.key]


def test_a_key_begins_with_its_mark_and_its_id(store: Store) -> None:
    made = issued(store)
    assert made.token.startswith(f"cb_{made.key.key_id}_")
    assert len(made.token) == len(token())


def test_no_two_keys_are_alike(store: Store) -> None:
    tokens = {issued(store).token for _ in range(20)}
    assert len({each[:11] for each in tokens}) == len({each[12:] for each in tokens}) == 20


def test_the_store_never_holds_a_secret(store: Store, tmp_path: Path) -> None:
    made = issued(store)
    store.close()
    secret = made.token[12:].encode()
    assert all(secret not in path.read_bytes() for path in tmp_path.iterdir())


def test_the_text_of_an_issued_key_shows_only_its_id(store: Store) -> None:
    made = issued(store)
    assert repr(made) == f"IssuedKey(key_id='{made.key.key_id}')"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"cb_",
        b"sk-proj-1234",
        token(secret="r" * 52),
        token("bbbbbbbb"),
        token()[:-1],
        token() + b"q",
        token().upper(),
        b"xx_" + token()[3:],
        token()[:11] + b"-" + token()[12:],
        token()[:-2] + "é".encode(),
    ],
)
def test_what_is_not_wholly_a_key_is_none(sent: bytes) -> None:
    assert KeyRing({"aaaabbbb": key()}).find(sent) is None


@given(st.binary(max_size=80))
def test_no_chance_bytes_are_a_key(sent: bytes) -> None:
    assert KeyRing({"aaaabbbb": key()}).find(sent) is None


def test_one_keys_secret_does_not_fit_anothers_id() -> None:
    keys = {"aaaabbbb": key(), "ccccdddd": key("ccccdddd", "s" * 52)}
    assert KeyRing(keys).find(token("ccccdddd", SECRET)) is None


def test_a_revoked_key_is_no_longer_in_force(store: Store) -> None:
    kept, made = issued(store), issued(store)
    ended = revoke(store, made.key.key_id, by="CFO", now=NOW)
    assert (ended.revoked_by, ended.revoked_at) == ("CFO", NOW.isoformat())
    assert keys_in_force(store) == {kept.key.key_id: kept.key}


def test_who_revoked_a_key_first_stays_on_record(store: Store) -> None:
    made = issued(store)
    revoke(store, made.key.key_id, by="first", now=NOW)
    assert revoke(store, made.key.key_id, by="second", now=NOW).revoked_by == "first"


def test_an_unknown_key_cannot_be_revoked(store: Store) -> None:
    with pytest.raises(UnknownName, match="no key has that id"):
        revoke(store, "aaaabbbb", by=BY, now=NOW)


def test_keys_are_listed_with_when_and_by_whom(store: Store) -> None:
    made = issued(store, team="support", name="desk", environment="production")
    (found,) = listed(store)
    assert found.key == made.key
    assert (found.issued_by, found.issued_at, found.revoked_at) == (BY, NOW.isoformat(), None)


def test_a_key_can_be_neither_changed_nor_deleted(store: Store) -> None:
    issued(store)
    for statement in ("UPDATE gateway_key SET workflow = 'x'", "DELETE FROM gateway_key"):
        with pytest.raises(sqlite3.IntegrityError, match="revoked"), store.transaction() as writer:
            writer.execute(statement)


@pytest.mark.parametrize("of", [{}, {"workflow": "replies", "team": "support"}])
def test_a_key_is_of_one_workflow_or_one_team(store: Store, of: dict[str, str]) -> None:
    with pytest.raises(ClearbarError, match="one workflow or for one team"):
        issue(store, by=BY, now=NOW, **of)


def test_somebody_has_to_issue_and_to_revoke(store: Store) -> None:
    with pytest.raises(ClearbarError, match="who issues"):
        issued(store, by=" ")
    made = issued(store)
    with pytest.raises(ClearbarError, match="who revokes"):
        revoke(store, made.key.key_id, by="", now=NOW)


@pytest.mark.parametrize("text", ["x" * 201, "a\x1bb"])
def test_what_is_said_of_a_key_is_plain_text(store: Store, text: str) -> None:
    with pytest.raises(ClearbarError, match="no plain text"):
        issued(store, name=text)


def test_a_key_says_when_a_call_was_last_made_under_it(store: Store) -> None:
    used, unused = issued(store), issued(store)
    with store.transaction() as connection:
        note_used_within(connection, [(used.key.key_id, 1_789_387_200_000_000)])
    found = {each.key.key_id: each.last_used_at for each in listed(store)}
    assert found == {
        used.key.key_id: "2026-09-14T12:00:00+00:00",
        unused.key.key_id: None,
    }
