"""Lines of an AWS Cost and Usage Report (CUR 2.0) that bill Amazon Bedrock: CSV or Parquet.

Where: the bucket of a data export of AWS Billing, `data/BILLING_PERIOD=.../*.csv.gz` or
`*.snappy.parquet`; CUR 2.0 with hourly or daily lines. Each line of Bedrock becomes a line of a
bill. Its cost is `line_item_unblended_cost`: what the invoice says. The payer is the account, the
account that used it the project, `line_item_iam_principal` the principal.

Traps:
- Claude and other models of third parties are sold through the marketplace: their product code is
  a random id, only the product's name says Bedrock, and their usage type is `MP:`, in millions.
- All four kinds of tokens have lines of their own; input and output alone miss the cache.
- A usage amount is in thousands (`1K tokens`) or millions, with decimals. Tokens are taken only
  where the unit says so and the number is whole; reserved capacity is `tokens-per-minute`.
- Net cost and discount lines say the same discount twice: only unblended cost is read. A savings
  plan's covered usage and its negation cancel out, and the plan's fee is what is paid.
- The report is written again every day of an open month, and ids of lines change: a line is known
  by what it is about, and the reading with an invoice, then the one of more usage, counts. Equal
  lines of one file are numbered in their order.
- A report has no requests and no calls. Costs that split shared resources are not read.

Lines of other services are counted and left out; so are credits and taxes that name no product.

Never here: `line_item_net_unblended_cost`, blended and amortised costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record
from clearbar.spend.files.entry import Entry, Note, provenance, text
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.shapes import bill_lines
from clearbar.spend.shapes.aws_caller import caller
from clearbar.spend.shapes.billed_names import counts, of_aws, tokens_per_unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.shapes.bill_lines import Repeats
    from clearbar.spend.shapes.billed_names import Billed

NAME: Final = "aws_cur"
PARSER_VERSION: Final = 2
TITLE: Final = "AWS Cost and Usage Report 2.0, Amazon Bedrock"
WHERE: Final = "a CUR 2.0 data export of AWS Billing: *.csv.gz or *.snappy.parquet"
CONVENTION: Final = (
    "Input, output, cache reads and cache writes are lines of their own, none inside another; "
    "amounts are in thousands or millions of tokens."
)

_COLUMNS: Final = (
    "bill_payer_account_id",
    "line_item_usage_account_id",
    "line_item_usage_start_date",
    "line_item_line_item_type",
    "line_item_unblended_cost",
)
_CODES: Final = frozenset(
    {"AmazonBedrock", "AmazonBedrockService", "AmazonBedrockFoundationModels"}
)
_EDITION: Final = "Amazon Bedrock"
_Category = Literal["usage", "purchase", "tax", "credit", "adjustment"]
_CATEGORIES: Final[dict[str, _Category]] = {
    "Usage": "usage",
    "DiscountedUsage": "usage",
    "SavingsPlanCoveredUsage": "usage",
    "Fee": "purchase",
    "RIFee": "purchase",
    "SavingsPlanRecurringFee": "purchase",
    "SavingsPlanUpfrontFee": "purchase",
    "Tax": "tax",
    "Credit": "credit",
}
"""Other types are discounts, refunds and negations: they correct what other lines say."""
_COVERED: Final = frozenset({"DiscountedUsage", "SavingsPlanCoveredUsage"})
_KEY: Final = (
    "line_item_usage_account_id",
    "line_item_line_item_type",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_operation",
    "line_item_resource_id",
    "line_item_iam_principal",
    "line_item_line_item_description",
    "line_item_legal_entity",
    "line_item_currency_code",
    "bill_bill_type",
    "pricing_rate_id",
)
"""With payer, time and labels: what a line is about. No amount, no invoice, no id of the line."""
_TOLD: Final = (
    *_KEY,
    *("bill_payer_account_id", "pricing_unit", "product", "product_product_name"),
    *("product_region_code", "tags"),
)
"""All columns that say what a line is about."""
_HINT: Final = "Clearbar reads what Amazon Bedrock costs"


def recognises(file: SourceFile) -> bool:
    """Return whether the columns are those of CUR 2.0."""
    return bill_lines.has_columns(file, _COLUMNS)


def read(file: SourceFile) -> Iterator[Record | Problem | Note]:
    """Yield a record for each line of Bedrock, and a note that counts the others.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    repeats, kinds = bill_lines.Repeats(), bill_lines.Kinds(_TOLD, _kind)

    def records_of(row: Entry) -> list[Record] | None:
        kind = kinds.of(row.value)
        return None if kind is None else [_record(row, kind, repeats)]

    return bill_lines.read_lines(file, records_of, lambda _: _HINT)


