"""The plug-in without LiteLLM: what it asks, what it says, and how it bears a bad network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.litellm_plugin.answers import failed_of, is_of_provider, meters_of, settled_of
from clearbar.litellm_plugin.requests import cap, input_tokens, wanted_of
from clearbar.route.operating.facts import HoldSettled, HoldWanted
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.sources import litellm

NOBODY = SimpleNamespace(metadata={}, team_metadata={}, user_id=None, team_alias=None, team_id=None)


def wanted(
    data: dict[str, Any],
    key: object = NOBODY,
    call_type: str = "acompletion",
    provider: str = "openai",
    workflow: str = "",
) -> HoldWanted:
    said = wanted_of(data, call_type, key, hold_id="h-1", model=("m", provider), workflow=workflow)
    return msgspec.convert(said, HoldWanted)


def test_importing_it_loads_neither_litellm_nor_anything_of_ours() -> None:
    code = (
        "import sys, clearbar.litellm_plugin.hooks;"
        "print([name for name in sys.modules if name.split('.')[0] in"
        " {'litellm', 'msgspec', 'httpx2'} or name.startswith('clearbar.')"
        " and not name.startswith('clearbar.litellm_plugin')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_it_has_nothing_but_its_handler() -> None:
    import clearbar.litellm_plugin as module

    with pytest.raises(AttributeError, match="nothing"):
        _ = module.nothing


def test_what_a_litellm_key_says_stands_before_what_the_request_says() -> None:
    key = SimpleNamespace(metadata={"clearbar_workflow": "of-the-key"}, team_metadata={})
    request = {"headers": {"X-Clearbar-Workflow": "of-the-header"}, "body": {}}
    assert wanted({"proxy_server_request": request}, key).workflow == "of-the-key"


def test_a_header_stands_before_metadata_and_metadata_before_the_default() -> None:
    body = {"metadata": {"clearbar_workflow": "m", "clearbar_run": "r-1"}}
    both = {"proxy_server_request": {"headers": {"x-clearbar-workflow": "h"}, "body": body}}
    assert wanted(both).workflow == "h"
    assert wanted(both).run == "r-1"
    only = {"proxy_server_request": {"headers": {}, "body": body}}
    assert wanted(only, workflow="d").workflow == "m"
    assert wanted({}, workflow="d").workflow == "d"


def test_the_smallest_limit_of_the_request_is_its_limit() -> None:
    data = {"max_tokens": 300, "max_completion_tokens": 200, "n": 3}
    assert (wanted(data).max_output_tokens, wanted(data).choices) == (200, 3)


@pytest.mark.parametrize(
    ("call_type", "provider", "operation"),
    [
        ("acompletion", "openai", "chat"),
        ("acompletion", "anthropic", "messages"),
        ("anthropic_messages", "anthropic", "messages"),
        ("aembedding", "openai", "embeddings"),
        ("atext_completion", "openai", "completions"),
        ("aresponses", "openai", "responses"),
    ],
)
def test_a_call_has_the_operation_that_its_provider_is_asked_for(
    call_type: str, provider: str, operation: str
) -> None:
    assert wanted({}, call_type=call_type, provider=provider).operation == operation


@given(st.text(max_size=200))
def test_no_text_has_more_tokens_than_are_held_for(text: str) -> None:
    data = {"messages": [{"role": "user", "content": text}]}
    assert input_tokens(data) >= len(text.encode("utf-8", "surrogatepass"))


def test_a_picture_counts_by_a_fixed_number_and_not_by_its_bytes() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:" + "x" * 900_000}}
    assert 20_000 <= input_tokens({"messages": [{"role": "user", "content": [picture]}]}) < 21_000


def test_a_document_of_text_counts_by_its_bytes() -> None:
    document = {"type": "document", "source": {"type": "text", "data": "x" * 900_000}}
    assert input_tokens({"messages": [{"content": [document]}]}) > 900_000


@given(
    data=st.dictionaries(
        st.sampled_from(["n", "user", "stream", "max_tokens", "service_tier", "messages"]),
        st.none() | st.booleans() | st.integers(-5, 10**12) | st.text() | st.lists(st.text()),
    )
)
def test_whatever_a_client_sends_the_admin_api_can_read_what_is_asked(data: dict[str, Any]) -> None:
    assert wanted(data).hold_id == "h-1"


def test_a_limit_is_lowered_where_it_is_named_and_set_where_it_is_not() -> None:
    named, none, responses = {"max_completion_tokens": 900}, {}, {}  # type: ignore[var-annotated]
    cap(named, "chat", 500)
    cap(none, "chat", 500)
    cap(responses, "responses", 500)
    assert (named, none, responses) == (
        {"max_completion_tokens": 500}, {"max_tokens": 500}, {"max_output_tokens": 500},
    )  # fmt: skip


def test_a_lower_limit_stays_and_embeddings_have_none() -> None:
    low, embedded = {"max_tokens": 10}, {}  # type: ignore[var-annotated]
    cap(low, "chat", 500)
    cap(embedded, "embeddings", 500)
    assert (low, embedded) == ({"max_tokens": 10}, {})


_counts = st.none() | st.integers(0, 50)
_usages = st.fixed_dictionaries(
    {
        "prompt_tokens": _counts,
        "completion_tokens": _counts,
        "cache_read_input_tokens": _counts,
        "cache_creation_input_tokens": _counts,
        "prompt_tokens_details": st.fixed_dictionaries(
            {"cached_tokens": _counts, "audio_tokens": _counts}
        ),
        "completion_tokens_details": st.fixed_dictionaries(
            {"reasoning_tokens": _counts, "audio_tokens": _counts}
        ),
    }
)


@given(_usages)
def test_its_meters_are_those_that_the_ledger_reads_from_litellms_own_log(
    usage: dict[str, Any],
) -> None:
    row = {name: usage[name] for name in ("prompt_tokens", "completion_tokens")}
    try:
        told = litellm._meters(row, usage)
    except QuarantineError:
        return
    assert meters_of(usage) == {name: count for name, count in told.items() if count is not None}


def test_usage_that_does_not_add_up_is_not_reported() -> None:
    assert meters_of({"prompt_tokens": 5, "cache_read_input_tokens": 9}) == {}


def test_an_answer_from_litellms_cache_is_released() -> None:
    assert settled_of({"cache_hit": True}) is None


def test_times_and_ids_are_those_of_litellms_log() -> None:
    told = {
        "id": "chatcmpl-1", "model": "gpt-4o-mini", "startTime": 10.0, "completionStartTime": 10.2,
        "endTime": 11.5, "metadata": {"usage_object": {"prompt_tokens": 4}},
    }  # fmt: skip
    said = msgspec.convert(settled_of({"standard_logging_object": told}), HoldSettled)
    assert (said.first_byte_ms, said.latency_ms, said.upstream_id) == (200, 1500, "chatcmpl-1")
    assert said.usage == {"input_tokens": 4}


class ProviderError(Exception):
    llm_provider = "openai"
    status_code: int | None = 429


def test_a_refusal_of_the_provider_has_its_status() -> None:
    assert failed_of(ProviderError()) == {"outcome": "error", "status": 429}


def test_a_connection_that_was_refused_is_certain_never_to_have_left() -> None:
    error = ProviderError()
    error.__cause__ = ConnectionRefusedError()
    assert failed_of(error) is None


def test_a_timeout_may_have_been_billed() -> None:
    timeout = type("Timeout", (ProviderError,), {"status_code": 408})
    assert failed_of(timeout()) == {"outcome": "cut", "status": 0}


def test_an_error_around_the_call_is_not_the_providers() -> None:
    assert is_of_provider(ProviderError())
    assert not is_of_provider(ValueError())


def test_a_chain_of_causes_that_bites_its_tail_ends() -> None:
    first, second = ProviderError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert failed_of(first) == {"outcome": "error", "status": 429}


def test_the_package_holds_no_secret_default() -> None:
    folder = Path(str(litellm.__file__)).parents[2] / "litellm_plugin"
    assert all("sk-" not in path.read_text() for path in folder.glob("*.py"))
