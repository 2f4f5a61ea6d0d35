from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.agent_logs import summed

from clearbar.core.period import ALL
from clearbar.spend.reading import LedgerReading
from clearbar.spend.sources import copilot_billing
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook

    Read = Callable[..., Any]

ROW = {
    "date": "2026-09-14",
    "product": "copilot",
    "sku": "copilot_premium_request",
    "quantity": "25",
    "unit_type": "requests",
    "applied_cost_per_quantity": "0.04",
    "gross_amount": "1.00",
    "discount_amount": "0.20",
    "net_amount": "0.80",
    "username": "dev-1",
    "organization": "example-org",
    "repository": "billing",
    "workflow_path": "",
    "cost_center_name": "platform",
}


def rows(read: Read, *changes: dict[str, str], **added: str) -> Any:
    lines = [",".join(ROW | added)]
    lines += [",".join((ROW | added | change).values()) for change in changes]
    return read("report.csv", "\n".join(lines) + "\n")


def one(read: Read, **changes: str) -> Any:
    [record], problems = rows(read, changes, **{k: v for k, v in changes.items() if k not in ROW})
    assert problems == []
    return record


def test_the_net_amount_is_what_is_billed(read: Read) -> None:
    record = one(read)
    assert (record.reported_cost_usd, record.reported_basis) == (Decimal("0.80"), "billed")
    assert (record.grain, record.calls, record.evidence) == ("bill", 0, "provider")


def test_the_discount_is_a_label(read: Read) -> None:
    assert "|discount_usd=0.2|" in one(read).origin.labels


def test_a_row_says_whom_it_is_charged_to(read: Read) -> None:
    origin = one(read).origin
    assert (origin.account, origin.project) == ("example-org", "billing")
    assert (origin.principal, origin.provider) == ("dev-1", "github-copilot")
    assert "|cost_center=platform|" in origin.labels


def test_a_seat_is_a_purchase(read: Read) -> None:
    record = one(read, sku="copilot_enterprise", unit_type="User Months", quantity="0.5")
    assert (record.charge_category, record.reported_cost_usd) == ("purchase", Decimal("0.80"))


@pytest.mark.parametrize(
    ("sku", "unit"),
    [("copilot_premium_request", "requests"), ("coding_agent_ai_credit", "ai-credits")],
)
def test_requests_and_credits_are_usage(sku: str, unit: str, read: Read) -> None:
    record = one(read, sku=sku, unit_type=unit)
    assert record.charge_category == "usage"
    assert f"|quantity=25|report=detailed|sku={sku}|unit={unit}|" in record.origin.labels


def test_a_negative_amount_is_a_credit(read: Read) -> None:
    record = one(read, gross_amount="-1.00", discount_amount="0", net_amount="-1.00")
    assert (record.charge_category, record.reported_cost_usd) == ("credit", Decimal("-1.00"))


def test_the_model_is_told_by_the_report_of_requests(read: Read) -> None:
    record = one(read, model="Claude Sonnet 4.5", exceeds_quota="True", aic_gross_amount="9")
    assert record.origin.model == "Claude Sonnet 4.5"
    assert "|exceeds_quota=true|" in record.origin.labels
    assert "|report=requests|" in record.origin.labels
    assert record.reported_cost_usd == Decimal("0.80")


def test_amounts_that_do_not_add_up_are_refused(read: Read) -> None:
    records, [problem] = rows(read, {"net_amount": "0.95"})
    assert (records, problem.what) == (
        [],
        "gross_amount without discount_amount is not net_amount",
    )


def test_a_row_without_a_net_amount_is_refused(read: Read) -> None:
    _, [problem] = rows(read, {"net_amount": ""})
    assert problem.what == "net_amount is missing"


def test_a_discount_that_is_not_told_is_what_lies_between(read: Read) -> None:
    assert "|discount_usd=0.2|" in one(read, discount_amount="").origin.labels
    assert "discount" not in one(read, gross_amount="", discount_amount="").origin.labels


