from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.agent_logs import (
    CHILD,
    GRANDCHILD,
    PARENT,
    count,
    line,
    meta,
    summed,
    text_of,
    together,
    turn,
    usage,
)

from clearbar.core.errors import Problem
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import codex

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook

    Read = Callable[..., Any]

START = [meta("2026-09-14T08:00:00Z", "thread-a"), turn("2026-09-14T08:00:01Z")]


def records(read: Read, *lines: Any, name: str = "rollout.jsonl") -> Any:
    found, problems = read(name, text_of([*START, *lines]))
    assert problems == []
    return found


def at(minute: int) -> str:
    return f"2026-09-14T09:{minute:02d}:00Z"


def test_the_running_total_rises_by_what_a_call_used(read: Read) -> None:
    first, second = records(
        read, count(at(1), usage(1000, 400, 50, 20)), count(at(2), usage(2500, 1300, 90, 30))
    )
    assert (first.input_tokens, first.cache_read_tokens, first.output_tokens) == (600, 400, 50)
    assert (second.input_tokens, second.cache_read_tokens) == (600, 900)
    assert (second.output_tokens, second.reasoning_tokens) == (40, 10)


def test_an_event_that_is_written_again_adds_nothing(read: Read) -> None:
    [record] = records(read, *(count(at(n), usage(3000, 0, 300)) for n in range(1, 7)))
    assert (record.input_tokens + record.output_tokens, record.lines) == (3300, 6)


def test_what_the_event_calls_the_last_call_is_not_added(read: Read) -> None:
    _, second = records(
        read,
        count(at(1), usage(1000), usage(1000)),
        count(at(2), usage(5000), usage(3000)),
    )
    assert second.input_tokens == 4000


def test_a_total_that_falls_began_anew(read: Read) -> None:
    found = records(read, *(count(at(n), usage(total)) for n, total in enumerate((900, 2000, 300))))
    assert [each.input_tokens for each in found] == [900, 1100, 300]


def test_the_same_total_after_a_new_beginning_is_another_call(read: Read) -> None:
    totals = (900, 2000, 900, 2000)
    found = records(
        read,
        *(count(at(n), usage(t), usage(900 if t == 900 else 1100)) for n, t in enumerate(totals)),
    )
    assert sum(each.input_tokens for each in found) == 4000
    assert len({each.identity for each in found}) == 4


def test_an_earlier_event_out_of_order_is_no_new_beginning(read: Read) -> None:
    found = records(
        read,
        count(at(1), usage(1000), usage(1000)),
        count(at(2), usage(3000), usage(2000)),
        count(at(3), usage(5000), usage(2000)),
        count(at(3), usage(3000), usage(2000)),
        count(at(4), usage(6000), usage(1000)),
    )
    assert [each.input_tokens for each in found] == [1000, 2000, 2000, 1000]


def test_after_a_step_back_the_call_is_added_to_the_earlier_total(read: Read) -> None:
    found = records(
        read,
        count(at(1), usage(1000), usage(1000)),
        count(at(2), usage(3000), usage(2000)),
        count(at(3), usage(1000), usage(2000)),
        count(at(4), usage(3500), usage(2500)),
    )
    assert [each.input_tokens for each in found] == [1000, 2000, 2500]


def test_a_step_back_between_events_is_no_new_beginning(read: Read) -> None:
    found = records(
        read,
        count(at(1), usage(1000), usage(1000)),
        count(at(2), usage(3000), usage(2000)),
        count(at(4), usage(2500), usage(1500)),
    )
    assert [each.input_tokens for each in found] == [1000, 2000, 1500]


def test_a_full_context_window_only_begins_the_count_anew(read: Read) -> None:
    full = {**usage(0), "total_tokens": 272_000}
    first, second = records(
        read, count(at(1), usage(1000)), count(at(2), full), count(at(3), usage(1500))
    )
    assert (first.input_tokens, second.input_tokens) == (1000, 1500)


def test_a_count_without_figures_only_tells_of_limits(read: Read) -> None:
    limits = line(
        "event_msg", at(1), type="token_count", info=None, rate_limits={"plan_type": "plus"}
    )
    [record] = records(read, limits, count(at(2), usage(10)))
    assert "|plan=plus|" in record.origin.labels


