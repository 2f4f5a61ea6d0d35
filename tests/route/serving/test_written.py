"""Of a stream that is cut, what the model has written is estimated from whole streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.route import lines
from tests.route.serving.gateway import charges, gateway, toml
from tests.tools.upstream import Fault, Upstream

from clearbar.route.serving.costing import BYTES_A_TOKEN
from clearbar.route.serving.written import Written
from clearbar.route.wire.told import Metered

if TYPE_CHECKING:
    from pathlib import Path

STREAM = lines.held(stream=True, model="gpt-5")
CUT = Metered(None, output_bytes=400)


def whole(tokens: int, shown: int) -> Metered:
    return Metered({"output_tokens": tokens}, complete=True, output_bytes=shown)


def learnt(*streams: Metered, **more: Any) -> float:
    written = Written()
    for each in streams:
        written.scale(STREAM, "ok", each)
    return written.scale(lines.held(**({"stream": True, "model": "gpt-5"} | more)), "cut", CUT)


def test_where_nothing_is_known_what_was_seen_counts() -> None:
    assert learnt() == 1.0


def test_hidden_reasoning_counts_as_in_whole_streams() -> None:
    shown = 100 * BYTES_A_TOKEN
    assert learnt(whole(300, shown), whole(500, shown)) == pytest.approx(4.0)


@pytest.mark.parametrize("more", [{"model": "gpt-5-mini"}, {"tool": "big"}, {"stream": False}])
def test_another_model_tool_or_manner_tells_nothing(more: dict[str, Any]) -> None:
    assert learnt(whole(300, 400), **more) == 1.0


def test_the_scale_is_never_absurd() -> None:
    assert learnt(whole(10**9, 1)) == 100
    assert learnt(whole(1, 10**9)) == 0.25


def test_newer_streams_count_more() -> None:
    old, new = [whole(2**20, 2**22)] * 4, [whole(4 * 2**20, 2**22)] * 4
    assert learnt(*old) == pytest.approx(1.0)
    assert learnt(*old, *new) > 3


def test_a_stream_that_failed_teaches_nothing() -> None:
    written = Written()
    written.scale(STREAM, "error", whole(400, 100))
    assert written.scale(STREAM, "cut", CUT) == 1.0


def test_a_stream_that_is_cut_is_charged_with_what_such_streams_hide(tmp_path: Path) -> None:
    upstream = Upstream(
        lambda _: "one two three four",
        faults=lambda asked: Fault("truncated") if asked.prompt == "cut" else None,
        usage=lambda *_: {"prompt_tokens": 5, "completion_tokens": 90, "total_tokens": 95},
    )
    with upstream, gateway(tmp_path, toml(upstream.url)) as (running, key):
        for prompt in ("hi", "hi", "cut"):
            messages = [{"role": "user", "content": prompt}]
            running.chat(key, messages=messages, stream=True, headers={"x-clearbar-task": prompt})
        found = [each for each in charges(tmp_path) if each["task_id"] == "cut"]
    assert [each["basis"] for each in found] == ["estimated"]
    assert 20 < found[0]["output_tokens"] <= 90
