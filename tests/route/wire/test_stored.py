"""What a request does with objects that lie at the provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clearbar.route.wire.operation import operation_of
from clearbar.route.wire.reading import read_body
from clearbar.route.wire.stored import NONE, Use, hashed, keeps_answer, told_by, use_of

JSON = [(b"content-type", b"application/json")]


def use(method: str, path: str, said: object = None) -> Use:
    operation = operation_of(method, path, JSON)
    body = b"" if said is None else json.dumps(said).encode()
    return use_of(method, operation, read_body(operation, body) if body else None, body)


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("GET", "/v1/files/file-1", "file-1"),
        ("GET", "/v1/files/file-1/content", "file-1"),
        ("DELETE", "/v1/files/file-1", "file-1"),
        ("GET", "/openai/v1/responses/resp_1/input_items", "resp_1"),
        ("POST", "/v1/responses/resp_1/cancel", "resp_1"),
        ("GET", "/v1/Files/file-1", "file-1"),
        ("GET", "/v1/fine_tuning/jobs/ftjob-1/events", "ftjob-1"),
        ("POST", "/v1/threads/thread_1/messages", "thread_1"),
        ("GET", "/v1/chat/completions/chatcmpl-1", "chatcmpl-1"),
        ("GET", "/anthropic/v1/messages/batches/msgbatch_1/results", "msgbatch_1"),
        ("DELETE", "/v1/models/ft:gpt-5:org::1", "ft:gpt-5:org::1"),
    ],
)
def test_an_id_stands_behind_the_name_of_a_collection(method: str, path: str, named: str) -> None:
    found = use(method, path)
    assert found.named == {named}
    assert not found.lists


@pytest.mark.parametrize(
    "path",
    ["/v1/files", "/v1/files/", "/v1/batches", "/v1/fine_tuning/jobs", "/v1/chat/completions",
     "/anthropic/v1/messages/batches", "/v1/assistants"],
)  # fmt: skip
def test_without_an_id_all_that_there_are_are_listed(path: str) -> None:
    assert use("GET", path) == Use(lists=True, makes=True)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/gpt-5", "/v1/health", "/metrics", "/"])
def test_what_is_no_collection_names_nothing(path: str) -> None:
    assert use("GET", path) == NONE


def test_a_model_of_another_api_is_no_object() -> None:
    assert use("POST", "/v1/models/other:generate", {"contents": []}) == NONE


def test_an_action_with_a_body_makes_objects_and_names_those_in_it() -> None:
    found = use("POST", "/v1/batches", {"input_file_id": "file-1", "endpoint": "/v1/responses"})
    assert found == Use(makes=True, named=frozenset({"file-1"}))
    assert use("POST", "/v1/threads/runs", {"assistant_id": "asst_1"}).named == {"asst_1"}


def keeps(path: str, **more: object) -> bool:
    operation = operation_of("POST", path, JSON)
    asked = read_body(operation, json.dumps({"model": "gpt-5"} | more).encode())
    return keeps_answer(operation.name, asked)


def test_an_answer_of_the_responses_api_is_kept_unless_the_request_says_otherwise() -> None:
    assert keeps("/v1/responses", input="hi")
    assert not keeps("/v1/responses", input="hi", store=False)
    assert not keeps("/v1/chat/completions", messages=[])
    assert use("POST", "/v1/responses", {"model": "gpt-5", "input": "hi"}) == NONE


def test_a_chat_is_an_object_where_the_request_says_so() -> None:
    asked: dict[str, Any] = {"model": "gpt-5", "messages": []}
    assert use("POST", "/v1/chat/completions", asked) == NONE
    assert use("POST", "/v1/chat/completions", asked | {"store": True}) == Use(makes=True)


def test_tools_of_the_provider_may_make_files() -> None:
    tools = [{"type": "code_interpreter", "container": {"type": "auto"}}]
    asked = {"model": "gpt-5", "input": "hi", "tools": tools}
    assert use("POST", "/v1/responses", asked) == Use(makes=True)


def test_a_name_in_other_signs_is_found_as_well() -> None:
    body = (
        rb'{"model":"gpt-5","input":[{"role":"user","content":'
        rb'[{"type":"input_file","file\u005fid":"file-1"}]}]}'
    )
    operation = operation_of("POST", "/v1/responses", JSON)
    assert use_of("POST", operation, read_body(operation, body), body).named == {"file-1"}


def test_a_picture_in_the_body_refers_to_nothing() -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    asked = {"model": "gpt-5", "input": [{"role": "user", "content": [picture]}]}
    assert use("POST", "/v1/responses", asked) == NONE


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"previous_response_id": "resp_1"}, {"resp_1"}),
        ({"conversation": "conv_1"}, {"conv_1"}),
        ({"conversation": {"id": "conv_1"}}, {"conv_1"}),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]},
         {"file-1"}),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]}]},
         {"vs_1", "vs_2"}),
        ({"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, {"cntr_1"}),
        ({"tools": [{"type": "code_interpreter",
                     "container": {"type": "auto", "file_ids": ["file-1"]}}]}, {"file-1"}),
        ({"previous_response_id": None}, set()),
    ],
)  # fmt: skip
def test_a_request_names_what_its_input_refers_to(more: dict[str, Any], named: set[str]) -> None:
    asked = {"model": "gpt-5", "input": "hi", "store": False} | more
    assert use("POST", "/v1/responses", asked).named == named


def test_a_message_names_files_but_not_the_skills_of_the_provider() -> None:
    document = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    skills = [
        {"type": "anthropic", "skill_id": "pptx"},
        {"type": "custom", "skill_id": "skill_1"},
    ]
    asked = {
        "model": "claude-haiku-4-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": [document]}],
        "container": {"skills": skills},
    }
    assert use("POST", "/v1/messages", asked).named == {"file_1", "skill_1"}


def test_what_a_client_notes_for_itself_names_nothing() -> None:
    asked = {"name": "x", "metadata": {"file_id": "file-1"}}
    assert use("POST", "/v1/vector_stores", asked).named == set()


def test_a_reply_tells_of_its_own_id_and_of_what_belongs_to_it() -> None:
    batch = {"id": "batch_1", "object": "batch", "output_file_id": "file-2", "input_file_id": None}
    assert told_by(json.dumps(batch).encode()) == {"batch_1", "file-2"}
    assert told_by(b"no JSON") == frozenset()
    assert told_by(b'["a"]') == frozenset()


def test_what_a_reply_repeats_of_a_client_is_not_its_own() -> None:
    reply = {"id": "resp_1", "metadata": {"file_id": "file-of-others"}}
    assert told_by(json.dumps(reply).encode()) == {"resp_1"}


def test_a_body_that_names_too_many_is_not_looked_through() -> None:
    asked = {"name": "x", "file_ids": [f"file-{number}" for number in range(1001)]}
    assert use("POST", "/v1/vector_stores", asked).too_many


def test_a_deep_body_breaks_nothing() -> None:
    assert told_by(b"[" * 50_000) == frozenset()
    assert told_by(b'{"id":"a","b":' + b"[" * 500 + b"]" * 500 + b"}") == {"a"}


def test_hashes_tell_protocols_apart_and_no_id() -> None:
    assert hashed("openai", "file-1") != hashed("anthropic", "file-1")
    assert "file-1" not in hashed("openai", "file-1")
