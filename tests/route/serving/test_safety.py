"""A hostile client and a hostile upstream: what neither gets from the gateway, or past it."""

from __future__ import annotations

import json
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.serving.gateway import Gateway, gateway_for, issue, settled, toml
from tests.route.serving.raw_upstream import BODY, Came, RawUpstream, whole

from clearbar.route.journal.entry import Noted, Refused
from clearbar.route.journal.reader import entries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ODD_NAME = "ödd 名"
WORKFLOWS = ("letters", "memos", "looked-up", "plain", "judged", ODD_NAME)
MORE = """
[[workflow]]
name = "memos"
owner = "memos-lead@example.com"

[[workflow]]
name = "looked-up"
owner = "lead@example.com"

[[workflow]]
name = "plain"
owner = "lead@example.com"

[[workflow]]
name = "judged"
owner = "lead@example.com"
data_class = "restricted"
metric = {{ name = "score", unit = "letter", from = "outcomes.csv" }}
bar = "score >= 0.5"

[[workflow]]
name = "ödd 名"
owner = "lead@example.com"

[[tool]]
name = "own"
kind = "openai"
model = "llama-own"
url = "{url}"
free = "it runs on our own machines"
data_class = "restricted"

[[tool]]
name = "own-old"
kind = "openai"
model = "llama-old"
url = "{url}"
free = "it runs on our own machines"
data_class = "restricted"

[[trial]]
workflow = "judged"
cases = "cases.jsonl"
tools = ["own", "own-old"]
grade = {{ kind = "judge", tool = "small", criteria = "It is polite." }}

[[route]]
workflow = "judged"
mode = "shadow"
tool = "own"
old_tool = "own-old"
shadow = 1.0

[[budget]]
scope = "workflow"
name = "letters"
usd = "5"

[[tool]]
name = "departments"
kind = "rules"
file = "departments.toml"

[[route]]
workflow = "looked-up"
tool = "departments"
holdout = 0
"""
RULES = '[[rule]]\nregex = "invoice"\nanswer = "billing"\n'
PROMPT = "the-secret-of-the-prompt"
CHAT = {"model": "gpt-5-mini", "max_tokens": 50, "messages": [{"role": "user", "content": PROMPT}]}


def answer(came: Came) -> bytes:
    """Answer as the prompt asks for."""
    found = re.search(rb"do: ([a-z-]+)", came.body)
    return ANSWERS.get(found[1].decode() if found else "", whole)()


def _redirect() -> bytes:
    return whole(b"{}", b"307 Temporary Redirect", b"location: http://127.0.0.1:9/v1/steal\r\n")


def _hostile_headers() -> bytes:
    return whole(
        more=b"set-cookie: a=b\r\nx-clearbar-tool: other\r\nx-clearbar-workflow: other\r\n"
        b"connection: x-secret\r\nx-secret: 1\r\nalt-svc: h2=evil.example\r\n"
    )


def _late_date() -> bytes:
    date = b"retry-after: Mon, 01 Jan 99999999999999999999 00:00:00 GMT\r\n"
    return whole(b'{"error":{"message":"busy"}}', b"429 Too Many", date)


def _nested() -> bytes:
    deep = b'[{"type":{},"content":' * 400 + b'"x"' + b"}]" * 400
    return whole(BODY.replace(b'"hello"', deep))


def _told_key() -> bytes:
    return whole(b'{"error":{"message":"no such key: sk-upstream"}}', b"401 Unauthorized")


