"""Workers die of kill -9, clients leave, upstreams refuse: each whole reply has one charge."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.serving.storm import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module", params=[0.0, 0.02], ids=["sound", "failing"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("storm")
    return run(folder, 5000, every_s=1.0, failing=request.param)


@pytest.mark.slow
def test_a_storm_was_one(found: Any) -> None:
    assert found["kills"] >= 2
    assert found["whole"] > 4000


@pytest.mark.slow
def test_each_whole_reply_has_exactly_one_charge(found: Any) -> None:
    assert (found["whole_without_one_charge"], found["whole_with_more"]) == (0, 0)


@pytest.mark.slow
def test_each_broken_reply_has_at_most_one(found: Any) -> None:
    assert (found["broken_with_more_than_one"], found["charges_of_nobody"]) == (0, 0)


@pytest.mark.slow
def test_refused_calls_are_charges_of_nothing(found: Any) -> None:
    assert Decimal(found["usd_of_failures"]) == 0


@pytest.mark.slow
def test_the_budget_counts_what_the_charges_cost(found: Any) -> None:
    assert Decimal(found["counted_usd"]) == Decimal(found["spent_usd"])
