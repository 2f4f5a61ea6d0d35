"""What plans cover: each call once, also where the provider's usage report tells of it again."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.spend.told_rows import DAY, bucket, call

from clearbar.spend.prices.planned_lines import AgreedUse
from clearbar.spend.reconciling.reconcile import reconcile
from clearbar.spend.repricing.agreed_use import beyond_calls
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from clearbar.spend.reconciling.told import Told

CALLS, REPORT = 1, 2
"""Origins."""


def use(key: int, calls: int, tokens: int, list_usd: str, cost_usd: str = "0") -> AgreedUse:
    cost = Decimal(list_usd), Decimal(cost_usd)
    return AgreedUse("plan:team", key, DAY, calls, tokens, *cost)


def left(used: list[AgreedUse], *rows: Told) -> list[AgreedUse]:
    return beyond_calls(used, rows, reconcile(rows).overlaps)


def test_what_calls_tell_too_is_covered_once() -> None:
    rows = bucket(Usage(2, 30)), call(Usage(2, 30))
    mine = use(CALLS, 2, 30, "3")
    assert left([mine, use(REPORT, 2, 30, "3")], *rows) == [mine]


def test_what_a_report_has_beyond_the_calls_stays() -> None:
    rows = bucket(Usage(4, 40)), call(Usage(1, 10))
    found = left([use(REPORT, 4, 40, "8")], *rows)
    assert found == [use(REPORT, 3, 30, "6")]


def test_a_report_without_calls_is_whole() -> None:
    assert left([use(REPORT, 4, 40, "8")], bucket(Usage(4, 40))) == [use(REPORT, 4, 40, "8")]


def test_what_machines_cost_comes_off_by_its_cost() -> None:
    rows = bucket(Usage(1, 10, cost_usd=Decimal(4))), call(Usage(1, 0, cost_usd=Decimal(1)))
    [found] = left([use(REPORT, 1, 10, "0", "4")], *rows)
    assert (found.tokens, found.cost_usd) == (10, Decimal(3))
