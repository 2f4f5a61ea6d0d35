from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.agent_logs import CHILD, PARENT, count, line, meta, summed, text_of, turn, usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook

    Read = Callable[..., Any]


def output(thread: str, *totals: dict[str, int]) -> str:
    turns = [{"type": "turn.completed", "usage": total} for total in totals]
    return text_of([{"type": "thread.started", "thread_id": thread}, *turns])


def test_a_turn_used_what_the_threads_total_rose_by(read: Read) -> None:
    first, second = read("out.jsonl", output(PARENT, usage(100, 80, 5), usage(300, 180, 9)))[0]
    assert (first.input_tokens, first.cache_read_tokens, first.output_tokens) == (20, 80, 5)
    assert (second.input_tokens, second.cache_read_tokens, second.output_tokens) == (100, 100, 4)


def test_a_turn_begins_when_its_thread_did_and_its_model_is_unknown(read: Read) -> None:
    [record], _ = read("out.jsonl", output(PARENT, usage(100)))
    assert record.started_at_us == int(PARENT[:8] + PARENT[9:13], 16) * 1000
    assert record.origin.model == ""


def test_a_turn_without_a_time_is_refused_with_a_way_out(read: Read) -> None:
    records, [problem] = read("out.jsonl", output("run-7", usage(100)))
    assert (records, problem.what) == ([], "a turn of which no time is told")
    assert "add the thread's own log" in problem.hint


def test_another_thread_in_the_same_output_counts_from_nothing(read: Read) -> None:
    outputs = output(PARENT, usage(100)) + output(CHILD, usage(300))
    assert [each.input_tokens for each in read("out.jsonl", outputs)[0]] == [100, 300]


def test_a_total_that_is_printed_twice_is_one_turn(read: Read) -> None:
    [record], _ = read("out.jsonl", output(PARENT, usage(100), usage(100)))
    assert record.input_tokens == 100


def test_more_cached_than_input_is_refused(read: Read) -> None:
    _, [problem] = read("out.jsonl", output(PARENT, usage(100, 101)))
    assert problem.what == "cached_input_tokens exceed input_tokens"


@pytest.mark.parametrize("with_ids", [False, True], ids=["totals", "ids"])
def test_with_the_threads_own_log_a_turn_counts_once(
    tmp_path: Path, book: PriceBook, *, with_ids: bool
) -> None:
    at = "2025-09-02T10:00:00Z"
    calls = [usage(60, 0, 2), usage(160, 80, 5)]
    own = [meta(at, PARENT), turn(at)]
    for number, (total, used) in enumerate(zip(calls, (calls[0], usage(100, 80, 3)), strict=True)):
        own.append(count(at, total))
        if with_ids:
            told = f"resp_{number}0123456789abcdef"
            own.append(line("token_usage_record", at, response_id=told, usage=used))
    files = {"rollout.jsonl": text_of(own), "out.jsonl": output(PARENT, calls[1])}
    for number, order in enumerate((list(files), list(files)[::-1])):
        found = summed(tmp_path / str(number), book, files, order)
        assert (found.calls, found.input_tokens + found.cache_read_tokens) == (2, 160)
