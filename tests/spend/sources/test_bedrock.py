from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.spend.files.source_file import HEAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.spend.charge import Record

    Read = Callable[..., Any]

ROLE = "arn:aws:sts::111122223333:assumed-role"


def call(**changes: Any) -> dict[str, Any]:
    return {
        "schemaType": "ModelInvocationLog",
        "timestamp": "2026-10-05T09:14:00Z",
        "accountId": "111122223333",
        "identity": {"arn": f"{ROLE}/claims/i-01"},
        "requestId": "r-1",
        "modelId": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "input": {"inputTokenCount": 120},
        "output": {"outputTokenCount": 40},
    } | changes


def one(read: Read, **changes: Any) -> Record:
    records, problems = read("log.json", json.dumps(call(**changes)) + "\n")
    assert problems == []
    return records[0]  # type: ignore[no-any-return]


def test_cached_tokens_stand_beside_the_input(read: Read) -> None:
    given = {
        "inputTokenCount": 5,
        "cacheReadInputTokenCount": 128955,
        "cacheWriteInputTokenCount": 1253,
    }
    record = one(read, input=given)
    assert (record.input_tokens, record.cache_read_tokens, record.cache_write_tokens) == (
        5,
        128955,
        1253,
    )


@pytest.mark.parametrize(
    "usage",
    [
        {"cacheDetails": [{"ttl": "5m", "inputTokens": 1000}, {"ttl": "1h", "inputTokens": 253}]},
        {
            "cache_creation": {
                "ephemeral_5m_input_tokens": 1000,
                "ephemeral_1h_input_tokens": 253,
            }
        },
    ],
)
def test_how_long_a_written_cache_lives_is_told_in_the_body_only(
    read: Read, usage: dict[str, Any]
) -> None:
    given = {"inputTokenCount": 5, "cacheWriteInputTokenCount": 1300}
    record = one(read, input=given, output={"outputBodyJson": {"usage": usage}})
    assert record.cache_write_5m_tokens == 1000
    assert record.cache_write_1h_tokens == 253
    assert record.cache_write_tokens == 47


def test_the_last_of_a_streams_events_counts(read: Read) -> None:
    events = [
        {"type": "message_start", "message": {"id": "msg_bdrk_1", "model": "m", "usage": {}}},
        {"type": "message_delta", "usage": {"cache_read_input_tokens": 7}},
        {"type": "message_delta", "usage": {"cache_read_input_tokens": 9}},
    ]
    record = one(read, output={"outputTokenCount": 1, "outputBodyJson": events})
    assert (record.cache_read_tokens, record.aliases) == (9, "upstream:msg_bdrk_1")


@pytest.mark.parametrize(
    ("model_id", "model"),
    [
        ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-v1:0", "amazon.nova-v1:0"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.n-v1:0", "us.amazon.n-v1:0"),
        ("arn:aws:bedrock:us-east-1:1:provisioned-model/abc", "abc"),
    ],
)
def test_a_model_may_be_named_by_an_arn(read: Read, model_id: str, model: str) -> None:
    assert one(read, modelId=model_id).origin.model == model


def test_an_applications_profile_names_no_model_but_the_answer_may(read: Read) -> None:
    profile = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"
    body = {"model": "claude-haiku-4-5", "id": "msg_bdrk_1"}
    record = one(read, modelId=profile, output={"outputTokenCount": 1, "outputBodyJson": body})
    assert record.origin.model == "claude-haiku-4-5"
    assert "profile=application-inference-profile/abc" in record.origin.labels


@pytest.mark.parametrize(
    ("arn", "principal", "session"),
    [
        (f"{ROLE}/claims/i-01", "claims", "i-01"),
        (f"{ROLE}/AWSReservedSSO_Analyst_0a/support-lead", "support-lead", "support-lead"),
        (f"{ROLE}/any/support-lead@example.com", "support-lead@example.com", None),
        ("arn:aws:iam::111122223333:user/batch/nightly", "nightly", ""),
        ("arn:aws:iam::111122223333:root", "root", ""),
        ("", "", ""),
    ],
)
def test_the_caller_is_a_role_or_the_person_behind_it(
    read: Read, arn: str, principal: str, session: str | None
) -> None:
    record = one(read, identity={"arn": arn})
    assert record.origin.principal == principal
    assert record.session_id == (principal if session is None else session)


def test_a_callers_metadata_is_labels_but_ids_are_not(read: Read) -> None:
    metadata = {"team": "claims", "traceId": "t-1", "session_id": "s-1", "requestId": "x"}
    record = one(read, requestMetadata=metadata)
    assert record.origin.labels == "|team=claims|"
    assert (record.trace_id, record.session_id) == ("t-1", "s-1")


def test_the_account_that_called_is_a_bills_sub_account(read: Read) -> None:
    origin = one(read).origin
    assert (origin.account, origin.project) == ("", "111122223333")


def test_a_call_that_failed_is_an_error_without_usage(read: Read) -> None:
    record = one(read, errorCode="ThrottlingException", input={}, output={})
    assert (record.status, record.usage, record.input_tokens) == ("error", "missing", None)


def test_the_text_of_question_and_answer_is_not_kept(read: Read) -> None:
    body = {"content": [{"text": "secret"}], "usage": {"inputTokens": 5}}
    record = one(
        read,
        input={"inputTokenCount": 5, "inputBodyJson": {"prompt": "secret"}},
        output={"outputTokenCount": 1, "outputBodyJson": body},
    )
    assert "secret" not in repr(record)


def test_a_first_line_longer_than_a_files_head_is_read(read: Read) -> None:
    long = call(input={"inputTokenCount": 5, "inputBodyJson": {"prompt": "x" * HEAD_BYTES}})
    lines = f"{json.dumps(long)}\n{json.dumps(call(requestId='r-2'))}\n"
    records, problems = read("log.json", lines)
    assert ([record.upstream_id for record in records], problems) == (["r-1", "r-2"], [])


def test_an_export_of_the_log_group_holds_it_as_text(read: Read) -> None:
    events = {"events": [{"message": json.dumps(call())}, {"message": json.dumps(call())}]}
    records, problems = read("events.json", json.dumps(events))
    assert ({record.upstream_id for record in records}, problems) == ({"r-1"}, [])


@pytest.mark.parametrize(
    "broken",
    [
        {"requestId": ""},
        {"modelId": None},
        {"input": {"inputTokenCount": -1}},
        {"input": {"inputTokenCount": 1.5}},
        {"timestamp": "yesterday"},
        {"requestMetadata": "{broken"},
    ],
)
def test_what_does_not_add_up_is_kept_out(read: Read, broken: dict[str, Any]) -> None:
    records, problems = read("log.jsonl", json.dumps(call(**broken)))
    assert (len(records), len(problems)) == (0, 1)