def test_a_part_that_exceeds_its_whole_is_refused_and_the_next_total_holds_all(read: Read) -> None:
    lines = [*START, count(at(1), usage(100, 101)), count(at(2), usage(300, 200))]
    [record], [problem] = read("rollout.jsonl", text_of(lines))
    assert problem.what == "cached_input_tokens exceed input_tokens"
    assert (record.input_tokens, record.cache_read_tokens) == (100, 200)


def test_the_model_is_that_of_the_latest_turn(read: Read) -> None:
    first, second = records(
        read, count(at(1), usage(1)), turn(at(2), "gpt-5-mini"), count(at(3), usage(3))
    )
    assert (first.origin.model, second.origin.model) == ("gpt-5.2-codex", "gpt-5-mini")


def test_a_model_that_no_line_tells_stays_unknown(read: Read) -> None:
    [record], _ = read("rollout.jsonl", text_of([START[0], count(at(1), usage(1))]))
    assert record.origin.model == ""


def test_the_tier_that_was_asked_for_is_not_the_tier_served(read: Read) -> None:
    settings = {"service_tier": "priority"}
    asked = line("event_msg", at(1), type="thread_settings_applied", thread_settings=settings)
    [record] = records(read, asked, count(at(2), usage(1)))
    assert (record.service_tier, "|tier_asked=priority|" in record.origin.labels) == ("", True)


def test_words_of_a_conversation_that_look_like_events_are_none(read: Read) -> None:
    said = line("event_msg", at(1), type="agent_message", message='{"type":"token_count"}', info=7)
    odd = line("response_item", at(1), type="token_count", info={"total_token_usage": usage(9)})
    assert records(read, said, odd) == []


def test_a_record_of_usage_and_its_echo_are_one_call_whichever_comes_first(read: Read) -> None:
    def told(response: str) -> Any:
        return line("token_usage_record", at(2), response_id=response, usage=usage(100, 0, 5))

    for lines in ((told("resp_a"), count(at(2), usage(100, 0, 5))),):
        for order in (lines, lines[::-1]):
            [record] = records(read, *order, told("resp_a"))
            assert (record.identity, record.lines) == ("upstream:resp_a", 3)
            assert record.aliases == "client:codex:thread-a:100:0:5"


def test_a_compaction_that_the_running_total_leaves_out_is_a_call(read: Read) -> None:
    compaction = line("token_usage_record", at(2), response_id="resp_c", usage=usage(9000))
    found = records(read, count(at(1), usage(100)), compaction, count(at(3), usage(100)))
    assert [each.input_tokens for each in found] == [100, 9000]


def test_a_record_of_usage_without_an_id_is_refused(read: Read) -> None:
    _, [problem] = read("rollout.jsonl", text_of([*START, line("token_usage_record", at(1))]))
    assert problem.what == "a usage without its counts or without an id"


def test_half_characters_of_cut_texts_do_not_hide_an_event(read: Read) -> None:
    event = text_of([{**count(at(1), usage(5)), "cut": "x"}]).replace('"x"', '"\\ud83d"')
    [record], problems = read("rollout.jsonl", text_of(START) + event)
    assert (record.input_tokens, problems) == (5, [])


def test_the_name_of_the_file_tells_the_thread_where_no_line_does(read: Read) -> None:
    [record], _ = read(
        f"rollout-2026-09-14T08-00-00-{CHILD}.jsonl", text_of([count(at(1), usage(5))])
    )
    assert record.session_id == CHILD


def copied(lines: list[Any], moment: str) -> list[Any]:
    return [{**each, "timestamp": moment} for each in lines]


PARENT_LINES = [
    meta("2026-09-14T08:00:00Z", "thread-p"),
    turn("2026-09-14T08:00:01Z"),
    count("2026-09-14T08:01:00Z", usage(1000, 0, 10)),
    count("2026-09-14T08:02:00Z", usage(3000, 0, 30)),
]


def fork(thread: str, *own: Any, parent: list[Any] = PARENT_LINES, of: str = "thread-p") -> str:
    begun = meta("2026-09-14T09:00:00Z", thread, forked_from_id=of)
    return text_of([begun, *copied(parent, "2026-09-14T09:00:00.200Z"), *own])


