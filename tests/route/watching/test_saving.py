"""What routing saves: hold-out against routed requests, by conversation, with an interval."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.watching.made import arm_sums
from tests.spend.ledger_cases import append

from clearbar.core.period import ALL, Period
from clearbar.core.store import Store
from clearbar.own import outcomes
from clearbar.own.outcome import Outcome
from clearbar.route.journal.charge_record import record_of
from clearbar.route.journal.entry import Ended, Held
from clearbar.route.watching.saving import ArmSums, difference, saving
from clearbar.route.watching.saving_facts import measured_savings
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.spend.charge import Record

NOW: Final = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
NOW_US: Final = int(NOW.timestamp() * 1e6)
DAY_US: Final = 86_400_000_000
UNITS: Final = st.lists(
    st.tuples(st.floats(0, 10), st.integers(1, 9).map(float)), min_size=25, max_size=60
)


def test_the_saving_is_the_difference_of_the_costs_per_request() -> None:
    found = saving("w", (arm_sums([(10, 5)] * 30), arm_sums([(1, 2)] * 30)), None, 0.95)
    assert found is not None
    assert found.each_usd.value == 1.5
    assert found.share == 0.75
    assert found.saved_usd == Decimal(90)
    assert found.per_good_usd is None


def test_arms_without_scatter_leave_no_doubt() -> None:
    found = difference(arm_sums([(10, 5)] * 30), arm_sums([(1, 2)] * 30), 0.95)
    assert found is not None
    assert (found.low, found.high, found.n) == (1.5, 1.5, 60)


def test_a_few_conversations_have_a_value_without_bounds() -> None:
    found = difference(arm_sums([(10, 5)] * 19), arm_sums([(1, 2)] * 500), 0.95)
    assert found is not None
    assert (found.value, found.low, found.high) == (1.5, None, None)


@pytest.mark.parametrize("arms", [(ArmSums(), arm_sums([(1, 2)])), (arm_sums([(1, 2)]), ArmSums())])
def test_an_arm_without_a_request_measures_nothing(arms: tuple[ArmSums, ArmSums]) -> None:
    assert saving("w", arms, None, 0.95) is None


def test_of_an_old_tool_that_was_free_no_share_is_saved() -> None:
    found = saving("w", (arm_sums([(0, 5)] * 30), arm_sums([(1, 2)] * 30)), None, 0.95)
    assert found is not None
    assert found.share is None
    assert found.each_usd.value == -0.5


@given(UNITS, UNITS)
def test_the_other_way_round_a_saving_is_a_loss(
    some: list[tuple[float, float]], others: list[tuple[float, float]]
) -> None:
    one, other = arm_sums(some), arm_sums(others)
    found, back = difference(one, other, 0.9), difference(other, one, 0.9)
    assert found is not None
    assert back is not None
    assert found.low is not None
    assert back.high is not None
    assert back.value == pytest.approx(-found.value)
    assert back.high == pytest.approx(-found.low)


@given(UNITS)
def test_the_interval_holds_the_value(units: list[tuple[float, float]]) -> None:
    found = difference(arm_sums(units), arm_sums([(2, 1), (1, 1)] * 15), 0.9)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high


@pytest.mark.slow
@pytest.mark.parametrize(
    ("held", "sigma", "least"), [(40, 0.5, 0.92), (200, 0.5, 0.93), (200, 1.2, 0.89)]
)
def test_the_interval_holds_the_true_saving_about_as_often_as_it_says(
    held: int, sigma: float, least: float
) -> None:
    """Costs are lognormal, conversations have one to five requests and a temper of their own."""
    chance, runs, hits = np.random.default_rng(int(held * sigma)), 1500, 0

    def arm(units: int, mean: float) -> ArmSums:
        requests = chance.integers(1, 6, units).astype(float)
        costs = requests * mean * chance.lognormal(-(sigma**2) / 2, sigma, units)
        return ArmSums(
            units,
            requests.sum(),
            costs.sum(),
            (costs**2).sum(),
            (costs * requests).sum(),
            (requests**2).sum(),
        )

    for _ in range(runs):
        found = difference(arm(held, 0.05), arm(20 * held, 0.01), 0.95)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.04 <= found.high
    assert hits / runs >= least - 2 * math.sqrt(0.05 * 0.95 / runs)


class World:
    """A ledger of the gateway's charges and a store of outcomes."""

    def __init__(self, folder: Path, book: PriceBook) -> None:
        self.ledger, self.store = Ledger(folder / "ledger"), Store(folder / "facts.db")
        self._book = book
        self._calls = 0
        self._records: list[Record] = []

    def call(self, arm: Any, cost_nusd: int | None, task: str = "", **more: Any) -> None:
        self._calls += 1
        name = f"{self._calls:032x}"
        at = NOW_US + more.get("day", 0) * DAY_US
        held = Held(
            call_id=name,
            at_us=at,
            request_id=name,
            attempt=1,
            arm=arm,
            operation="chat",
            stream=False,
            workflow=more.get("workflow", "replies"),
            tool="opus" if arm == "holdout" else "mini",
            provider="nobody-knows",
            model="unpriced-model",
            key="k1",
            team="",
            user=more.get("user", ""),
            task=task,
            run="",
            environment="",
            labels="",
            trace_id=more.get("trace", name),
            span_id=name[:16],
            parent_span_id="",
            accounts=(),
            amount_nusd=0,
        )
        ended = Ended(
            name,
            at,
            more.get("outcome", "ok"),
            200,
            {},
            "none",
            cost_nusd or 0,
            cost_nusd is not None,
        )
        self._records.append(
            record_of(held, ended, identity=f"gateway:clearbar:{name}", digest="d" * 64)
        )

    def savings(self, period: Period = ALL) -> dict[str, Any]:
        if self._records:
            append(self.ledger, self._book, self._records)
            self._records.clear()
        return measured_savings(self.ledger, self.store, period)

    def score(self, **scores: float) -> None:
        found = [Outcome("replies", task, score, NOW, "tests") for task, score in scores.items()]
        outcomes.append(self.store, found, NOW)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return PriceBook.open(tmp_path_factory.mktemp("prices"))


