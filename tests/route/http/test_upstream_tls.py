"""Encrypted upstreams: whose certificates are trusted, and what they are told."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.route.http.wires import always, lab, reply_of, until

from clearbar.route.http.upstream import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.route.http.wires import Heard, Lab, Run

ANSWER = reply_of(b"hi")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "upstream.pem"
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    parts = [path.with_name("key.pem"), path.with_name("certificate.pem")]
    files = ["-keyout", str(parts[0]), "-out", str(parts[1])]
    subprocess.run([openssl, *made, *named, *files], check=True, capture_output=True)
    path.write_text("".join(part.read_text() for part in parts))
    return path


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def trusting(certificate: Path) -> Mapping[str, str]:
    return {"SSL_CERT_FILE": str(certificate)}


async def heard_from(at: Lab, host: str = "localhost") -> Heard:
    heard, _ = at.ask(origin=Origin(secure=True, host=host, port=at.origin.port))
    await heard.over.wait()
    return heard


def test_a_certificate_of_a_named_authority_is_trusted(run: Run, certificate: Path) -> None:
    async def main() -> None:
        tls = server_side(certificate)
        async with lab(always(ANSWER), environment=trusting(certificate), tls=tls) as at:
            for _ in range(2):
                assert (await heard_from(at)).body == b"hi"
            assert len(at.connections) == 1

    run(main())


def test_a_certificate_of_nobody_is_not_trusted_and_nothing_is_sent(
    run: Run, certificate: Path
) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        async with lab(always(ANSWER), tls=server_side(certificate)) as at:
            broken = (await heard_from(at)).broken
        assert broken is not None
        assert (broken.kind, broken.sent) == ("tls", False)
        assert broken.what == "the upstream's certificate is not trusted"

    run(main())


def test_a_certificate_of_another_host_is_not_trusted(run: Run, certificate: Path) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        tls = server_side(certificate)
        async with lab(always(ANSWER), environment=trusting(certificate), tls=tls) as at:
            broken = (await heard_from(at, "127.0.0.1")).broken
        assert broken is not None
        assert broken.kind == "tls"

    run(main())


def test_the_upstream_is_told_its_name(run: Run, certificate: Path) -> None:
    async def main() -> None:
        names: list[str | None] = []
        tls = server_side(certificate)
        tls.sni_callback = lambda _, name, __: names.append(name)
        async with lab(always(ANSWER), environment=trusting(certificate), tls=tls) as at:
            await heard_from(at)
        assert names == ["localhost"]

    run(main())


def test_an_upstream_that_does_not_speak_tls_is_a_failure_to_encrypt(
    run: Run, certificate: Path
) -> None:
    async def chatter(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        async with lab(chatter, environment=trusting(certificate)) as at:
            broken = (await heard_from(at)).broken
        assert broken is not None
        assert (broken.kind, broken.sent) == ("tls", False)

    run(main())


def test_authorities_that_cannot_be_read_are_named(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        environment = {"SSL_CERT_FILE": str(tmp_path / "none.pem")}
        async with lab(always(ANSWER), environment=environment) as at:
            broken = (await heard_from(at)).broken
        assert broken is not None
        assert broken.kind == "tls"
        assert "SSL_CERT_FILE" in broken.what

    run(main())


def test_a_large_encrypted_reply_can_be_paused(run: Run, certificate: Path) -> None:
    async def main() -> None:
        tls = server_side(certificate)
        answer = reply_of(b"a" * 20_000_000)
        async with lab(always(answer), environment=trusting(certificate), tls=tls) as at:
            heard, asking = at.ask(
                origin=Origin(secure=True, host="localhost", port=at.origin.port)
            )
            await heard.began.wait()
            asking.pause()
            await asyncio.sleep(0.05)
            assert len(heard.body) < 4_000_000
            asking.resume()
            await heard.over.wait()
            assert len(heard.body) == 20_000_000

    run(main())


def test_an_encrypted_connection_that_was_closed_is_not_used_again(
    run: Run, certificate: Path
) -> None:
    async def main() -> None:
        tls = server_side(certificate)
        async with lab(always(ANSWER), environment=trusting(certificate), tls=tls) as at:
            await heard_from(at)
            at.connections[0].close()
            [pool] = at.upstreams._pools.values()
            await until(lambda: not pool._open)
            assert (await heard_from(at)).ended
            assert len(at.connections) == 2

    run(main())
