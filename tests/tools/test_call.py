"""A caller asks tools of every kind, each by its own way."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.tools.asking import answer_of, ask, failure_of
from tests.tools.upstream import Upstream

from clearbar.core.errors import ClearbarError
from clearbar.tools.call import Caller
from clearbar.tools.tool import Answer, Request, Tool

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
[[rule]]
regex = '(?i)where is'
answer = 'tracking'
"""


def test_one_caller_asks_tools_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "kinds_tools.py").write_text("def f(text): return 'from python'")
    tools = [
        Tool("rules", "rules", file="rules.toml"),
        Tool("cmd", "command", command=("echo", "from a command")),
        Tool("fn", "python", function="kinds_tools:f"),
    ]

    async def all_of_them(url: str) -> list[str]:
        tools.append(Tool("chat", "openai", model="m", url=url))
        tools.append(Tool("msg", "anthropic", model="m", url=url))
        async with Caller(tmp_path, {"PATH": os.environ["PATH"]}) as caller:
            found = [await caller.ask(tool, Request("Where is my parcel?")) for tool in tools]
        assert all(each.latency_ms is not None for each in found)
        return [each.text for each in found if isinstance(each, Answer)]

    with Upstream(lambda _: "from a model") as upstream:
        said = asyncio.run(all_of_them(upstream.url))
    expected = ["tracking", "from a command", "from python", "from a model", "from a model"]
    assert said == expected


def test_rules_are_loaded_once_and_say_nothing_where_none_holds(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    tool = Tool("rules", "rules", file="rules.toml")

    async def twice() -> list[Answer]:
        async with Caller(tmp_path, {}) as caller:
            first = await caller.ask(tool, Request("where is it"))
            path.unlink()
            second = await caller.ask(tool, Request("thank you"))
        return [each for each in (first, second) if isinstance(each, Answer)]

    assert [(each.text, each.confidence) for each in asyncio.run(twice())] == [
        ("tracking", 1.0),
        ("", 0.0),
    ]


@pytest.mark.parametrize("kind", ["rules", "classifier"])
def test_a_missing_file_is_the_declarations_fault(tmp_path: Path, kind: str) -> None:
    tool = Tool("a", "rules" if kind == "rules" else "classifier", file="none")
    with pytest.raises(ClearbarError):
        ask(tool, "hello", folder=tmp_path)


def test_a_cascade_is_not_asked_itself() -> None:
    with pytest.raises(ClearbarError, match='"both" is a cascade'):
        ask(Tool("both", "cascade", first="a", then="b"), "hello")


def test_what_is_not_asked_over_a_network_loads_no_http_client() -> None:
    code = """
import asyncio, sys
from pathlib import Path
from clearbar.tools.call import Caller
from clearbar.tools.tool import Request, Tool
async def once():
    async with Caller(Path(), {}) as caller:
        return await caller.ask(Tool("f", "python", function="string:capwords"), Request("a"))
assert asyncio.run(once()).text == "A"
assert not {"httpx2", "numpy", "duckdb", "genai_prices"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    named = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(path), "-out", str(path.with_name("certificate.pem"))]
    subprocess.run([openssl, *made, *named, *files], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_name("certificate.pem").read_text())
    return path


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_certificate_of_a_named_authority_is_trusted(certificate: Path) -> None:
    with Upstream(tls=server_side(certificate)) as upstream:
        tool = Tool("chat", "openai", model="m", url=upstream.url)
        trusted = {"SSL_CERT_FILE": str(certificate)}
        assert answer_of(tool, environment=trusted).text == "ok"


def test_a_certificate_of_nobody_is_not_trusted_and_not_tried_again(certificate: Path) -> None:
    with Upstream(tls=server_side(certificate)) as upstream:
        failure = failure_of(Tool("chat", "openai", model="m", url=upstream.url))
    assert (failure.what, failure.retry) == ("the endpoint's certificate is not trusted", False)
    assert not upstream.asked