class _Kind(NamedTuple):
    """What a line says beside its times, amounts and invoice."""

    origin: Origin
    billed: Billed
    currency: str
    category: _Category
    is_covered: bool
    """Whether a commitment pays for it."""
    per_unit: int | None
    """How many tokens a unit of its amount holds."""
    key: str


def _kind(row: dict[str, Any]) -> _Kind | None:
    """Return what a line is about; None where it is not of Bedrock."""
    product = _product(row)
    if text(row.get("line_item_product_code")) not in _CODES and _EDITION not in product:
        return None
    billed = of_aws(text(row.get("line_item_usage_type")), product)
    origin = _origin(row, billed)
    kind = text(row.get("line_item_line_item_type"))
    return _Kind(
        origin=origin,
        billed=billed,
        currency=text(row.get("line_item_currency_code")) or "USD",
        category=_CATEGORIES.get(kind, "adjustment"),
        is_covered=kind in _COVERED,
        per_unit=_tokens_per_unit(row) if kind in {"Usage", *_COVERED} else None,
        key=chr(31).join((*(text(row.get(name)) for name in _KEY), origin.labels)),
    )


def _product(row: dict[str, Any]) -> str:
    """Return the product's name, from a column of its own or from the map of its attributes."""
    return text(row.get("product_product_name")) or text(
        bill_lines.tags_of(row.get("product")).get("product_name")
    )


def _record(found: Entry, kind: _Kind, repeats: Repeats) -> Record:
    row: dict[str, Any] = found.value
    amount, told = row.get("line_item_usage_amount"), row.get("line_item_unblended_cost")
    started = bill_lines.moment(row.get("line_item_usage_start_date"), "line_item_usage_start_date")
    ended = _end(row, started)
    cost = bill_lines.money(told, "line_item_unblended_cost", kind.currency)
    key = repeats.numbered(str(started), str(ended), kind.key, bill_lines.sign_of(cost))
    tokens = None if kind.per_unit is None else bill_lines.whole(amount, kind.per_unit)
    return Record(
        identity=identity.bucket(NAME, kind.origin.account, started, 0, *key),
        evidence="provider",
        origin=kind.origin,
        started_at_us=started,
        ended_at_us=ended,
        grain="bill",
        calls=0,
        final=bill_lines.final(amount, invoiced=bool(text(row.get("bill_invoice_id")))),
        service_tier=kind.billed.tier,
        **counts(kind.billed.meter, tokens),
        **cost,
        reported_basis="billed",
        charge_category=kind.category,
        commitment_status="used" if kind.is_covered else "",
        **provenance(found),
    )


def _tokens_per_unit(row: dict[str, Any]) -> int | None:
    per_unit = tokens_per_unit(text(row.get("pricing_unit")))
    if per_unit is None and "Million" in text(row.get("line_item_line_item_description")):
        return 10**6  # the marketplace says `Units`, and what one is in words only
    return per_unit


def _end(row: dict[str, Any], started: int) -> int | None:
    told = row.get("line_item_usage_end_date")
    ended = bill_lines.moment(told, "line_item_usage_end_date") if told else None
    if ended is not None and ended < started:
        raise QuarantineError("the line ends before it begins")
    return ended


def _origin(row: dict[str, Any], billed: Billed) -> Origin:
    resource = text(row.get("line_item_resource_id"))
    about = {
        "usage_type": text(row.get("line_item_usage_type")),
        "line_item_type": text(row.get("line_item_line_item_type")),
        "resource": resource.rpartition(":")[2],
        "region": text(row.get("product_region_code")),
    }
    return Origin(
        source=NAME,
        provider="aws",
        model=billed.model,
        account=text(row.get("bill_payer_account_id")),
        project=text(row.get("line_item_usage_account_id")),
        principal=caller(text(row.get("line_item_iam_principal"))).principal,
        labels=bill_lines.labels(about, bill_lines.tags_of(row.get("tags"))),
    )
