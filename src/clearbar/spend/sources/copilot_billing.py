"""Bills of GitHub Copilot: the usage reports that GitHub writes as CSV.

Where: Billing and licensing, Usage, "Get usage report": the detailed and the summarised report of
metered usage, and the report of premium requests and AI credits. A row is a line of the bill: a
day, an SKU, and whom it is charged to.

Traps:

- `net_amount` is what is billed; `gross_amount` is before `discount_amount`, and what a plan
  includes is such a discount. So a row of 0 was covered, not free: the discount is a label.
- The reports tell of the same dollars, and each dollar counts once: the detailed report is the
  bill; the summarised one counts on the days that have no detailed one; the report of requests,
  the only one that tells the model, says how much of the bill is whose. The label `report` says
  which it was.
- Premium requests and AI credits are units of Copilot's own, not calls and not tokens; how many
  they were is the label `quantity`. `aic_quantity` and `aic_gross_amount` tell what the same usage
  would be in AI credits: they are not added.
- Seats are purchases, by the month and its part; they hold no usage.
- A report of an open day grows: read again, a row replaces the earlier one. Days are those of UTC.
- The reports hold all of GitHub's products; rows of others than Copilot, Spark and Models are
  counted and left out. A report that only counts requests, without amounts, is no bill and is not
  read.

Never here: e-mail addresses; `workflow_path` stays a label.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from clearbar.core.money import plain
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.files.csv_rows import csv_header
from clearbar.spend.files.entry import Entry, Note, provenance, text
from clearbar.spend.files.quarantine import QuarantineError, signed_usd
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.bill_lines import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "copilot_billing"
PARSER_VERSION: Final = 2
TITLE: Final = "GitHub Copilot bills"
WHERE: Final = "GitHub, Billing and licensing, Usage, Get usage report (CSV)"
CONVENTION: Final = "No tokens: premium requests, AI credits and seats, as lines of a bill."

_COLUMNS: Final = frozenset(
    {"date", "product", "sku", "quantity", "unit_type", "gross_amount", "net_amount"}
)
_PRODUCTS: Final = frozenset({"copilot", "github copilot", "spark", "models", "github models"})
_HINT: Final = "Clearbar reads what Copilot, Spark and Models cost"
_DAY_US: Final = 86_400_000_000
_ROUNDING_USD: Final = Decimal("0.01")
"""By so much the three amounts of a row may miss each other: each is rounded by itself."""
_MAX_REMEMBERED: Final = 100_000
"""Rows of which a twin in the same file is known for one."""


def recognises(file: SourceFile) -> bool:
    """Return whether the first line names the columns of a usage report."""
    return file.name.endswith(".csv") and set(csv_header(file.head)) >= _COLUMNS


def read(file: SourceFile) -> Iterator[Record | Problem | Note]:
    """Yield what each row of Copilot bills, and a note that counts the others.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    header = set(csv_header(file.head))
    report = "requests" if "model" in header else "detailed" if "username" in header else "summary"
    twins: Counter[str] = Counter()

    def records_of(row: Entry) -> list[Record] | None:
        if not _is_of_copilot(row.value):
            return None
        if len(twins) > _MAX_REMEMBERED:
            twins.clear()
        return [_record(row, report, twins)]

    return read_lines(file, records_of, lambda _: _HINT)


def _is_of_copilot(row: dict[str, Any]) -> bool:
    sku = text(row.get("sku")).lower()
    if text(row.get("product")).lower() in _PRODUCTS:
        return True
    return "copilot" in sku or "premium_request" in sku or "ai_credit" in sku


def _record(found: Entry, report: str, twins: Counter[str]) -> Record:
    row: dict[str, Any] = found.value
    began_us = moment_us(row.get("date"), "date")
    net, discount = _amounts(row)
    origin = _origin(row, report, discount)
    return Record(
        identity=_identity(row, origin, began_us, report, twins),
        evidence="provider",
        origin=origin,
        started_at_us=began_us,
        ended_at_us=began_us + _DAY_US,
        grain="bucket" if report == "requests" else "bill",
        calls=0,
        final=_rank(row),
        reported_cost_usd=net,
        reported_basis="billed",
        charge_category=_category(row, net),
        **provenance(found),
    )


def _amounts(row: dict[str, Any]) -> tuple[Decimal, Decimal]:
    """Return the net amount and the discount.

    Raises:
        QuarantineError: when gross, discount and net do not add up.
    """
    gross = signed_usd(row.get("gross_amount"), "gross_amount")
    told = signed_usd(row.get("discount_amount"), "discount_amount")
    net = signed_usd(row.get("net_amount"), "net_amount")
    if net is None:
        raise QuarantineError("net_amount is missing", "it is what is billed; export it again")
    if gross is None:
        return net, told or Decimal(0)
    discount = gross - net if told is None else told
    if abs(gross - discount - net) > _ROUNDING_USD:
        raise QuarantineError("gross_amount without discount_amount is not net_amount")
    return net, discount


def _identity(
    row: dict[str, Any], origin: Origin, began_us: int, report: str, twins: Counter[str]
) -> str:
    """Return the natural key of a row, and which of its twins in the file it is."""
    names = ("product", "sku", "repository", "workflow_path", "cost_center_name", "exceeds_quota")
    key = (origin.principal, origin.model, *(text(row.get(name)) for name in names), report)
    found = identity.bucket(NAME, origin.account, began_us, _DAY_US, *key)
    twins[found] += 1
    return found if twins[found] == 1 else f"{found}#{twins[found]}"


def _rank(row: dict[str, Any]) -> int:
    """Return what rises as the report of an open day grows: of two readings the fuller one wins."""
    quantity = signed_usd(row.get("quantity"), "quantity")
    return int(quantity) if quantity is not None and quantity > 0 else 0


def _category(row: dict[str, Any], net: Decimal) -> Literal["usage", "purchase", "credit"]:
    if net < 0:
        return "credit"
    unit, sku = text(row.get("unit_type")).lower(), text(row.get("sku")).lower()
    is_seat = "user" in unit or "month" in unit or "seat" in unit or "seat" in sku
    return "purchase" if is_seat else "usage"


def _origin(row: dict[str, Any], report: str, discount: Decimal) -> Origin:
    quantity = signed_usd(row.get("quantity"), "quantity")
    labels = {
        "sku": text(row.get("sku")),
        "unit": text(row.get("unit_type")),
        "quantity": "" if quantity is None else plain(quantity),
        "discount_usd": plain(discount) if discount else "",
        "cost_center": text(row.get("cost_center_name")),
        "workflow_path": text(row.get("workflow_path")),
        "exceeds_quota": text(row.get("exceeds_quota")).lower(),
        "report": report,
    }
    return Origin(
        source=NAME,
        provider="github-copilot",
        model=text(row.get("model")),
        account=text(row.get("organization")),
        project=text(row.get("repository")),
        principal=text(row.get("username")),
        service=text(row.get("product")).lower(),
        labels=label_text(labels),
    )
