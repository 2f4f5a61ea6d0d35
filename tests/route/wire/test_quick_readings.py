"""What is read in one go says what is read member by member says."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from tests.route.wire.asking import CHAT, EMBEDDINGS, MESSAGES, OTHER, compact

from clearbar.route.wire import reading
from clearbar.route.wire.asked import Asked, BadBody
from clearbar.route.wire.fields import FIELDS
from clearbar.route.wire.layout import layout_of
from clearbar.route.wire.metering import meter_for, whole_metered
from clearbar.route.wire.plain_answer import read_plain_answer
from clearbar.route.wire.plain_chat import read_plain_chat
from clearbar.route.wire.reading import read_body
from clearbar.route.wire.rewriting import rewrite
from clearbar.route.wire.told import Told
from clearbar.tools.wire import decoded
from clearbar.tools.wire_usage import as_object

NUMBERS = st.sampled_from([0, 1, 256, 10**7, 10**7 + 1, -1, 2.0, 2.5, True, None, "5"])
TEXTS = st.sampled_from(["", "gpt-5-mini", "gpt-4o-search-preview", "a b", "m" * 257, None, 7])
CONTENTS: st.SearchStrategy[Any] = st.sampled_from(
    [
        "hi",
        None,
        7,
        [{"type": "text", "text": "hi"}],
        [{"type": "image_url", "image_url": {}}],
        [{"type": "tool_result", "content": [{"type": "image"}]}],
    ]
)
MESSAGES_OF: st.SearchStrategy[Any] = st.lists(
    st.fixed_dictionaries(
        {"role": st.just("user"), "content": CONTENTS},
        optional={"audio": st.sampled_from([None, {"id": "a"}])},
    ),
    max_size=3,
) | st.sampled_from(["hi", None, {}])
TOOLS: st.SearchStrategy[Any] = st.sampled_from(
    [None, [], [{"type": "function"}], [{}], [{"type": "web_search"}], [{"type": 3}], "x"]
)
CHATS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"model": TEXTS, "messages": MESSAGES_OF},
    optional={
        "stream": st.sampled_from([True, False, None, 1]),
        "max_tokens": NUMBERS,
        "max_completion_tokens": NUMBERS,
        "tools": TOOLS,
        "temperature": st.just(0.2),
        "n": st.sampled_from([1, 3]),
        "user": st.just("somebody"),
        "Max_Tokens": st.just(1),
    },
)


def member_by_member(body: bytes) -> Asked:
    asked = Asked(layout=layout_of(body), input_tokens=len(body) + 32)
    assert asked.layout is not None
    reading._read_members(asked, asked.layout, FIELDS["chat"])
    if not asked.model:
        raise BadBody("the body names no model")
    asked.has_fees = asked.has_fees or "search" in asked.model
    return asked


def said(asked: Asked) -> dict[str, Any]:
    how = {"layout", "is_plain", "model_at"}
    return {name: getattr(asked, name) for name in asked.__struct_fields__ if name not in how}


@given(CHATS)
@example({"model": "m", "messages": [], "max_tokens": None, "max_completion_tokens": 5})
@example({"model": "m", "messages": [], "max_tokens": 9, "max_completion_tokens": 5})
@example({"model": "m", "messages": [], "tools": [{"type": "web_search"}]})
@example({"model": "gpt-4o-search-preview", "messages": []})
@example({"model": "m", "messages": [{"content": [{"type": "image_url"}]}]})
@example({"model": "m", "messages": [{"content": "hi", "audio": {"id": "a"}}]})
def test_a_chat_is_read_in_one_go_as_member_by_member(fields: dict[str, Any]) -> None:
    body = compact(fields)
    try:
        expected = said(member_by_member(body))
    except BadBody as error:
        expected = {"refused": error.message}
    try:
        found = said(read_body(CHAT, body))
    except BadBody as error:
        found = {"refused": error.message}
    assert found == expected


def test_the_usual_chat_is_read_in_one_go() -> None:
    body = compact({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True})
    assert read_plain_chat(layout_of(body), 1)


def _details(*names: str) -> list[dict[str, Any]]:
    counts = (0, 1, 5, 1.0, None)
    said = [dict.fromkeys((names[0], "audio_tokens"), count) for count in counts]
    return said + [{name: count} for name in names for count in counts]


USED = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
USAGE: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        {},
        7,
        {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
        {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 8},
        {"prompt_tokens": 3.0, "completion_tokens": 4, "total_tokens": 7},
        {"prompt_tokens": -3, "completion_tokens": 4, "total_tokens": 1},
        {"prompt_tokens": 3, "completion_tokens": True, "total_tokens": 4},
        {"prompt_tokens": 10**13, "completion_tokens": 4, "total_tokens": 10**13 + 4},
        *(
            {
                "prompt_tokens": 3,
                "completion_tokens": 4,
                "total_tokens": 7,
                "prompt_tokens_details": inputs,
                "completion_tokens_details": outputs,
            }
            for inputs in (None, {}, 7, *_details("cached_tokens", "cache_write_tokens"))
            for outputs in (None, {}, *_details("reasoning_tokens", "audio_tokens"))
        ),
        {"input_tokens": 3, "output_tokens": 4, "service_tier": "priority", "speed": "fast"},
    ]
)
NAMED: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "gpt-5-mini", "a text with blanks", 7, {"a": 1}]
)
REPLIES: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "id": NAMED,
        "model": NAMED,
        "type": st.sampled_from([None, "error", "message"]),
        "status": st.sampled_from([None, "failed", "completed"]),
        "service_tier": st.sampled_from([None, "default", "auto", "flex", 7]),
        "stop_reason": NAMED,
        "usage": USAGE,
        "error": st.sampled_from([None, {}, {"code": "x"}, "x", False]),
        "choices": st.sampled_from(
            [None, [], "x", [7], [{}], [{"finish_reason": "stop"}], [{"finish_reason": 7}, 7]]
        ),
    },
)


@given(
    REPLIES | st.sampled_from([[], "x", 7]), st.sampled_from([CHAT, MESSAGES, EMBEDDINGS, OTHER])
)
def test_a_reply_is_metered_in_one_go_as_field_by_field(reply: Any, operation: Any) -> None:
    body = compact(reply)
    meter = meter_for(operation, None, 200, b"application/json")
    assert meter.feed(body) + meter.finish() == body
    told = Told(operation)
    told.output_bytes = len(body)
    told.take(as_object(decoded(body)))
    told.complete = True
    assert meter.metered() == told.metered()
    assert whole_metered(operation, body) == told.metered()


@given(USAGE, st.sampled_from([None, "default", "flex"]), st.sampled_from([None, "stop", "a b"]))
@example(USED | {"prompt_tokens_details": {"cached_tokens": 2}}, None, "stop")
@example(USED | {"prompt_tokens_details": {"cached_tokens": 4}}, None, "stop")
@example(USED | {"prompt_tokens_details": {"cache_write_tokens": 0}}, None, "stop")
@example(USED | {"prompt_tokens_details": {"cache_write_tokens": 1}}, None, "stop")
@example(USED | {"completion_tokens_details": {"reasoning_tokens": 2}}, None, "stop")
@example(USED | {"completion_tokens_details": {"reasoning_tokens": 5}}, None, "stop")
@example(USED | {"completion_tokens_details": {"audio_tokens": 1}}, None, "stop")
def test_an_answer_without_an_error_is_metered_in_one_go_as_field_by_field(
    usage: Any, tier: str | None, finish: str | None
) -> None:
    reply = {"id": "c", "model": "m", "service_tier": tier, "usage": usage}
    body = compact(reply | {"choices": [{"finish_reason": finish}]})
    told = Told(CHAT)
    told.output_bytes = len(body)
    told.take(as_object(decoded(body)))
    told.complete = True
    assert whole_metered(CHAT, body) == told.metered()


def test_the_usual_answer_is_read_in_one_go() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    body = compact({"id": "c", "choices": [{"finish_reason": "stop"}], "usage": usage})
    assert read_plain_answer(body) == whole_metered(CHAT, body)


@given(CHATS, st.sampled_from(["other", "gpt-5-mini", 'a"b']), st.sampled_from([b"", b" ", b" \t"]))
def test_another_model_alone_is_put_in_as_among_other_changes(
    fields: dict[str, Any], model: str, before: bytes
) -> None:
    body = compact(fields)
    if before:
        body = body.replace(b',"', b"," + before + b'"').replace(b":", before + b":" + before, 1)
    try:
        asked = read_body(CHAT, body)
    except BadBody:
        return
    alone = rewrite(CHAT, body, asked, model=model, max_tokens=None, ask_usage=False, settings={})
    among = rewrite(
        CHAT, body, asked, model=None, max_tokens=None, ask_usage=False, settings={"model": model}
    )
    assert alone == (body if model == asked.model else among)
