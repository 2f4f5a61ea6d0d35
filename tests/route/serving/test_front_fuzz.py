"""Whatever a client sends to a real worker: an answer, no fault of ours, no text kept."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.route.serving.gateway import Gateway, issue, toml
from tests.route.serving.storm import quick_upstream

from clearbar.route.journal.reader import calls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY: Final = "qZ7canary"
"""Stands in every text of a prompt, and must stand nowhere else."""
PATIENCE_S: Final = 10.0
OPERATIONS: Final = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/openai/v1/chat/completions",
    "/anthropic/v1/messages",
    "/v1/images/generations",
    "/v1/batches",
)
FIELDS: Final = (
    *("messages", "input", "prompt", "system", "instructions", "content", "tools", "stream"),
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of", "stop"),
    *("stream_options", "response_format", "temperature", "service_tier", "reasoning", "store"),
    *("previous_response_id", "background", "modalities", "thinking", "logprobs", "suffix"),
)
TEXT: Final = st.text(max_size=20).map(lambda text: CANARY + text)
SCALARS: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
)
VALUES: Final = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(TEXT, st.sampled_from(FIELDS)), inner, max_size=4),
    ),
    max_leaves=20,
)
MESSAGES: Final = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool", "", "x"])},
        optional={"content": VALUES, "tool_calls": VALUES, "name": VALUES},
    ),
    max_size=3,
)
BODIES: Final = st.fixed_dictionaries(
    {"model": st.sampled_from(["gpt-5-mini", "claude-haiku-4-5", "small", ""])},
    optional={
        **dict.fromkeys(FIELDS, VALUES),
        "messages": st.one_of(MESSAGES, VALUES),
        "stream": st.one_of(st.booleans(), VALUES),
    },
)


def deep(opening: str, closing: str, depth: int) -> bytes:
    inside = opening * depth + f'"{CANARY}"' + closing * depth
    return f'{{"model":"gpt-5-mini","messages":{inside}}}'.encode()


MADE_WRONG: Final = st.one_of(
    st.builds(deep, st.just("["), st.just("]"), st.integers(1, 60_000)),
    st.builds(deep, st.just('{"a":'), st.just("}"), st.integers(1, 20_000)),
    st.builds(deep, st.just("["), st.just(""), st.integers(1, 60_000)),
    st.binary(max_size=60).map(lambda piece: CANARY.encode() + piece),
    st.builds(
        lambda body, cut: json.dumps(body).encode()[: cut % 200], BODIES, st.integers(0, 199)
    ),
    st.builds(
        lambda body, piece: (
            json.dumps(body, ensure_ascii=False)
            .encode("utf-8", "surrogatepass")
            .replace(CANARY.encode(), CANARY.encode() + piece)
        ),
        BODIES,
        st.binary(max_size=4),
    ),
    st.builds(
        lambda one, two: json.dumps(one).encode()[:-1] + b"," + json.dumps(two).encode()[1:],
        BODIES,
        BODIES,
    ),
    st.sampled_from(
        [
            b'{"model":"gpt-5-mini","max_tokens":1e400,"messages":[]}',
            b'{"model":"gpt-5-mini","max_tokens":-1,"messages":[]}',
            b'{"model":"gpt-5-mini","n":99999999999999999999,"messages":[]}',
            b'{"model":"gpt-5-mini","max_tokens":1.5,"messages":[]}',
            b'{"model":"\\ud800","messages":[]}',
            b'{"mod\\u0065l":"gpt-5-mini","model":"gpt-5","messages":[]}',
            b'\xef\xbb\xbf{"model":"gpt-5-mini","messages":[]}',
            b"[]",
            b"null",
            b"0",
            b'""',
            b"{}",
        ]
    ),
)
NAMES: Final = st.one_of(
    st.sampled_from(
        [
            *("x-clearbar-workflow", "x-clearbar-task", "x-clearbar-run", "x-clearbar-user"),
            *("x-clearbar-label-a", "x-clearbar-label-", "x-clearbar-key", "x-api-key"),
            *("traceparent", "tracestate", "anthropic-version", "expect", "connection", "te"),
            *("content-encoding", "transfer-encoding", "content-length", "host", "upgrade"),
            *("idempotency-key", "accept", "cookie", "x-clearbar-unknown", "range"),
        ]
    ),
    st.text("abcdefghijklmnopqrstuvwxyz-_!#", min_size=1, max_size=20),
    st.text(min_size=1, max_size=8),
)
HEADERS: Final = st.lists(
    st.tuples(NAMES, st.one_of(st.text(max_size=30), st.sampled_from(["chunked", "0", "close"]))),
    max_size=8,
)
PATHS: Final = st.one_of(
    st.text(max_size=30).map(lambda text: "/" + text),
    st.lists(
        st.sampled_from(
            [
                *("v1", "chat", "completions", "messages", "models", "openai", "anthropic"),
                *("..", ".", "", "%2e%2e", "%2f", "%00", "%", ";x", "a b", "\u00e9", "?", "#"),
            ]
        ),
        max_size=8,
    ).map(lambda parts: "/" + "/".join(parts)),
)
usual = settings(
    max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Gateway]:
    """A gateway of which, at the end, everything was answered and nothing was kept."""
    budget = '\n[[budget]]\nscope = "workflow"\nname = "letters"\nusd = "1000000"\n'
    with quick_upstream() as url:
        (folder / "clearbar.toml").write_text(toml(url, budget))
        opened = Gateway.start(folder, "--logs")
        workers = opened.worker_pids()
        try:
            yield opened
            assert opened.worker_pids() == workers
        finally:
            code = opened.stop()
    assert code == 0
    begun = list(calls(folder / ".clearbar/route/journal"))
    assert begun
    assert all(ended is not None for _, ended in begun)
    assert CANARY not in "\n".join(opened.said)
    kept = b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())
    assert CANARY.encode() not in kept


@pytest.fixture(scope="module")
def key(folder: Path, running: Gateway) -> str:
    issued = issue(folder, "letters")
    give_up = time.monotonic() + 10
    while running.chat(issued).status != 200 and time.monotonic() < give_up:
        time.sleep(0.1)
    return issued


def request(
    path: str, body: bytes, headers: list[tuple[str, str]], key: str, method: str = "POST"
) -> bytes:
    said = [("host", "gateway"), ("authorization", f"Bearer {key}"), *headers]
    lines = "".join(f"{name}: {value}\r\n" for name, value in said)
    head = f"{method} {path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
    return head.encode("utf-8", "surrogatepass") + body


def check(port: int, wire: bytes, *, leaves: bool = False) -> None:
    """An answer that is no fault of the gateway, or none where the client is none."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    with connection:
        try:
            connection.sendall(wire)
            if leaves:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            return
        said = b""
        try:
            while b"\r\n" not in said and (piece := connection.recv(65536)):
                said += piece
        except ConnectionError:
            return
    status = int(said.split(b" ", 2)[1]) if said else 0
    assert status < 500 or status in (501, 505), said[:300]


