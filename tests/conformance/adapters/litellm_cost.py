"""What LiteLLM's cost function says of the same usage, by the price table that it came with.

    python litellm_cost.py FORMATS DECLARED STATE FILE...

Run it with a Python that has LiteLLM. Each answer is turned into LiteLLM's own objects by LiteLLM's
own code. The function is for one answer at a time and for now: it reads no logs and knows no past.
Where it knows no price it raises, which is an unknown cost.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOSTS = {
    "api.x.ai": "xai",
    "api.deepseek.com": "deepseek",
    "api.perplexity.ai": "perplexity",
}


def costs(lines: list[dict[str, Any]]) -> Iterator[float]:
    """Yield the cost of each answer."""
    chunks = [line for line in lines if line.get("object") == "chat.completion.chunk"]
    if chunks:
        yield _streamed(chunks)
    for line in lines:
        if line in chunks:
            continue
        answer = line.get("response", line)
        answer = answer.get("body", answer)
        url = line.get("request", {}).get("url", "")
        provider = next((name for host, name in _HOSTS.items() if host in url), "openai")
        if answer.get("type") == "message":
            yield _message(answer)
        elif answer.get("object") == "response":
            yield _response(answer, line.get("request", {}).get("body", {}).get("tools", []))
        else:
            yield _completion(answer, provider, batch="custom_id" in line)


def gemini_costs(session: dict[str, Any]) -> Iterator[float]:
    """Yield the cost of each answer in a session, from the metadata that Gemini sent."""
    config = _part(".llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini").VertexGeminiConfig
    for message in session["messages"]:
        tokens = message["tokens"]
        told = {
            "promptTokenCount": tokens["input"],
            "candidatesTokenCount": tokens["output"],
            "cachedContentTokenCount": tokens["cached"],
            "thoughtsTokenCount": tokens["thoughts"],
            "toolUsePromptTokenCount": tokens["tool"],
            "totalTokenCount": tokens["total"],
        }
        usage = config._calculate_usage({"usageMetadata": told})
        answer = _part().ModelResponse(model=message["model"], usage=usage)
        yield _cost(answer, message["model"], "gemini")


def _streamed(chunks: list[dict[str, Any]]) -> float:
    chunk_of = _part(".types.utils").ModelResponseStream
    answer = _part().stream_chunk_builder([chunk_of(**chunk) for chunk in chunks])
    return _cost(answer, chunks[0]["model"], "openai")


def _message(answer: dict[str, Any]) -> float:
    told = answer["usage"]
    config = _part(".llms.anthropic.chat.transformation").AnthropicConfig()
    usage = config.calculate_usage(told, None, completion_response=answer)
    if told.get("service_tier") == "batch":
        return _batch(usage, answer["model"], "anthropic")
    body = _part().ModelResponse(model=answer["model"], usage=usage)
    return _cost(body, answer["model"], "anthropic")


def _response(answer: dict[str, Any], tools: list[dict[str, Any]]) -> float:
    asked = {tool["type"]: tool for tool in tools if tool["type"] == "file_search"}
    params = _part(".types.utils").StandardBuiltInToolsParams(**asked) if asked else None
    body = _part(".types.llms.openai").ResponsesAPIResponse(**answer)
    more = {"call_type": "responses", "standard_built_in_tools_params": params}
    return _cost(body, answer["model"], "openai", **more)


def _completion(answer: dict[str, Any], provider: str, *, batch: bool) -> float:
    body = _part().ModelResponse(**answer)
    if provider == "perplexity":
        config = _part(".llms.perplexity.chat.transformation").PerplexityChatConfig()
        config._enhance_usage_with_perplexity_fields(body, answer)
    if batch:
        return _batch(body.usage, answer["model"], provider)
    return _cost(body, answer["model"], provider, service_tier=answer.get("service_tier"))


def _batch(usage: Any, model: str, provider: str) -> float:
    calculator = _part(".cost_calculator").batch_cost_calculator
    return float(sum(calculator(usage, model, custom_llm_provider=provider)))


def _cost(body: Any, model: str, provider: str, **more: Any) -> float:
    cost = _part().completion_cost(body, model=model, custom_llm_provider=provider, **more)
    return float(cost)


def _part(name: str = "") -> Any:
    """Return a module of LiteLLM, which is loaded when it is needed."""
    return importlib.import_module(f"litellm{name}")


def answer(format_: str, files: list[str]) -> dict[str, Any]:
    """Return the sum of the costs; None where any is unknown."""
    total = 0.0
    try:
        for file in files:
            text = Path(file).read_text(encoding="utf-8")
            if format_ == "gemini_cli":
                total += sum(gemini_costs(json.loads(text)))
            else:
                total += sum(costs([json.loads(line) for line in text.splitlines()]))
    except Exception as problem:
        if "mapped" not in str(problem):
            raise
        return {"cost_usd": None}
    return {"cost_usd": total}


def main() -> None:
    """Print the answer."""
    _, format_, _, _, *files = sys.argv
    with contextlib.redirect_stdout(sys.stderr):
        told = answer(format_, files)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
