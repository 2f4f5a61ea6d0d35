"""What a model may be called in the price book: names without the decorations of hosts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROVIDERS: Final = {
    "aws_bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "fireworks_ai": "fireworks",
    "gcp.gen_ai": "google",
    "x_ai": "x-ai",
}
"""Names by which gateways and conventions know a provider, where the library does not."""

USUAL: Final = (
    ("anthropic", "<synthetic>"),
    ("anthropic", "claude-3-5-haiku-20241022"),
    ("anthropic", "claude-3-5-sonnet-20241022"),
    ("anthropic", "claude-3-7-sonnet-20250219"),
    ("anthropic", "claude-haiku-4-5-20251001"),
    ("anthropic", "claude-opus-4-1-20250805"),
    ("anthropic", "claude-opus-4-20250514"),
    ("anthropic", "claude-opus-4-5-20251101"),
    ("anthropic", "claude-opus-4-6"),
    ("anthropic", "claude-sonnet-4-20250514"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("anthropic", "claude-sonnet-4-6"),
    ("openai", "gpt-4.1-2025-04-14"),
    ("openai", "gpt-4.1-mini-2025-04-14"),
    ("openai", "gpt-4o-2024-08-06"),
    ("openai", "gpt-4o-mini-2024-07-18"),
    ("openai", "gpt-5-2025-08-07"),
    ("openai", "gpt-5-mini-2025-08-07"),
    ("openai", "o3-2025-04-16"),
    ("openai", "o4-mini-2025-04-16"),
)
"""Provider and model as answers and logs often report them: these are looked up beforehand."""

_GOOGLE_PATH: Final = re.compile(r"^(?:publishers/[^/]+/)?models/")
_BEDROCK_PLACE: Final = re.compile(r"^(?:us-gov|us|eu|apac|jp|au|ca|in|sa|global)\.")
_BEDROCK_VERSION: Final = re.compile(r"(?:-v\d+)?:\d+$")


def provider_name(provider: str) -> str:
    """Return the provider as the price library may know it."""
    name = provider.strip().lower()
    return _PROVIDERS.get(name, name)


def candidates(provider: str, model: str) -> Iterator[tuple[str | None, str]]:
    """Yield (provider, model) to look up, as reported first, then with less and less decoration.

    None for the provider: to be inferred from the model. A path such as `azure/gpt-4o` names the
    provider where none is given; that of an unknown host, such as `ollama/mistral`, is not passed
    off as the vendor's own.
    """
    host = provider_name(provider) or None
    name = model.strip().lower()
    if name.startswith("arn:"):
        name = name.rpartition("/")[2]
    name = _GOOGLE_PATH.sub("", name)
    yield from _plainer(host, name)
    while "/" in name:
        head, _, name = name.partition("/")
        host = host or provider_name(head)
        yield from _plainer(host, name)


def _plainer(host: str | None, name: str) -> Iterator[tuple[str | None, str]]:
    yield host, name
    steps = (
        lambda text: _BEDROCK_PLACE.sub("", text),
        lambda text: text.replace("@", "-"),
        lambda text: _BEDROCK_VERSION.sub("", text),
    )
    for step in steps:
        plainer = step(name)
        if plainer != name:
            name = plainer
            yield host, name
