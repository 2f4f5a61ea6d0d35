"""Where a tool is asked, and who bills for it."""

from __future__ import annotations

from typing import Any

import pytest
from genai_prices.data import providers

from clearbar.core.errors import ClearbarError
from clearbar.tools import address
from clearbar.tools.address import DEFAULT_URLS, protocol_of, provider_of, url_of
from clearbar.tools.tool import Tool


def endpoint(kind: Any = "openai", **fields: Any) -> Tool:
    return Tool("a", kind, model="m", **fields)


@pytest.mark.parametrize(
    ("tool", "url"),
    [
        (endpoint(), "https://api.openai.com/v1/chat/completions"),
        (endpoint("anthropic"), "https://api.anthropic.com/v1/messages"),
        (endpoint(url="http://127.0.0.1:8080/v1/"), "http://127.0.0.1:8080/v1/chat/completions"),
        (endpoint("anthropic", url="http://gateway/v1"), "http://gateway/v1/messages"),
        (
            endpoint(url="https://x.azure.com/openai/v1?api-version=preview"),
            "https://x.azure.com/openai/v1/chat/completions?api-version=preview",
        ),
    ],
)
def test_a_protocol_is_asked_at_its_path_below_the_declared_address(tool: Tool, url: str) -> None:
    assert url_of(tool) == url


@pytest.mark.parametrize(
    ("tool", "provider"),
    [
        (endpoint(), "openai"),
        (endpoint("anthropic"), "anthropic"),
        (endpoint(url="https://api.groq.com/openai/v1"), "groq"),
        (endpoint(url="https://ours.openai.azure.com/openai/v1"), "azure"),
        (endpoint(url="https://API.Mistral.ai/v1"), "mistral"),
        (endpoint(url="http://127.0.0.1:8080/v1"), "127.0.0.1"),
        (
            endpoint(url="https://notopenai.azure.com.example.org/v1"),
            "notopenai.azure.com.example.org",
        ),
        (endpoint(url="http://gateway/v1", provider="Azure_OpenAI"), "azure"),
        (Tool("r", "rules", file="x"), ""),
        (Tool("c", "command", command=("x",), provider="openai"), "openai"),
    ],
)
def test_who_bills_is_declared_or_told_by_the_host_or_is_the_host(
    tool: Tool, provider: str
) -> None:
    assert provider_of(tool) == provider


def test_the_price_book_knows_every_provider_that_a_host_tells() -> None:
    known = {provider.id for provider in providers}
    assert set(address._HOSTS.values()) | set(address._DOMAINS.values()) <= known
    assert set(DEFAULT_URLS) <= known


def test_a_tool_without_an_endpoint_speaks_no_protocol() -> None:
    with pytest.raises(ClearbarError, match="of kind rules: it has no endpoint"):
        protocol_of(Tool("r", "rules", file="x"))