@pytest.fixture
def world(tmp_path: Path, book: PriceBook) -> Iterator[World]:
    made = World(tmp_path, book)
    yield made
    made.ledger.close()
    made.store.close()


def test_a_ledger_without_a_hold_out_measures_nothing(world: World) -> None:
    assert world.savings() == {}
    world.call("tool", 1000)
    assert world.savings() == {}


def test_a_hold_out_alone_measures_nothing(world: World) -> None:
    world.call("holdout", 1000)
    assert world.savings() == {}


def test_requests_without_a_name_are_conversations_of_their_own(world: World) -> None:
    for _ in range(4):
        world.call("holdout", 50_000_000)
        world.call("tool", 10_000_000)
    found = world.savings()["replies"]
    assert (found.holdout.units, found.routed.units) == (4, 4)
    assert found.each_usd.value == pytest.approx(0.04)


def test_the_requests_of_a_task_are_one_conversation(world: World) -> None:
    for _ in range(3):
        world.call("holdout", 30_000_000, task="t1")
        world.call("tool", 10_000_000, task="t2")
    found = world.savings()["replies"]
    assert (found.holdout.units, found.holdout.requests) == (1, 3)
    assert found.each_usd.value == pytest.approx(0.02)


def test_the_requests_of_a_user_without_a_task_are_one_conversation(world: World) -> None:
    for _ in range(3):
        world.call("holdout", 30_000_000, user="ana")
        world.call("tool", 10_000_000, user="bo")
    assert world.savings()["replies"].holdout.units == 1


def test_failed_calls_and_fallbacks_cost_without_being_requests(world: World) -> None:
    world.call("holdout", 50_000_000)
    world.call("tool", 10_000_000, trace="a", outcome="cut")
    world.call("fallback", 30_000_000, trace="a")
    found = world.savings()["replies"]
    assert (found.routed.units, found.routed.requests) == (1, 1)
    assert found.each_usd.value == pytest.approx(0.01)


