"""Bills by days of a place where the clock is put forward and back: no month or day is lost."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from clearbar.core.money import plain
from clearbar.core.period import ALL
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

HEAD = (
    "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingCurrency,ChargeCategory,"
    "ChargePeriodStart,ChargePeriodEnd,BillingPeriodStart,BillingPeriodEnd,ProviderName,"
    "PublisherName,InvoiceIssuerName,ServiceName,ServiceCategory,BillingAccountId,ChargeDescription"
)
MONTHS = ("2026-08-31T22", "2026-09-30T22", "2026-10-31T23", "2026-11-30T23")
DAYS = ("2026-10-31T07", "2026-11-01T07", "2026-11-02T08", "2026-11-03T08")
SPRING = ("2026-02-28T23", "2026-03-31T22", "2026-04-30T22")


def cost(folder: Path, edges: tuple[str, ...]) -> str:
    """Return the cost of lines of 1, 2, 4 ... dollars between moments, a file for each."""
    (folder / "clearbar.toml").touch()
    for n, (start, end) in enumerate(pairwise(edges)):
        period = f"{start}:00:00Z,{end}:00:00Z"
        usd = ",".join([str(2**n)] * 4)
        rest = "OpenAI,OpenAI,OpenAI,OpenAI API,AI and Machine Learning,acme,Tokens"
        line = f"{usd},USD,Usage,{period},{period},{rest}"
        (folder / f"{n}.csv").write_text(f"{HEAD}\n{line}\n", encoding="utf-8")
    with Workspace(folder) as workspace:
        workspace.add([str(folder)])
        return plain(workspace.spend(ALL, "workflow").total.cost_usd)


@pytest.mark.parametrize(("edges", "usd"), [(MONTHS, "7"), (DAYS, "7"), (SPRING, "3")])
def test_each_local_month_and_day_counts(tmp_path: Path, edges: tuple[str, ...], usd: str) -> None:
    assert cost(tmp_path, edges) == usd
