"""What gateways and traces call a provider or a tier -> what the price book calls it."""

from __future__ import annotations

from typing import Final

_NAMES: Final = {
    "amazon": "aws",
    "amazon_bedrock": "aws",
    "aws.bedrock": "aws",
    "aws_bedrock": "aws",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "azure_text": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "bedrock_mantle": "aws",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "github_copilot": "github-copilot",
    "google_genai": "google",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "sagemaker": "aws",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "voyage": "voyageai",
    "x_ai": "x-ai",
    "xai": "x-ai",
}


def provider_named(name: str) -> str:
    """Return the provider that `name` means, in lower case; a name not known stays as it is."""
    plain = name.strip().lower()
    return _NAMES.get(plain, plain)


def service_tier_named(name: str) -> str:
    """Return the tier that `name` means: providers say `default` for standard, `auto` for none."""
    plain = name.strip().lower()
    return {"default": "standard", "auto": "", "fast": "priority"}.get(plain, plain)