def test_both_steps_of_a_cascade_are_one_request(world: World) -> None:
    world.call("holdout", 50_000_000)
    world.call("first", 1_000_000, trace="a")
    world.call("agree", 1_000_000, trace="a")
    world.call("then", 50_000_000, trace="a")
    world.call("first", 2_000_000, trace="b")
    found = world.savings()["replies"]
    assert found.routed.requests == 2
    assert found.each_usd.value == pytest.approx(0.05 - 0.027)


def test_a_copy_in_the_shadow_is_no_cost_of_the_route(world: World) -> None:
    world.call("holdout", 50_000_000)
    world.call("tool", 10_000_000, trace="a")
    world.call("shadow", 90_000_000, trace="a")
    assert world.savings()["replies"].each_usd.value == pytest.approx(0.04)


def test_what_the_client_chose_itself_is_in_no_arm(world: World) -> None:
    world.call("holdout", 50_000_000)
    world.call("tool", 10_000_000)
    world.call("passed", 90_000_000)
    assert world.savings()["replies"].routed.units == 1


def test_a_conversation_of_unknown_cost_is_left_out_and_counted(world: World) -> None:
    world.call("holdout", 50_000_000)
    world.call("tool", 10_000_000)
    world.call("tool", None)
    found = world.savings()["replies"]
    assert (found.routed.units, found.routed.unpriced) == (1, 1)
    assert found.each_usd.value == pytest.approx(0.04)


def test_arms_count_from_the_day_from_which_there_are_both(world: World) -> None:
    world.call("tool", 99_000_000, day=-3)
    world.call("tool", 10_000_000, day=0)
    world.call("holdout", 50_000_000, day=0)
    found = world.savings()["replies"]
    assert found.routed.units == 1
    assert found.each_usd.value == pytest.approx(0.04)


def test_only_the_period_counts(world: World) -> None:
    for day, cost in ((0, 50_000_000), (1, 90_000_000)):
        world.call("holdout", cost, day=day)
        world.call("tool", 10_000_000, day=day)
    november = Period(date(2026, 11, 2), date(2026, 12, 1))
    assert world.savings(november)["replies"].each_usd.value == pytest.approx(0.08)


def test_workflows_are_measured_apart(world: World) -> None:
    for workflow, cost in (("a", 20_000_000), ("b", 30_000_000)):
        world.call("holdout", cost, workflow=workflow, task="same")
        world.call("tool", 10_000_000, workflow=workflow)
    values = {name: found.each_usd.value for name, found in world.savings().items()}
    assert values == {"a": pytest.approx(0.01), "b": pytest.approx(0.02)}


def test_scored_tasks_say_what_is_saved_per_good_outcome(world: World) -> None:
    for task in ("h1", "h2"):
        world.call("holdout", 50_000_000, task=task)
    for task in ("t1", "t2", "t3"):
        world.call("tool", 10_000_000, task=task)
    world.score(h1=1.0, h2=0.0, t1=1.0, t2=0.5)
    found = world.savings()["replies"]
    assert found.per_good_usd is not None
    assert found.per_good_usd.value == pytest.approx(0.1 - 0.02 / 1.5)


def test_of_several_scores_of_a_task_the_latest_counts(world: World) -> None:
    world.call("holdout", 50_000_000, task="h")
    world.call("tool", 10_000_000, task="t")
    world.score(h=1.0, t=1.0)
    later = Outcome("replies", "t", 0.5, NOW.replace(hour=10), "tests")
    outcomes.append(world.store, [later], NOW)
    found = world.savings()["replies"]
    assert found.per_good_usd is not None
    assert found.per_good_usd.value == pytest.approx(0.05 - 0.02)


def test_a_saving_of_many_conversations_has_bounds(world: World) -> None:
    chance = Random(1)
    for _ in range(60):
        world.call("holdout", chance.randrange(40_000_000, 60_000_000))
        world.call("tool", chance.randrange(5_000_000, 15_000_000))
    found = world.savings()["replies"].each_usd
    assert found.low is not None
    assert found.high is not None
    assert 0.03 < found.low < found.value < found.high < 0.05
