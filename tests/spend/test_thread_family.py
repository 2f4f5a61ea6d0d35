"""In which thread an event happened, as far as a file can know."""

from __future__ import annotations

from tests.spend.agent_logs import CHILD, GRANDCHILD, PARENT

from clearbar.spend.shapes.thread_family import COPYING_MS, Descent, ThreadFamily, uuid7_ms


def made_ms(thread: str) -> int:
    found = uuid7_ms(thread)
    assert found is not None
    return found


def family(*threads: str) -> ThreadFamily:
    made = ThreadFamily()
    for thread in threads:
        made.add(thread)
    return made


LATER = 10**13


def test_only_ids_of_version_7_tell_a_time() -> None:
    assert uuid7_ms("01991000-0000-7000-8000-000000000001") == 0x019910000000
    assert uuid7_ms("01991000-0000-4000-8000-000000000001") is None
    assert uuid7_ms("thread-1") is None


def test_a_thread_alone_owns_all_its_events() -> None:
    assert family("a").descent(None, 0) == Descent("a", certain=True)


def test_a_turn_belongs_to_the_youngest_thread_that_was_there() -> None:
    threads = family(GRANDCHILD, CHILD, PARENT)
    owners = [
        threads.descent(made_ms(thread), LATER).owner for thread in (GRANDCHILD, CHILD, PARENT)
    ]
    assert owners == [GRANDCHILD, CHILD, PARENT]


def test_a_turn_before_all_threads_belongs_to_the_oldest_known_and_is_not_certain() -> None:
    found = family(GRANDCHILD, CHILD).descent(made_ms(PARENT), LATER)
    assert found == Descent(CHILD, certain=False)


def test_without_a_turn_the_half_minute_after_a_fork_leaves_it_open() -> None:
    threads, made = family(CHILD, PARENT), made_ms(CHILD)
    assert threads.descent(None, made) == Descent(PARENT, certain=False)
    assert threads.descent(None, made + COPYING_MS - 1) == Descent(PARENT, certain=False)
    assert threads.descent(None, made + COPYING_MS) == Descent(CHILD, certain=True)
    assert threads.descent(None, made - 1) == Descent(PARENT, certain=True)


def test_a_thread_whose_beginning_is_not_told_owns_nothing_for_certain() -> None:
    assert family("b", "a").descent(LATER, LATER) == Descent("a", certain=False)
    threads = ThreadFamily()
    threads.add("b", 1000)
    threads.add("a")
    assert threads.descent(None, 1000 + COPYING_MS).owner == "b"


def test_what_is_told_later_of_a_thread_completes_it() -> None:
    threads = family("b", "a")
    threads.add("b", 1000)
    assert (threads.own, len(threads)) == ("b", 2)
    assert threads.descent(1000, 1000) == Descent("b", certain=True)


def test_no_file_makes_a_family_without_end() -> None:
    assert len(family(*map(str, range(1000)))) == 64


def test_the_order_in_which_threads_are_named_changes_nothing() -> None:
    for threads in (family(GRANDCHILD, PARENT, CHILD), family(GRANDCHILD, CHILD, PARENT)):
        assert threads.descent(made_ms(CHILD), LATER).owner == CHILD
        assert threads.descent(0, LATER).owner == PARENT
