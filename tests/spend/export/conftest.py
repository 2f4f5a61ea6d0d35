"""A workspace whose days are told by logs, by an aggregate and by a bill, in two currencies."""

from __future__ import annotations

import csv
import io
import json
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest

from clearbar.core.period import parse_period
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.core.period import Period

DECLARED: Final = """
[[workflow]]
name = "letters"
owner = "letters-lead@example.com"
metric = { name = "sent", unit = "letter", from = "outcomes/letters.csv" }
bar = "sent >= 0.9"
match = [{ team = "legal" }]
"""
CALL: Final[dict[str, Any]] = {
    "endTime": "2026-10-05T08:00:01Z",
    "custom_llm_provider": "openai",
    "call_type": "acompletion",
    "api_key": "hash",
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "spend": 0.01,
    "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 300}}},
}
BILL: Final = {
    "BilledCost": "0.5",
    "BillingAccountId": "org-1",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargePeriodStart": "2026-10-05T00:00:00Z",
    "ChargePeriodEnd": "2026-10-06T00:00:00Z",
    "ConsumedQuantity": "",
    "ConsumedUnit": "",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceName": "OpenAI API",
    "ServiceProviderName": "OpenAI",
    "SkuMeter": "",
    "CommitmentDiscountId": "",
    "CommitmentDiscountStatus": "",
    "Tags": '{"cost, centre": "4\\"2"}',
}


def calls() -> list[dict[str, Any]]:
    """Return calls of several days, models and teams: priced, estimated, unpriced, failed."""
    models = ("gpt-4o", "gpt-4o-mini", "a-model-of-one's own")
    return [
        {
            **CALL,
            "request_id": f"chatcmpl-{day}-{number}",
            "startTime": f"2026-10-{day:02}T08:00:00Z",
            "model": models[number % 3],
            "team_id": "legal" if number % 2 else "sales",
            "prompt_tokens": 1000 + 37 * number,
            "spend": 0 if number == 2 else 0.01,
        }
        for day in (4, 5, 6)
        for number in range(5)
    ]


def bill() -> list[dict[str, str]]:
    """Return a bill that knows of more than the logs on one day, and of less on another."""
    day = {"ChargePeriodStart": "2026-10-06T00:00:00Z", "ChargePeriodEnd": "2026-10-07T00:00:00Z"}
    month = {
        "ChargePeriodStart": "2026-10-01T00:00:00Z",
        "ChargePeriodEnd": "2026-11-01T00:00:00Z",
    }
    return [
        BILL,
        {**BILL, **day, "BilledCost": "0.000000000000000000000001"},
        {**BILL, **month, "ChargeCategory": "Credit", "BilledCost": "-0.25"},
        {**BILL, **month, "ChargeCategory": "Tax", "BilledCost": "0.1"},
        {**BILL, **month, "ChargeCategory": "Tax", "BilledCost": "7", "BillingCurrency": "EUR"},
        {
            **BILL,
            **month,
            "ChargeCategory": "Purchase",
            "BilledCost": "100",
            "CommitmentDiscountId": "c",
        },
        {
            **BILL,
            "BilledCost": "0",
            "CommitmentDiscountId": "c",
            "CommitmentDiscountStatus": "Used",
        },
    ]


class Exported:
    """A workspace with usage, and what it exports."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self.workspace = workspace
        self.folder = folder

    def __call__(
        self, form: str = "csv", period: str = "all", by: str | None = None
    ) -> list[dict[str, str]]:
        """Return the rows that an export writes to a stream."""
        stream = io.StringIO()
        self.workspace.export(self.period(period), form, by, None, stream)
        stream.seek(0)
        return list(csv.DictReader(stream))

    def write(self, form: str, name: str, period: str = "all", by: str | None = None) -> Path:
        """Return the file that an export writes."""
        path = self.folder / name
        self.workspace.export(self.period(period), form, by, path, io.StringIO())
        return path

    def period(self, text: str) -> Period:
        return parse_period(text, self.workspace.as_of)

    def spent_usd(self, period: str = "all") -> Decimal:
        """Return what `clearbar spend` says."""
        return self.workspace.spend(self.period(period), "workflow").total.cost_usd


def total_usd(rows: list[dict[str, str]], column: str = "cost_usd") -> Decimal:
    """Return the exact sum of a column."""
    return sum((Decimal(row[column]) for row in rows if row[column]), Decimal(0))


def make(folder: Path, prices: Path, *paths: Path) -> Exported:
    """Return a workspace in a folder, which has read some usage files."""
    shutil.copytree(prices, folder / ".clearbar" / "prices")
    (folder / "clearbar.toml").write_text(DECLARED)
    workspace = Workspace(folder, clock=lambda: datetime(2026, 11, 15, tzinfo=UTC))
    if paths:
        workspace.add([str(path) for path in paths])
    return Exported(workspace, folder)


def make_with_a_bill(folder: Path, prices: Path) -> Exported:
    """Return a workspace of which logs and a bill tell."""
    log, billed = folder / "log.jsonl", folder / "bill.csv"
    log.write_text("".join(f"{json.dumps(call)}\n" for call in calls()))
    with billed.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(BILL))
        writer.writeheader()
        writer.writerows(bill())
    return make(folder, prices, log, billed)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, prices: Path) -> Iterator[Exported]:
    """Return a workspace of which logs and a bill tell; to be read only."""
    made = make_with_a_bill(tmp_path_factory.mktemp("exported"), prices)
    with made.workspace:
        yield made


@pytest.fixture
def own(tmp_path: Path, prices: Path) -> Iterator[Exported]:
    """Return such a workspace that a test has for itself."""
    made = make_with_a_bill(tmp_path, prices)
    with made.workspace:
        yield made