ANSWERS = {
    "told-key": _told_key,
    "redirect": _redirect,
    "hostile-headers": _hostile_headers,
    "late-date": _late_date,
    "nested": _nested,
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    with RawUpstream(answer) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("safety")


@pytest.fixture(scope="module")
def running(upstream: RawUpstream, folder: Path) -> Iterator[tuple[Gateway, dict[str, str]]]:
    (folder / "departments.toml").write_text(RULES)
    text = toml(upstream.url, MORE.format(url=upstream.url)).replace(
        "drain_s = 5", "drain_s = 5\nretries = 0\n"
    )
    with gateway_for(folder, text, *WORKFLOWS) as opened:
        yield opened


def said(running: tuple[Gateway, dict[str, str]], words: str = PROMPT, **more: Any) -> Any:
    key = running[1][more.pop("workflow", "letters")]
    return running[0].chat(key, messages=[{"role": "user", "content": words}], **more)


def told(port: int, data: bytes, seconds: float = 10.0) -> bytes:
    """Return all that is answered to some bytes until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(data)
        heard = b""
        while piece := connection.recv(65536):
            heard += piece
        return heard


# Past the gateway.


@pytest.mark.parametrize(
    "path",
    [
        "/v1/realtime/client_secrets",
        "/v1/realtime/sessions",
        "/v1/Realtime/sessions",
        "/openai/v1/chatkit/sessions",
        "/v1/v1/organization/projects/p/service_accounts",
        "/anthropic/v1/organizations/api_keys",
        "/key/generate",
    ],
)
def test_no_path_hands_out_keys_with_which_the_gateway_could_be_passed_by(
    running: tuple[Gateway, dict[str, str]], upstream: RawUpstream, path: str
) -> None:
    before = len(upstream.came)
    headers = {"authorization": f"Bearer {running[1]['letters']}"}
    answered = running[0].ask("POST", path, {}, headers)
    assert (answered.status, answered.json["error"].get("code", "")) in (
        (403, "closed_path"),
        (403, ""),
    )
    assert len(upstream.came) == before


def test_a_second_path_to_a_chat_is_held_and_routed_as_the_first(
    running: tuple[Gateway, dict[str, str]], upstream: RawUpstream
) -> None:
    before = len(upstream.came)
    key = running[1]["looked-up"]
    for path in ("/v1/Chat/Completions", "/v1/engines/gpt-5/chat/completions"):
        answered = running[0].ask("POST", path, CHAT, {"authorization": f"Bearer {key}"})
        assert answered.headers["x-clearbar-tool"] == "departments"
    assert len(upstream.came) == before


@pytest.mark.parametrize("path", ["/v1/batches", "/v1/fine_tuning/jobs", "/v1/messages/batches"])
def test_what_no_budget_can_hold_is_not_started_under_one(
    running: tuple[Gateway, dict[str, str]], upstream: RawUpstream, path: str
) -> None:
    before = len(upstream.came)
    headers = {"authorization": f"Bearer {running[1]['letters']}"}
    answered = running[0].ask("POST", path, {"endpoint": "/v1/responses"}, headers)
    assert answered.status == 403
    assert "no budget can hold" in answered.json["error"]["message"]
    assert len(upstream.came) == before
    headers = {"authorization": f"Bearer {running[1]['plain']}"}
    assert running[0].ask("POST", path, {"endpoint": "/v1/responses"}, headers).status == 200


def test_a_redirect_does_not_lead_a_client_past_the_gateway(
    running: tuple[Gateway, dict[str, str]],
) -> None:
    answered = said(running, "do: redirect")
    assert answered.status == 307
    assert "location" not in answered.headers


@pytest.mark.parametrize(
    "name", ["x-http-method-override", "x-original-url", "x-forwarded-host", "x-goog-api-key"]
)
def test_what_another_server_might_obey_does_not_reach_the_tool(
    running: tuple[Gateway, dict[str, str]], upstream: RawUpstream, name: str
) -> None:
    assert said(running, headers={name: "POST"}).status == 200
    assert name.encode() not in upstream.came[-1].head.lower()


@pytest.mark.parametrize("name", ["Model", "MODEL", "Max_Tokens", "max_to\u212aens", "\u017ftream"])
def test_a_field_in_other_letters_that_some_servers_take_for_the_same_is_refused(
    running: tuple[Gateway, dict[str, str]], upstream: RawUpstream, name: str
) -> None:
    before = len(upstream.came)
    answered = said(running, **{name: "gpt-5-pro"})
    assert (answered.status, answered.json["error"]["code"]) == (400, "bad_body")
    assert len(upstream.came) == before


BODIES = {
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(CHAT).encode(),
    "UTF-16": json.dumps(CHAT).encode("utf-16"),
    "NaN": json.dumps({**CHAT, "max_tokens": float("nan")}).encode(),
    "a limit beyond all": json.dumps({**CHAT, "max_tokens": 10**40}).encode(),
    "a negative limit": json.dumps({**CHAT, "max_tokens": -(10**6)}).encode(),
    "a negative count": json.dumps({**CHAT, "n": -5}).encode(),
    "two models": b'{"model":"gpt-5-mini","messages":[],"model":"gpt-5-pro"}',
    "two models, one escaped": b'{"model":"gpt-5-mini","messages":[],"mod\\u0065l":"gpt-5-pro"}',
    "two limits": b'{"model":"gpt-5-mini","max_tokens":1,"messages":[],"max_tokens":99999}',
    "a model with a line end": json.dumps({**CHAT, "model": "gpt\r\nx-evil: 1"}).encode(),
    "a model with half a character": b'{"model":"gpt\\ud800","messages":[]}',
    "a model without an end": json.dumps({**CHAT, "model": "m" * 100_000}).encode(),
    "an array": b"[1]",
    "a bottomless array": b'{"model":"m","messages":' + b"[" * 100_000,
    "what follows it": json.dumps(CHAT).encode() + b'{"model":"gpt-5-pro"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_two_readers_could_read_differently_is_refused_and_not_quoted(
    running: tuple[Gateway, dict[str, str]], upstream: RawUpstream, body: bytes
) -> None:
    before = len(upstream.came)
    answered = running[0].ask(
        "POST",
        "/v1/chat/completions",
        body,
        {"authorization": f"Bearer {running[1]['letters']}"},
    )
    assert answered.status == 400
    assert PROMPT.encode() not in answered.body
    assert b"evil" not in answered.body
    assert len(upstream.came) == before


def test_a_judge_that_may_not_be_given_the_data_is_not_asked(
    running: tuple[Gateway, dict[str, str]], upstream: RawUpstream
) -> None:
    words = "restricted words"
    assert said(running, words, workflow="judged", model="llama-old").status == 200

    def models() -> list[str]:
        return [
            json.loads(each.body)["model"] for each in upstream.came if words.encode() in each.body
        ]

    give_up = time.monotonic() + 10
    while "llama-own" not in models() and time.monotonic() < give_up:
        time.sleep(0.05)
    time.sleep(0.5)
    assert sorted(models()) == ["llama-old", "llama-own"]


# Keys and texts.


def test_the_clients_key_and_what_is_said_to_the_gateway_never_reach_the_upstream(
    running: tuple[Gateway, dict[str, str]], upstream: RawUpstream
) -> None:
    key = running[1]["letters"]
    headers = {
        "x-api-key": key,
        "api-key": key,
        "cookie": key,
        "proxy-authorization": key,
        "x-clearbar-task": "a-task",
        "x-clearbar-key": key,
    }
    assert said(running, headers=headers).status == 200
    assert key.encode() not in upstream.came[-1].head
    assert b"clearbar" not in upstream.came[-1].head.lower()
    assert b"Bearer sk-upstream" in upstream.came[-1].head


def test_a_clients_own_credentials_are_not_passed_on_where_a_gateway_key_is_among_them(
    running: tuple[Gateway, dict[str, str]], upstream: RawUpstream
) -> None:
    key = running[1]["letters"]
    headers = {"x-clearbar-key": key, "authorization": f"Bearer\t{key}"}
    answered = running[0].ask("POST", "/v1/chat/completions", {**CHAT, "model": "gpt-5"}, headers)
    assert answered.status == 200
    assert key.encode() not in upstream.came[-1].head


@pytest.mark.parametrize("where", ["user", "task", "label-cost-centre"])
def test_a_key_in_a_header_that_is_kept_is_refused(
    running: tuple[Gateway, dict[str, str]], where: str
) -> None:
    for secret in (running[1]["letters"], "sk-proj-0123456789abcdefghij"):
        answered = said(running, headers={f"x-clearbar-{where}": f"by {secret}"})
        assert answered.status == 400
        assert secret.encode() not in answered.body


def test_a_key_that_a_client_gives_as_its_user_is_kept_as_a_hash(
    running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    key = running[1]["memos"]
    assert said(running, workflow="memos", user=key).status == 200
    found = settled(folder, lambda rows: any(row["workflow"] == "memos" for row in rows))
    users = {row["principal"] for row in found if row["workflow"] == "memos"}
    assert any(str(user).startswith("sha256:") for user in users)
    assert key not in users


def test_nothing_that_was_written_holds_a_key_a_prompt_or_an_answer(
    running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    assert said(running).status == 200
    time.sleep(0.5)
    secrets = [PROMPT, "sk-upstream", *running[1].values()]
    secrets += [key.rpartition("_")[2] for key in running[1].values()]
    for path in (folder / ".clearbar").rglob("*"):
        if path.is_file() and path.name != "admin-token":
            data = path.read_bytes()
            assert not [each for each in secrets if each.encode() in data], path.name
    assert not [each for each in secrets if each in "\n".join(running[0].said)]


def test_a_gateway_that_cannot_encrypt_what_it_is_to_encrypt_does_not_start(
    tmp_path: Path,
) -> None:
    more = '[[route]]\nworkflow = "letters"\ncapture = { protect = "encrypted" }\n'
    (tmp_path / "clearbar.toml").write_text(toml("http://127.0.0.1:9/v1", more))
    command = [sys.executable, "-m", "clearbar", "--workspace", str(tmp_path), "route", "serve"]
    done = subprocess.run(
        [*command, "--port", "0", "--admin-port", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode != 0
    assert "CLEARBAR_CAPTURE_KEY" in done.stderr


def test_only_the_owner_may_look_into_what_the_gateway_keeps(
    running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    assert said(running).status == 200
    kept = folder / ".clearbar/route"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    for name in ("table.json", "admin-token", "serve.lock"):
        assert stat.S_IMODE((kept / name).stat().st_mode) == 0o600
    for path in (kept / "journal").rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


# What goes back to the client.


def test_an_upstream_speaks_neither_for_the_gateway_nor_about_its_connection(
    running: tuple[Gateway, dict[str, str]],
) -> None:
    answered = said(running, "do: hostile-headers")
    assert answered.headers["x-clearbar-tool"] == "small"
    assert answered.headers["x-clearbar-workflow"] == "letters"
    assert not {"set-cookie", "x-secret", "alt-svc"} & answered.headers.keys()


def test_an_error_that_repeats_the_tools_key_does_not_tell_it(
    running: tuple[Gateway, dict[str, str]],
) -> None:
    answered = said(running, "do: told-key")
    assert answered.status == 401
    assert answered.json["error"]["message"] == "no such key: [hidden]"


def test_a_date_beyond_the_calendar_ends_in_the_upstreams_own_answer(
    running: tuple[Gateway, dict[str, str]],
) -> None:
    assert said(running, "do: late-date").status == 429


def test_a_name_in_any_letters_is_told_in_a_header(
    running: tuple[Gateway, dict[str, str]],
) -> None:
    answered = said(running, workflow=ODD_NAME)
    assert answered.status == 200
    assert answered.headers["x-clearbar-workflow"].encode("latin-1").decode() == ODD_NAME


NESTED: Any = "hello"
for _ in range(300):
    NESTED = [{"type": {}, "content": NESTED}]


def test_contents_inside_contents_without_end_are_answered(
    running: tuple[Gateway, dict[str, str]],
) -> None:
    key = running[1]["looked-up"]
    answered = running[0].chat(key, messages=[{"role": "user", "content": NESTED}])
    assert answered.status == 200
    assert said(running, "do: nested").status == 200


# The admin port.


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/routes"),
        ("GET", "/v1/routes/letters"),
        ("GET", "/v1/budgets"),
        ("GET", "/v1/workers"),
        ("GET", "/v1/alarms"),
        ("GET", "/v1/keys"),
        ("POST", "/v1/keys"),
        ("DELETE", "/v1/keys/abcdefgh"),
        ("POST", "/v1/reload"),
        ("POST", "/v1/drain"),
        ("POST", "/v1/holds"),
        ("POST", "/v1/holds/h/settle"),
        ("POST", "/v1/holds/h/release"),
        ("HEAD", "/v1/keys"),
    ],
)
def test_operators_alone_are_answered_and_strangers_learn_nothing(
    running: tuple[Gateway, dict[str, str]], folder: Path, method: str, path: str
) -> None:
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"authorization": "Bearer cba_wrong"},
        {"authorization": "Basic YTpi"},
    )
    for headers in wrong:
        answered = running[0].ask(method, path, {}, headers, port=running[0].admin_port)
        assert answered.status == 401
        assert str(folder).encode() not in answered.body
        assert running[0].admin_token.encode() not in answered.body


def test_the_admin_port_is_for_this_machine_wherever_clients_come_from(tmp_path: Path) -> None:
    (tmp_path / "clearbar.toml").write_text(toml("http://127.0.0.1:9/v1"))
    ports = ("--host", "127.0.0.2", "--port", "0", "--admin-port", "0")
    command = [sys.executable, "-m", "clearbar", "--workspace", str(tmp_path), "route", "serve"]
    with subprocess.Popen([*command, *ports], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        heard = [process.stdout.readline() for _ in range(3)]
        process.terminate()
        process.stdout.read()
    assert [each.split("//")[1].split(":")[0] for each in heard] == [
        "127.0.0.2",
        "127.0.0.2",
        "127.0.0.1",
    ]


def test_a_gateway_key_opens_holds_and_nothing_else(
    running: tuple[Gateway, dict[str, str]],
) -> None:
    bearer = {"authorization": f"Bearer {running[1]['letters']}"}
    for method, path in (("GET", "/v1/budgets"), ("POST", "/v1/keys"), ("POST", "/v1/drain")):
        assert running[0].ask(method, path, {}, bearer, port=running[0].admin_port).status == 401


def test_a_hold_is_its_keys_alone(running: tuple[Gateway, dict[str, str]]) -> None:
    wanted = {"hold_id": "h-1", "model": "gpt-5-mini", "max_output_tokens": 10}

    def ask(path: str, workflow: str, body: object) -> Any:
        bearer = {"authorization": f"Bearer {running[1][workflow]}"}
        return running[0].ask("POST", path, body, bearer, port=running[0].admin_port)

    assert ask("/v1/holds", "letters", wanted).status == 201
    stolen = ask("/v1/holds", "memos", wanted)
    assert (stolen.status, stolen.json["code"]) == (409, "hold_taken")
    assert b"letters" not in stolen.body
    assert ask("/v1/holds/h-1/settle", "memos", {"outcome": "ok"}).status == 404
    assert ask("/v1/holds", "letters", wanted).status == 201
    assert ask("/v1/holds/h-1/release", "letters", None).status in (200, 404, 415)


def test_a_negative_use_gives_no_money_back(running: tuple[Gateway, dict[str, str]]) -> None:
    bearer = {"authorization": f"Bearer {running[1]['letters']}"}
    body = {"outcome": "ok", "usage": {"output_tokens": -(10**9)}}
    answered = running[0].ask(
        "POST", "/v1/holds/h-1/settle", body, bearer, port=running[0].admin_port
    )
    assert answered.status == 400


def test_a_page_under_its_own_sites_name_reads_no_metrics(
    running: tuple[Gateway, dict[str, str]],
) -> None:
    def ask(host: str) -> int:
        return (
            running[0]
            .ask("GET", "/metrics", None, {"host": host}, port=running[0].admin_port)
            .status
        )

    assert ask("evil.example:8788") == 403
    assert [ask(host) for host in ("localhost:8788", "127.0.0.1:8788", "[::1]:8788", "box")] == [
        200,
        200,
        200,
        200,
    ]


# Room.


def test_strangers_do_not_fill_the_disk(
    running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    get = b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"
    last = b"GET /v1/models HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    heard = told(running[0].port, get * 2000 + last, 30.0)
    assert heard.count(b"HTTP/1.1 401 ") == 2001
    time.sleep(1.1)
    told(running[0].port, last)
    time.sleep(0.2)
    found = [each.entry for each in entries(folder / ".clearbar/route/journal")]
    written = [each for each in found if isinstance(each, Refused) and each.code == "no_key"]
    assert len(written) < 1000
    noted = [each for each in found if isinstance(each, Noted) and each.what == "refused_unwritten"]
    assert sum(int(each.detail) for each in noted) + len(written) >= 2001


def test_a_stranger_gets_no_room_for_a_large_body(
    running: tuple[Gateway, dict[str, str]],
) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 30000000\r\n\r\n"
    heard = told(running[0].port, head + b"a" * 300_000)
    assert heard.startswith(b"HTTP/1.1 401 ")
    expects = head.replace(b"host: a", b"host: a\r\nexpect: 100-continue")
    assert told(running[0].port, expects).startswith(b"HTTP/1.1 401 ")


def test_a_stranger_cannot_fill_the_memory_behind_a_body(
    running: tuple[Gateway, dict[str, str]],
) -> None:
    head = b"POST /v1/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
    assert told(running[0].port, head + b"a: 1\r\nb: 2\r\n").startswith(b"HTTP/1.1 400 ")
    endless = told(running[0].port, head + b"a: " + b"b" * 200_000)
    assert endless.startswith(b"HTTP/1.1 400 ")


def test_many_strangers_who_say_nothing_do_not_keep_others_out(
    running: tuple[Gateway, dict[str, str]],
) -> None:
    idle = [socket.create_connection(("127.0.0.1", running[0].port)) for _ in range(300)]
    idle += [socket.create_connection(("127.0.0.1", running[0].admin_port)) for _ in range(100)]
    try:
        for each in idle:
            each.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nx: ")
        assert said(running).status == 200
        assert running[0].operate("GET", "/v1/workers").status == 200
    finally:
        for each in idle:
            each.close()


def test_refusals_at_once_leave_the_gateway_as_it_was(
    running: tuple[Gateway, dict[str, str]],
) -> None:
    def knock() -> None:
        for number in range(50):
            running[0].chat(f"cb_abcdefgh_{number:052d}")

    knocking = [threading.Thread(target=knock) for _ in range(4)]
    for each in knocking:
        each.start()
    for each in knocking:
        each.join()
    assert said(running).status == 200


def test_a_key_is_of_no_use_once_it_is_revoked(
    running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    key = issue(folder, "letters")
    give_up = time.monotonic() + 10
    while running[0].chat(key).status == 401 and time.monotonic() < give_up:
        time.sleep(0.2)
    assert running[0].chat(key).status == 200
    assert running[0].operate("DELETE", f"/v1/keys/{key[3:11]}").status == 200
    while running[0].chat(key).status == 200 and time.monotonic() < give_up:
        time.sleep(0.2)
    assert running[0].chat(key).status == 401