FAMILY = {
    "parent.jsonl": text_of([*PARENT_LINES, count(at(30), usage(4000, 0, 40))]),
    "fork_1.jsonl": fork("thread-1", count(at(5), usage(3700, 0, 37))),
    "fork_2.jsonl": fork("thread-2", count(at(9), usage(3700, 0, 37))),
}


@pytest.mark.parametrize("order", list(permutations(FAMILY))[::3], ids="-".join)
def test_a_fork_counts_what_is_its_own_whatever_order_the_files_are_read_in(
    order: tuple[str, ...], tmp_path: Path, book: PriceBook
) -> None:
    found = summed(tmp_path, book, FAMILY, order)
    # 1000, 2000 and 1000 of the parent, 700 of each fork: equal totals of two forks are two calls.
    assert (found.calls, found.input_tokens, found.output_tokens) == (5, 5400, 54)


def test_forks_whose_parent_is_gone_hold_its_calls_once(tmp_path: Path) -> None:
    found = together(tmp_path, {name: FAMILY[name] for name in ("fork_1.jsonl", "fork_2.jsonl")})
    assert sorted(each.input_tokens or 0 for each in found) == [700, 700, 1000, 2000]


def test_the_parents_own_telling_of_its_calls_goes_before(tmp_path: Path) -> None:
    for files in (FAMILY, dict(reversed(FAMILY.items()))):
        first = min(together(tmp_path, files), key=lambda record: record.started_at_us)
        assert (first.started_at_us, first.final) == (1_789_372_860_000_000, 2)


def test_a_fork_that_keeps_the_times_of_its_parent_is_known_by_them(tmp_path: Path) -> None:
    kept = [meta("2026-09-14T09:00:00Z", "thread-k", forked_from_id="thread-p"), *PARENT_LINES]
    files = {"parent.jsonl": text_of(PARENT_LINES), "kept.jsonl": text_of(kept)}
    assert len(together(tmp_path, files)) == 2


def test_an_archived_copy_is_the_same_thread(tmp_path: Path) -> None:
    name = f"2026/09/14/rollout-2026-09-14T08-00-00-{PARENT}.jsonl"
    content = text_of(PARENT_LINES)
    files = {f"sessions/{name}": content, f"archived_sessions/{name}": content}
    assert len(together(tmp_path, files)) == 2


def test_a_fork_that_only_goes_on_from_its_parents_total_used_its_last_call(read: Read) -> None:
    begun = meta("2026-09-14T09:00:00Z", "thread-1", parent_thread_id="thread-p")
    own = [
        count(at(5), usage(90_000, 0, 900), usage(2000, 0, 50)),
        count(at(6), usage(91_000, 0, 910)),
    ]
    first, second = read("rollout.jsonl", text_of([begun, turn(at(4)), *own]))[0]
    assert (first.input_tokens, second.input_tokens) == (2000, 1000)


def own_turn(thread: str, moment: str) -> list[Any]:
    """Return a turn that begins a second after its thread was made."""
    turn_id = thread[:9] + "03e8" + thread[13:]
    return [turn(moment, turn_id=turn_id)]


def generations() -> dict[str, str]:
    parent = [meta(at(1), PARENT), *own_turn(PARENT, at(1)), count(at(2), usage(1000), usage(1000))]
    child = [
        meta(at(10), CHILD, forked_from_id=PARENT, session_id=PARENT),
        *copied(parent, at(10)),
        *own_turn(CHILD, at(10)),
        count(at(10), usage(1600), usage(600)),
    ]
    grandchild = [
        meta(at(20), GRANDCHILD, forked_from_id=CHILD, session_id=PARENT),
        *copied(child, at(20)),
        *own_turn(GRANDCHILD, at(20)),
        count(at(20), usage(1900), usage(300)),
    ]
    files = {"parent": parent, "child": child, "grandchild": grandchild}
    return {f"{name}.jsonl": text_of(lines) for name, lines in files.items()}


@pytest.mark.parametrize("gone", ["", "parent.jsonl", "child.jsonl"])
def test_a_fork_of_a_fork_counts_each_call_once_whichever_files_are_left(
    gone: str, tmp_path: Path
) -> None:
    files = {name: text for name, text in generations().items() if name != gone}
    found = together(tmp_path, files)
    assert sorted(each.input_tokens or 0 for each in found) == [300, 600, 1000]


