"""Where a tool is asked, by which protocol, and who bills for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from clearbar.core.errors import ClearbarError
from clearbar.spend.shapes.provider_names import provider_named

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from clearbar.tools.tool import Tool

Protocol = Literal["openai", "anthropic"]
PROTOCOLS: Final[tuple[Protocol, ...]] = ("openai", "anthropic")

DEFAULT_URLS: Final[Mapping[Protocol, str]] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
}
_PATHS: Final[Mapping[Protocol, str]] = {"openai": "/chat/completions", "anthropic": "/messages"}

_HOSTS: Final = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "api.cerebras.ai": "cerebras",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.moonshot.ai": "moonshotai",
    "api.moonshot.cn": "moonshotai",
    "api.perplexity.ai": "perplexity",
    "api.together.xyz": "together",
    "api.x.ai": "x-ai",
    "generativelanguage.googleapis.com": "google",
    "openrouter.ai": "openrouter",
}
_DOMAINS: Final = {".openai.azure.com": "azure", ".services.ai.azure.com": "azure"}


def protocol_of(tool: Tool) -> Protocol:
    """Return the protocol that a tool's endpoint speaks.

    Raises:
        ClearbarError: when the tool is none that is asked over a network.
    """
    if tool.kind == "openai":
        return "openai"
    if tool.kind == "anthropic":
        return "anthropic"
    raise ClearbarError(f'the tool "{tool.name}" is of kind {tool.kind}: it has no endpoint')


def provider_of(tool: Tool) -> str:
    """Return who bills for a tool: as declared, else told by its host, else the host's own name.

    Empty for a tool without an endpoint. A host that is not known is not passed off as the vendor
    of the model that it serves, so that the price book leaves its charges unpriced.

    Raises:
        ClearbarError: when its URL is none.
    """
    if tool.provider:
        return provider_named(tool.provider)
    if tool.kind not in PROTOCOLS:
        return ""
    host = _address(tool).hostname or ""
    named = (name for domain, name in _DOMAINS.items() if host.endswith(domain))
    return _HOSTS.get(host) or next(named, host)


def url_of(tool: Tool) -> str:
    """Return the address that is asked; a query in the declared URL, as of a version, is kept.

    Raises:
        ClearbarError: when its URL is none.
    """
    declared = _address(tool)
    path = declared.path.rstrip("/") + _PATHS[protocol_of(tool)]
    return declared._replace(path=path).geturl()


def no_url(tool: Tool) -> ClearbarError:
    """Return the error for a tool whose URL cannot be asked."""
    return ClearbarError(
        f'the url of the tool "{tool.name}" cannot be asked',
        'such as "https://api.example.com/v1"',
    )


def _address(tool: Tool) -> SplitResult:
    try:
        parts = urlsplit(tool.url or DEFAULT_URLS[protocol_of(tool)])
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise no_url(tool) from None
    if not sound:
        raise no_url(tool)
    return parts
