"""A real model server, llama.cpp's, with a model that the test wrote, asked by our caller."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from tests.tools.tiny_gguf import write_tiny_gguf

from clearbar.tools.call import Caller
from clearbar.tools.endpoint import Endpoints
from clearbar.tools.tool import Answer, Failure, Request, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVE = """
import sys, xllamacpp
given = xllamacpp.CommonParams()
given.model.path, given.model_alias = sys.argv[1], {"tiny"}
given.hostnames, given.port = ["127.0.0.1"], 0
given.n_ctx, given.n_parallel, given.n_gpu_layers, given.warmup = 1024, 2, 0, False
server = xllamacpp.Server(given)
print("listening", server.listening_address, flush=True)
sys.stdin.read()
"""
REQUEST = Request("is it yes or no?", "the answer is a word")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("xllamacpp") is None, reason="xllamacpp is not installed"),
]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tool]:
    model = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_tiny_gguf(model)
    started = [sys.executable, "-c", SERVE, str(model)]
    with subprocess.Popen(
        started, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        said = (line.split() for line in server.stdout)
        address = next(words[1] for words in said if words and words[0] == "listening")
        settings = {"temperature": 0, "max_tokens": 12, "cache_prompt": False}
        yield Tool("tiny", "openai", model="tiny", url=f"{address}/v1", settings=settings)
        server.stdin.close()
        server.stdout.read()


def ask(tool: Tool, request: Request, folder: Path) -> Answer | Failure:
    async def once() -> Answer | Failure:
        async with Caller(folder, {}) as caller:
            return await caller.ask(tool, request)

    return asyncio.run(once())


def test_a_local_server_answers_with_text_and_counts_its_tokens(
    local: Tool, tmp_path: Path
) -> None:
    answer = ask(local, REQUEST, tmp_path)
    assert isinstance(answer, Answer)
    assert answer.text
    assert answer.model == "tiny"
    assert answer.stop_reason == "length"
    assert answer.usage is not None
    assert answer.usage.output_tokens == 12
    assert (answer.usage.input_tokens or 0) > 12
    assert answer.latency_ms is not None


def test_at_temperature_zero_it_says_the_same_twice(local: Tool, tmp_path: Path) -> None:
    first, second = ask(local, REQUEST, tmp_path), ask(local, REQUEST, tmp_path)
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert first.text == second.text
    assert first.upstream_id != second.upstream_id


def test_it_says_the_same_in_both_protocols(local: Tool, tmp_path: Path) -> None:
    chat = ask(local, REQUEST, tmp_path)
    message = ask(replace(local, kind="anthropic"), REQUEST, tmp_path)
    assert isinstance(chat, Answer)
    assert isinstance(message, Answer)
    assert (message.text, message.usage and message.usage.output_tokens) == (chat.text, 12)
    assert message.stop_reason == "max_tokens"


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_real_stream_folds_to_the_whole_answer(local: Tool, tmp_path: Path, kind: str) -> None:
    tool = replace(local, kind="anthropic" if kind == "anthropic" else "openai")

    async def streamed() -> Answer | Failure:
        endpoints = Endpoints({})
        try:
            return await endpoints.ask(tool, REQUEST, stream=True)
        finally:
            await endpoints.close()

    folded, whole = asyncio.run(streamed()), ask(tool, REQUEST, tmp_path)
    assert isinstance(folded, Answer)
    assert isinstance(whole, Answer)
    assert (folded.text, folded.stop_reason) == (whole.text, whole.stop_reason)
    assert folded.usage is not None
    assert whole.usage is not None
    assert folded.usage.output_tokens == whole.usage.output_tokens
    assert folded.usage.input_tokens == whole.usage.input_tokens


def test_tokens_that_the_server_had_in_its_cache_are_no_fresh_input(
    local: Tool, tmp_path: Path
) -> None:
    tool = replace(local, settings={**local.settings, "cache_prompt": True})
    answers = [ask(tool, Request("that is for the cache", "it is"), tmp_path) for _ in range(3)]
    usages = [each.usage for each in answers if isinstance(each, Answer)]
    totals = {(each.input_tokens or 0) + (each.cache_read_tokens or 0) for each in usages if each}
    assert len(totals) == 1
    assert usages[-1] is not None
    assert (usages[-1].cache_read_tokens or 0) > (usages[-1].input_tokens or 0)


def test_an_input_beyond_its_context_is_refused_and_not_tried_again(
    local: Tool, tmp_path: Path
) -> None:
    failure = ask(local, Request("no " * 5_000), tmp_path)
    assert isinstance(failure, Failure)
    assert (failure.retry, failure.status) == (False, 400)
    assert "too long" in failure.what