def test_a_subagent_that_counts_from_nothing_is_its_own(read: Read) -> None:
    parent = [*own_turn(PARENT, at(1)), count(at(2), usage(1000), usage(1000))]
    lines = [
        meta(at(10), CHILD, source={"subagent": {"thread_spawn": {"parent_thread_id": PARENT}}}),
        *copied(parent, at(10)),
        *own_turn(CHILD, at(10)),
        count(at(11), usage(1500), usage(1500)),
    ]
    first, second = read("rollout.jsonl", text_of(lines))[0]
    assert (first.session_id, second.session_id) == (PARENT, CHILD)
    assert (second.input_tokens, "|agent=subagent|" in second.origin.labels) == (1500, True)


def test_two_subagents_with_equal_first_calls_are_two(tmp_path: Path) -> None:
    files = {}
    for name in ("a", "b"):
        thread = CHILD[:-1] + name
        begun = meta(at(10), thread, parent_thread_id=PARENT)
        own = [*own_turn(thread, at(10)), count(at(10), usage(700), usage(700))]
        files[f"{name}.jsonl"] = text_of([begun, *own])
    assert len(together(tmp_path, files)) == 2


def unnamed(day: str, calls: int, *, step: int = 100) -> str:
    counts = [count(f"{day}T08:{n:02d}:00Z", usage(step * n, 0, n)) for n in range(1, calls + 1)]
    return text_of([turn(f"{day}T08:00:00Z"), *counts])


def test_a_long_copy_without_ids_is_known_from_the_fifth_call_on(tmp_path: Path) -> None:
    files = {"a.jsonl": unnamed("2026-09-14", 8), "b.jsonl": unnamed("2026-09-15", 8)}
    assert len(together(tmp_path, files)) == 4 + 4 + 4


def test_short_runs_of_equal_totals_are_two_threads(tmp_path: Path) -> None:
    files = {"a.jsonl": unnamed("2026-09-14", 4), "b.jsonl": unnamed("2026-09-15", 4)}
    assert len(together(tmp_path, files)) == 8


def test_runs_that_differ_once_are_two_threads(tmp_path: Path) -> None:
    other = unnamed("2026-09-15", 8).replace('"output_tokens": 1,', '"output_tokens": 2,', 1)
    files = {"a.jsonl": unnamed("2026-09-14", 8), "b.jsonl": other}
    assert len(together(tmp_path, files)) == 16


def test_a_file_that_grew_is_read_as_what_it_is(tmp_path: Path) -> None:
    whole = unnamed("2026-09-14", 8)
    begun = "".join(whole.splitlines(keepends=True)[:4])
    assert len(together(tmp_path, {"begun.jsonl": begun, "whole.jsonl": whole})) == 8


def test_many_calls_are_handed_on_before_the_file_ends(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codex, "_MAX_PENDING", 4)
    monkeypatch.setattr(codex, "_KEPT", 2)
    monkeypatch.setattr("clearbar.spend.files.source_file._BLOCK_BYTES", 700)
    lines = []
    for number in range(1, 30):
        told = line("token_usage_record", at(1), response_id=f"resp_{number}", usage=usage(10))
        lines += [told, *[count(at(1), usage(10 * number))] * 2]
    found = records(read, *lines)
    assert [(each.input_tokens, each.lines) for each in found] == [(10, 3)] * 29


def test_the_real_rollout_is_one_call(shared_data: Path) -> None:
    path = shared_data / "formats/codex_rollout/codex_0.142_shape.jsonl"
    [record] = codex.read(open_source_file(path))
    assert not isinstance(record, Problem)
    assert (record.input_tokens, record.cache_read_tokens) == (14_475 - 2_432, 2_432)
    assert (record.output_tokens, record.origin.model, record.lines) == (216, "gpt-5.5", 2)


def test_the_fixture_of_another_reader_has_its_totals(shared_data: Path) -> None:
    [path] = (shared_data / "formats/ccusage_fixtures").glob("*codex*")
    found = [item for item in codex.read(open_source_file(path)) if not isinstance(item, Problem)]
    assert sum((each.input_tokens or 0) + (each.cache_read_tokens or 0) for each in found) == 3500
    assert sum(each.output_tokens or 0 for each in found) == 425
    assert [each.origin.model for each in found] == ["gpt-5.2-codex", "gpt-5.3-codex"]
