"""No key gets into what is kept of a request, or to a tool that it is not meant for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.route.made import ring, table, token
from tests.route.test_identity import BEARER, caller, header, refused, said

from clearbar.route.identity import Identified, has_key

PROVIDERS = "sk-ant-api03-0123456789abcdef"
KEYS = [token().decode(), f"me:{token().decode()}", PROVIDERS, f"by {PROVIDERS}"]


@pytest.mark.parametrize("secret", KEYS)
@pytest.mark.parametrize("word", ["task", "run", "user", "environment", "label-a"])
def test_a_key_in_a_header_that_is_kept_is_refused_and_not_quoted(word: str, secret: str) -> None:
    found = refused(BEARER, header(word, secret))
    assert (found.code, found.status) == ("bad_identity", 400)
    assert secret not in found.message


@pytest.mark.parametrize("secret", KEYS)
def test_a_key_in_the_metadata_is_refused(secret: str) -> None:
    found = refused(BEARER, metadata={"clearbar_label_a": secret})
    assert found.code == "bad_identity"
    assert secret not in found.message


@pytest.mark.parametrize("secret", KEYS)
def test_a_key_that_stands_for_the_user_counts_by_its_hash(secret: str) -> None:
    assert caller(user=secret).user.startswith("sha256:")


@pytest.mark.parametrize(
    "text", ["task-0123456789abcdefghij", "desk-0123456789abcdefghij", "cb_1", "sk-1", "disk-full"]
)
def test_what_only_looks_a_little_like_a_key_is_kept(text: str) -> None:
    assert caller(header("task", text), user=text)[3:5] == (text, text)


@pytest.mark.parametrize(
    ("other", "passes"),
    [
        ((b"authorization", b"Bearer sk-own"), True),
        ((b"x-api-key", b"sk-own"), True),
        ((b"authorization", b"Bearer\t" + token()), False),
        ((b"x-api-key", b" " + token()), False),
        (BEARER, False),
    ],
)
def test_no_header_with_a_key_of_the_gateway_is_taken_for_the_clients_own(
    other: tuple[bytes, bytes], *, passes: bool
) -> None:
    found: Any = said((b"x-clearbar-key", token()), other)
    assert isinstance(found, Identified)
    assert found.passes_credentials is passes


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ([BEARER], True),
        ([(b"x-api-key", token())], True),
        ([(b"host", b"a"), (b"x-clearbar-key", token())], True),
        ([(b"authorization", b"Bearer sk-own")], False),
        ([(b"x-clearbar-task", token())], False),
        ([], False),
    ],
)
def test_a_key_is_seen_in_the_headers_alone(
    headers: list[tuple[bytes, bytes]], *, known: bool
) -> None:
    assert has_key(headers, ring(table())) is known