def test_rows_of_other_products_are_noted_and_are_no_problem(read: Read, notes: Read) -> None:
    others = {"product": "actions", "sku": "actions_linux"}, {"product": "git_lfs", "sku": "x"}
    records, problems = rows(read, *others, {})
    assert (len(records), problems) == (1, [])
    [note] = rows(notes, *others, {})
    assert note.what == "2 lines of other services were left out"


DETAILED = """\
date,product,sku,quantity,unit_type,gross_amount,discount_amount,net_amount,username,organization,repository
2026-09-14,copilot,copilot_premium_request,30,requests,1.20,0.40,0.80,dev-1,example-org,billing
2026-09-14,copilot,copilot_premium_request,20,requests,0.80,0.20,0.60,dev-2,example-org,
2026-09-14,copilot,copilot_for_business,0.5,user-months,9.50,0,9.50,,example-org,
"""
SUMMARY = """\
date,product,sku,quantity,unit_type,gross_amount,discount_amount,net_amount,organization,repository
2026-09-14,copilot,copilot_premium_request,30,requests,1.20,0.40,0.80,example-org,billing
2026-09-14,copilot,copilot_premium_request,20,requests,0.80,0.20,0.60,example-org,
2026-09-14,copilot,copilot_for_business,0.5,user-months,9.50,0,9.50,example-org,
"""
REQUESTS = """\
date,username,product,sku,model,quantity,unit_type,gross_amount,discount_amount,net_amount,organization
2026-09-14,dev-1,copilot,copilot_premium_request,o3,30,requests,1.20,0.40,0.80,example-org
2026-09-14,dev-2,copilot,copilot_premium_request,gpt-5,20,requests,0.80,0.20,0.60,example-org
"""
REPORTS = {"detailed.csv": DETAILED, "summary.csv": SUMMARY, "requests.csv": REQUESTS}


@pytest.mark.parametrize(
    "order",
    [
        ("requests.csv", "detailed.csv"),
        ("detailed.csv", "summary.csv"),
        ("summary.csv", "requests.csv"),
        ("summary.csv", "requests.csv", "detailed.csv"),
    ],
    ids="+".join,
)
def test_reports_of_the_same_days_count_once(
    order: tuple[str, ...], tmp_path: Path, book: PriceBook
) -> None:
    found = summed(tmp_path, book, {name: REPORTS[name] for name in order})
    assert found.cost_usd == Decimal("10.90")


def test_the_report_of_requests_alone_is_worth_what_it_bills(
    tmp_path: Path, book: PriceBook
) -> None:
    assert summed(tmp_path, book, {"requests.csv": REQUESTS}).cost_usd == Decimal("1.40")


def test_the_report_of_requests_says_whose_the_bill_is(tmp_path: Path, book: PriceBook) -> None:
    summed(tmp_path, book, {"detailed.csv": DETAILED, "requests.csv": REQUESTS})
    ledger = Ledger(tmp_path / "ledger")
    reading = LedgerReading(ledger)
    by_user: dict[str, Decimal] = defaultdict(Decimal)
    for key, usage in reading.by_origin(ALL).items():
        origin = reading.origins[key]
        by_user[origin.principal or origin.source] += usage.cost_usd
    ledger.close()
    assert {name: cost for name, cost in by_user.items() if cost} == {
        "dev-1": Decimal("0.80"),
        "dev-2": Decimal("0.60"),
        "bill-purchase": Decimal("9.50"),
    }


def test_two_equal_rows_of_a_report_are_two(read: Read) -> None:
    first, second = rows(read, {}, {})[0]
    assert second.identity == f"{first.identity}#2"


def test_the_same_row_of_a_later_report_replaces_the_earlier(read: Read) -> None:
    grown = {"quantity": "50", "gross_amount": "2", "discount_amount": "0", "net_amount": "2"}
    [before], [after] = rows(read, {})[0], rows(read, grown)[0]
    assert before.identity == after.identity
    assert before.final < after.final


def test_a_day_is_a_day_of_utc(read: Read) -> None:
    record = one(read)
    assert record.started_at_us == 1_789_344_000_000_000
    assert record.ended_at_us == record.started_at_us + 86_400_000_000


def test_twins_are_not_remembered_without_end(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copilot_billing, "_MAX_REMEMBERED", 0)
    first, second = rows(read, {}, {})[0]
    assert second.identity == first.identity