@usual
@given(path=st.sampled_from(OPERATIONS), body=BODIES)
def test_bodies_of_wrong_types(running: Gateway, key: str, path: str, body: dict[str, Any]) -> None:
    check(running.port, request(path, json.dumps(body).encode(), [], key))


@usual
@given(path=st.sampled_from(OPERATIONS), body=MADE_WRONG)
def test_bodies_that_are_wrong(running: Gateway, key: str, path: str, body: bytes) -> None:
    check(running.port, request(path, body, [], key))


@usual
@given(
    path=PATHS,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "x"]),
)
def test_paths(running: Gateway, key: str, path: str, method: str) -> None:
    check(running.port, request(path, b"", [], key, method) + b"\r\n\r\n")


@usual
@given(headers=HEADERS)
def test_headers(running: Gateway, key: str, headers: list[tuple[str, str]]) -> None:
    body = json.dumps({"model": "gpt-5-mini", "messages": [{"role": "user", "content": CANARY}]})
    wire = request("/v1/chat/completions", body.encode(), headers, key)
    check(running.port, wire + b"\r\n\r\n" * 2)


@usual
@given(noise=st.binary(max_size=300))
def test_noise(running: Gateway, noise: bytes) -> None:
    check(running.port, noise + b"\r\n\r\n", leaves=True)


def test_the_gateway_still_answers(running: Gateway, key: str) -> None:
    assert running.chat(key).status == 200
