"""Shadows in a worker: who is asked, what is kept, and that nothing waits for them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.route.watching.made import DECIDED, NOW, ROUTE, SAMPLE

from clearbar.core.store import Store
from clearbar.route.route import Cascade, Route
from clearbar.route.watching import shadow
from clearbar.route.watching.grading import Grading
from clearbar.route.watching.shadow import (
    MOST_WAITING,
    SampleKeeper,
    ShadowDesk,
)
from clearbar.route.watching.store import samples
from clearbar.route.wire.operation import operation_of
from clearbar.tools.tool import Request
from clearbar.trial.grading.declared_grader import make_grader
from clearbar.trial.grading.grade_settings import GradeSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from clearbar.route.watching.sample import Sample
    from clearbar.route.wire.operation import Operation

CHAT: Final = operation_of("POST", "/v1/chat/completions", [])
CASCADE: Final = replace(ROUTE, tool="first-cheap", cascade=Cascade("mini", "opus", 0.8))


class World:
    """A desk with a gateway that answers from a table, and all that it kept."""

    def __init__(self, settings: GradeSettings | None = None, **answers: str | None) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.kept: list[Sample] = []
        self.held: asyncio.Event | None = None
        settings = settings or GradeSettings("exact")
        grading = Grading(settings, make_grader(settings), relative=False)
        self.desk = ShadowDesk(
            {ROUTE.workflow: grading}, self._ask, self.kept.append, read, lambda: NOW
        )

    async def _ask(self, _: str, tool: str, operation: Operation, body: bytes) -> str | None:
        assert (operation, body) == (CHAT, b"{}")
        self.asked.append(tool)
        if self.held is not None:
            await self.held.wait()
        return self.answers.get(tool)

    def offer(self, text: str, tool: str, route: Route = ROUTE, **changed: Any) -> bool:
        operation = changed.get("operation", CHAT)
        return self.desk.offer(route, operation, b"{}", text, tool)


def read(operation: Operation, body: bytes) -> Request:
    del operation, body
    return Request("?")


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await work()

    asyncio.run(whole())


async def done(desk: ShadowDesk) -> None:
    await asyncio.gather(*desk._busy)


def shown(world: World, text: str, tool: str, route: Route = ROUTE) -> None:
    async def work() -> None:
        assert world.offer(text, tool, route)
        await done(world.desk)

    run(work)


def test_the_old_tool_is_asked_what_the_routed_one_answered() -> None:
    world = World(opus="yes")
    shown(world, "yes", "gpt-mini")
    assert world.asked == ["opus"]
    assert world.kept == [
        replace(SAMPLE, score=1.0, by_old=True, same=True, characters=3),
    ]


def test_the_routed_tool_is_asked_what_the_old_one_answered() -> None:
    world = World(None, **{"gpt-mini": "no"})
    shown(world, "yes", "opus", replace(ROUTE, mode="shadow"))
    assert world.asked == ["gpt-mini"]
    assert [(each.score, each.same, each.characters) for each in world.kept] == [(0.0, False, 2)]


def test_nobody_is_asked_where_the_answer_is_graded_by_itself() -> None:
    world = World(GradeSettings("regex", pattern="refund"))
    shown(world, "a refund", "gpt-mini")
    assert world.asked == []
    assert world.kept == [replace(SAMPLE, score=1.0, characters=8)]


@pytest.mark.parametrize("tool", ["mini", "opus", "first-cheap"])
def test_an_answer_of_a_cascade_is_one_of_the_routed_tool(tool: str) -> None:
    world = World(opus="yes")
    shown(world, "yes", tool, CASCADE)
    assert world.asked == ["opus"]
    assert [each.tool for each in world.kept] == ["first-cheap"]


def test_the_old_tool_in_the_shadow_of_a_cascade_is_itself() -> None:
    world = World(None, **{"first-cheap": "yes"})
    shown(world, "yes", "opus", replace(CASCADE, mode="shadow"))
    assert world.asked == ["first-cheap"]


def test_a_tool_that_does_not_answer_leaves_no_sample() -> None:
    world = World(opus=None)
    shown(world, "yes", "gpt-mini")
    assert (world.kept, world.desk.counts.unanswered) == ([], 1)


def test_an_answer_that_cannot_be_graded_leaves_no_sample() -> None:
    world = World(opus="x" * 60_000)
    shown(world, "yes", "gpt-mini")
    assert (world.kept, world.desk.counts.ungraded) == ([], 1)


def test_a_fault_of_a_grader_hurts_nobody() -> None:
    world = World(opus="yes")
    world.desk._read = lambda *_: 1 / 0  # type: ignore[assignment]
    shown(world, "yes", "gpt-mini")
    shown(world, "yes", "gpt-mini")
    assert (world.kept, world.desk.counts.ungraded) == ([], 2)


def test_a_shadow_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "PATIENCE_S", 0.01)
    world = World(opus="yes")

    async def work() -> None:
        world.held = asyncio.Event()
        world.offer("yes", "gpt-mini")
        await done(world.desk)

    run(work)
    assert world.desk.counts.unanswered == 1


@pytest.mark.parametrize(
    ("route", "tool"),
    [
        (replace(ROUTE, tool=None), "opus"),
        (replace(ROUTE, old_tool=None), "gpt-mini"),
        (replace(ROUTE, old_tool="gpt-mini"), "gpt-mini"),
        (ROUTE, "a-fallback"),
        (replace(ROUTE, workflow="never-tried"), "gpt-mini"),
        (replace(ROUTE, shadow_share=0.0), "gpt-mini"),
    ],
)
def test_what_says_nothing_of_the_routed_tool_is_not_looked_at(route: Route, tool: str) -> None:
    world = World(opus="yes")
    assert not world.offer("yes", tool, route)
    assert world.desk.counts.offered == 0


def test_what_asks_for_no_text_is_not_looked_at() -> None:
    world = World(opus="yes")
    embeddings = operation_of("POST", "/v1/embeddings", [])
    assert not world.offer("", "gpt-mini", operation=embeddings)


@pytest.mark.parametrize(("draw", "wanted"), [(0.0, True), (0.2499, True), (0.25, False)])
def test_a_request_is_drawn_with_the_share_of_its_route(draw: float, wanted: bool) -> None:  # noqa: FBT001
    assert World().desk.wants(ROUTE, draw) == wanted


@pytest.mark.parametrize(
    "route",
    [
        replace(ROUTE, tool=None),
        replace(ROUTE, old_tool=None),
        replace(ROUTE, workflow="never-tried"),
    ],
)
def test_nothing_is_drawn_where_nothing_can_be_said(route: Route) -> None:
    assert not World().desk.wants(route, 0.0)


def test_what_finds_no_room_is_dropped_and_an_offer_never_waits() -> None:
    world = World(opus="yes")

    async def work() -> None:
        world.held = asyncio.Event()
        began = time.perf_counter()
        taken = sum(world.offer("yes", "gpt-mini") for _ in range(MOST_WAITING + 20))
        assert time.perf_counter() - began < 0.1
        assert taken == MOST_WAITING
        await asyncio.sleep(0)
        assert len(world.asked) == shadow.AT_ONCE
        world.held.set()
        await done(world.desk)

    run(work)
    assert len(world.kept) == MOST_WAITING
    counts = world.desk.counts
    assert (counts.offered, counts.dropped, counts.kept) == (MOST_WAITING + 20, 20, MOST_WAITING)


def test_bodies_that_wait_have_a_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "MOST_WAITING_BYTES", 50)
    world = World(opus="yes")

    async def work() -> None:
        assert world.offer("x" * 40, "gpt-mini")
        assert not world.offer("x" * 40, "gpt-mini")
        await done(world.desk)
        assert world.offer("x" * 40, "gpt-mini")
        await done(world.desk)

    run(work)


def test_closing_drops_what_waits_and_ends_what_is_in_work() -> None:
    world = World(opus="yes")

    async def work() -> None:
        world.held = asyncio.Event()
        for _ in range(10):
            world.offer("yes", "gpt-mini")
        await asyncio.sleep(0)
        await world.desk.close()
        assert not world.offer("yes", "gpt-mini")

    run(work)
    assert world.kept == []
    assert world.desk.counts.dropped == 6


def test_samples_reach_the_store_from_a_thread_of_their_own(tmp_path: Path) -> None:
    keeper = SampleKeeper(tmp_path / "facts.db")
    for _ in range(20):
        assert keeper.keep(SAMPLE)
    keeper.close()
    assert not keeper.keep(SAMPLE)
    store = Store(tmp_path / "facts.db")
    assert len(samples(store, SAMPLE.workflow, SAMPLE.tool, DECIDED)) == 20
    store.close()


def test_a_keeper_without_samples_opens_no_store(tmp_path: Path) -> None:
    SampleKeeper(tmp_path / "facts.db").close()
    assert not list(tmp_path.iterdir())


def test_samples_that_the_store_refuses_are_dropped_and_counted(tmp_path: Path) -> None:
    keeper = SampleKeeper(tmp_path / "facts.db")
    keeper.keep(replace(SAMPLE, probability=7.0))
    keeper.close()
    assert keeper.dropped == 1


def test_a_keeper_that_cannot_keep_up_drops(tmp_path: Path) -> None:
    keeper = SampleKeeper(tmp_path / "facts.db", most=0)
    assert not keeper.keep(SAMPLE)
    keeper.close()
    assert keeper.dropped == 1
