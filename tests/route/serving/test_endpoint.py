"""Where a tool's requests go."""

from __future__ import annotations

import pytest

from clearbar.core.errors import ClearbarError
from clearbar.route.serving.endpoint import endpoint_of
from clearbar.tools.tool import Tool


def test_a_declared_address_gives_host_port_and_path() -> None:
    tool = Tool("local", "openai", url="http://127.0.0.1:8080/v1/")
    found = endpoint_of(tool, {})
    assert found.origin == (False, "127.0.0.1", 8080)
    assert (found.path, found.host) == (b"/v1", b"127.0.0.1:8080")


def test_the_usual_address_is_encrypted() -> None:
    assert endpoint_of(Tool("claude", "anthropic"), {}).origin == (True, "api.anthropic.com", 443)


def test_an_openai_key_is_a_bearer() -> None:
    tool = Tool("gpt", "openai", key_env="THE_KEY")
    found = endpoint_of(tool, {"THE_KEY": "sk-1"})
    assert found.credentials == ((b"authorization", b"Bearer sk-1"),)


def test_an_anthropic_key_has_a_header_of_its_own() -> None:
    tool = Tool("claude", "anthropic", key_env="THE_KEY")
    assert endpoint_of(tool, {"THE_KEY": "sk-1"}).credentials == ((b"x-api-key", b"sk-1"),)


def test_a_key_that_is_not_set_is_named() -> None:
    assert endpoint_of(Tool("gpt", "openai", key_env="THE_KEY"), {}).missing_key == "THE_KEY"


def test_a_key_that_could_split_a_header_is_refused() -> None:
    tool = Tool("gpt", "openai", key_env="THE_KEY")
    with pytest.raises(ClearbarError, match="characters that no key has") as caught:
        endpoint_of(tool, {"THE_KEY": "sk\r\nx: 1"})
    assert "sk" not in caught.value.message.replace("THE_KEY", "").replace("asks", "")


@pytest.mark.parametrize("url", ["ftp://a/v1", "http://", "http://[::1", "http://ä.example/v1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ClearbarError, match="cannot be asked"):
        endpoint_of(Tool("odd", "openai", url=url), {})


def test_credentials_in_an_address_do_not_become_the_host() -> None:
    found = endpoint_of(Tool("odd", "openai", url="http://user:word@h.example/v1"), {})
    assert found.host == b"h.example"
