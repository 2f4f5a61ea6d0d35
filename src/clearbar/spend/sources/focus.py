"""Bills in the FinOps Open Cost and Usage Specification, FOCUS 1.0 to 1.4: CSV or Parquet.

Where: FOCUS exports of AWS, Microsoft, Google Cloud, Oracle, Databricks and others. Each row that
bills AI becomes a line of a bill. The version is told by the columns: 1.1 brought `SkuMeter`, 1.2
`InvoiceId` and `PricingCurrency`, 1.3 `ServiceProviderName`, 1.4 took `ProviderName` away.

The cost is `BilledCost`: cash, what the invoice says. `EffectiveCost` spreads the same money over
what a commitment covers; both together would count it twice, so it is not read. A commitment
counts in full on the day of its purchase, and what it covers costs nothing, marked as used or
unused.

Traps:
- `NULL` may be written as a word, and a file may begin with a byte order mark.
- `ChargeClass` "Correction" corrects a month that was invoiced; it is a line like any other,
  labelled, in the month that it names. Usage may be negative.
- AI is what `ServiceCategory` or the service's name says; models of third parties are often filed
  under other categories.
- Tokens have no columns of their own. They are taken where `ConsumedUnit` counts them and
  `SkuMeter` or AWS's `x_UsageType` says which they are.
- A newer export of a month states it anew: a row is known by what it is about, and the reading with
  an invoice, then the one of more, counts. Equal rows of one file are numbered in their order.
- A file that Clearbar itself exported holds estimates beside bills. It is refused.
- An Azure export in columns of its own, actual or amortised, is not FOCUS, and is refused.

Rows of other services are counted and left out.

Never here: `EffectiveCost`, `ListCost`, `ContractedCost`, unit prices.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record
from clearbar.spend.files.entry import Entry, Note, provenance, text
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.shapes import bill_lines
from clearbar.spend.shapes.aws_caller import caller
from clearbar.spend.shapes.billed_names import (
    Billed,
    counts,
    meter_named,
    model_named,
    of_aws,
    tier_named,
    tokens_per_unit,
)
from clearbar.spend.shapes.provider_names import provider_named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.shapes.bill_lines import Repeats

NAME: Final = "focus"
PARSER_VERSION: Final = 2
TITLE: Final = "FOCUS 1.0 to 1.4 cost and usage"
WHERE: Final = "a FOCUS export of a cloud or a vendor: *.csv, *.csv.gz or *.parquet"
CONVENTION: Final = "Each kind of token is a SKU of its own; a row holds one kind at most."

_COLUMNS: Final = (
    "BilledCost",
    "BillingAccountId",
    "BillingCurrency",
    "ChargeCategory",
    "ChargePeriodStart",
    "ServiceCategory",
)
_AZURE: Final = ("BillingCurrency", "MeterCategory", "ConsumedService", "SubscriptionId", "Date")
"""Of an actual or amortised cost export, in Azure's own columns."""
_OWN: Final = "x_CostBasis"
"""The column that only Clearbar's own exports have."""
_AI: Final = re.compile(
    r"bedrock|openai|vertex ai|gemini|generative|claude|anthropic|cognitive services|foundry"
    r"|azure ai|ai services|mosaic|model serving",
    re.IGNORECASE,
)
_AI_CATEGORY: Final = "AI and Machine Learning"
_NULLS: Final = frozenset({"NULL", "null", "None"})
_PROVIDERS: Final = {
    "amazon web services": "aws",
    "microsoft": "azure",
    "microsoft azure": "azure",
    "google cloud": "google",
    "google cloud platform": "google",
    "gcp": "google",
}
_Category = Literal["usage", "purchase", "tax", "credit", "adjustment"]
_CATEGORIES: Final[dict[str, _Category]] = {
    "usage": "usage",
    "purchase": "purchase",
    "tax": "tax",
    "credit": "credit",
    "adjustment": "adjustment",
}
_KEY: Final = (
    *("SubAccountId", "ChargeCategory", "ChargeClass", "ChargeDescription"),
    *("ChargeFrequency", "CommitmentDiscountId", "CommitmentDiscountStatus", "RegionId"),
    *("CapacityReservationId", "CapacityReservationStatus", "ResourceId", "ServiceName", "SkuId"),
    *("SkuPriceId", "SkuMeter", "PricingCategory", "PricingUnit", "ConsumedUnit"),
    *("BillingCurrency", "AllocatedResourceId", "AllocatedMethodId"),
    *("PrincipalId", "CredentialId", "x_UsageType", "x_Operation", "x_SkuMeterId"),
)
"""With account, times and labels: what a row is about. No amount, no price, no invoice."""
_TOLD: Final = (
    *_KEY,
    *("BillingAccountId", "Tags", "ResourceName", "CommitmentDiscountName", "ServiceCategory"),
    *("ServiceSubcategory", "ServiceProviderName", "ProviderName", "PublisherName"),
    *("InvoiceIssuerName", "x_PrincipalId", "x_ServiceCode", "x_ServiceName", "x_SkuMeterName"),
)
"""All columns that say what a row is about."""
_HINT: Final = "FOCUS {}: rows of AI are those that ServiceCategory or the service's name says"


def recognises(file: SourceFile) -> bool:
    """Return whether the columns are those of FOCUS, or of an Azure export to be refused."""
    return bill_lines.has_columns(file, _COLUMNS) or _is_azures_own(file)


def _is_azures_own(file: SourceFile) -> bool:
    return bill_lines.has_columns(file, _AZURE)


def version_of(columns: Collection[str]) -> str:
    """Return the version of FOCUS that has these columns."""
    if "ServiceProviderName" in columns:
        return "1.3" if "ProviderName" in columns else "1.4"
    if "InvoiceId" in columns or "PricingCurrency" in columns:
        return "1.2"
    return "1.1" if "SkuMeter" in columns or "ServiceSubcategory" in columns else "1.0"


def read(file: SourceFile) -> Iterator[Record | Problem | Note]:
    """Yield a record for each row that bills AI, and a note that counts the others.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    if _is_azures_own(file):
        hint = "in Cost Management, export the cost and usage details (FOCUS)"
        yield Problem("an Azure cost export that is not FOCUS", hint)
        return
    if bill_lines.has_columns(file, (_OWN,)):
        yield Problem("an export of Clearbar's own, no bill", "its charges are in a ledger already")
        return
    repeats, kinds = bill_lines.Repeats(), bill_lines.Kinds(_TOLD, _kind)

    def records_of(row: Entry) -> list[Record] | None:
        kind = kinds.of(row.value)
        return None if kind is None else [_record(row, kind, repeats)]

    yield from bill_lines.read_lines(file, records_of, lambda row: _HINT.format(version_of(row)))


class _Kind(NamedTuple):
    """What a row says beside its times, amounts and invoice."""

    origin: Origin
    billed: Billed
    currency: str
    category: _Category | None
    """None where the row names none that FOCUS knows."""
    commitment: Literal["", "used", "unused"]
    per_unit: int | None
    """How many tokens a unit of its quantity holds."""
    key: str


def _kind(values: dict[str, Any]) -> _Kind | None:
    """Return what a row is about; None where it is not AI."""
    row = _Row(values)
    if not _is_ai(row):
        return None
    billed = _billed(row)
    origin = _origin(row, billed)
    category = _CATEGORIES.get(row.text("ChargeCategory").lower())
    return _Kind(
        origin=origin,
        billed=billed,
        currency=row.text("BillingCurrency"),
        category=category,
        commitment=_commitment(row),
        per_unit=tokens_per_unit(row.text("ConsumedUnit")) if category == "usage" else None,
        key=chr(31).join((origin.provider, *map(row.text, _KEY), origin.labels)),
    )


class _Row:
    """A row's values; `NULL` is none."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def __getitem__(self, name: str) -> Any:
        value = self.values.get(name)
        return None if isinstance(value, str) and value in _NULLS else value

    def text(self, *names: str) -> str:
        """Return the first of the columns that says something."""
        told = (text(self[name]) for name in names)
        return next((value for value in told if value), "")


def _is_ai(row: _Row) -> bool:
    if row.text("ServiceCategory") == _AI_CATEGORY:
        return True
    told = (row.text(name) for name in ("ServiceName", "ServiceSubcategory", "x_ServiceCode"))
    return any(_AI.search(each) for each in told)


def _record(found: Entry, kind: _Kind, repeats: Repeats) -> Record:
    row = _Row(found.value)
    started = bill_lines.moment(row["ChargePeriodStart"], "ChargePeriodStart")
    ended = bill_lines.moment(row["ChargePeriodEnd"], "ChargePeriodEnd")
    if ended < started:
        raise QuarantineError("the charge ends before it begins")
    if kind.category is None:
        raise QuarantineError("ChargeCategory is none that FOCUS knows")
    month = bill_lines.moment(row["BillingPeriodStart"], "BillingPeriodStart")
    consumed = row["ConsumedQuantity"]
    cost = bill_lines.money(row["BilledCost"], "BilledCost", kind.currency)
    where = (str(started), str(ended), str(month), bill_lines.sign_of(cost))
    key = repeats.numbered(*where, kind.key)
    tokens = None if kind.per_unit is None else bill_lines.whole(consumed, kind.per_unit)
    amount = consumed or row["PricingQuantity"]
    return Record(
        identity=identity.bucket(NAME, kind.origin.account, started, ended - started, *key),
        evidence="provider",
        origin=kind.origin,
        started_at_us=started,
        ended_at_us=ended,
        grain="bill",
        calls=0,
        final=bill_lines.final(amount, invoiced=bool(row.text("InvoiceId"))),
        service_tier=kind.billed.tier,
        **counts(kind.billed.meter, tokens),
        **cost,
        reported_basis="billed",
        charge_category=kind.category,
        commitment_status=kind.commitment,
        **provenance(found),
    )


def _commitment(row: _Row) -> Literal["", "used", "unused"]:
    told = row.text("CommitmentDiscountStatus").lower()
    return "used" if told == "used" else "unused" if told == "unused" else ""


def _billed(row: _Row) -> Billed:
    """Return what the row says of its tokens, in AWS's words or in those of its meter."""
    usage_type = row.text("x_UsageType")
    if usage_type:
        return of_aws(usage_type, row.text("ServiceName", "x_ServiceName"))
    meter, said = row.text("SkuMeter"), row.text("ChargeDescription")
    unit = row.text("ConsumedUnit")
    model = model_named(meter) or model_named(said) or model_named(row.text("SkuId"))
    return Billed(model, meter_named(f"{meter} {unit}"), tier_named(f"{meter} {said}"))


def _provider(row: _Row) -> str:
    name = row.text("ServiceProviderName", "ProviderName", "PublisherName", "InvoiceIssuerName")
    plain = name.lower().removesuffix(", inc.").removesuffix(" inc.")
    return _PROVIDERS.get(plain) or provider_named(plain)


def _origin(row: _Row, billed: Billed) -> Origin:
    about = {
        "service": row.text("ServiceName"),
        "sku": row.text("SkuMeter", "x_SkuMeterName", "SkuId"),
        "resource": row.text("ResourceName") or row.text("ResourceId").rpartition("/")[2],
        "region": row.text("RegionId"),
        "charge_class": row.text("ChargeClass"),
        "commitment": row.text("CommitmentDiscountName", "CommitmentDiscountId"),
    }
    principal = row.text("PrincipalId", "x_PrincipalId")
    return Origin(
        source=NAME,
        provider=_provider(row),
        model=billed.model,
        account=row.text("BillingAccountId"),
        project=row.text("SubAccountId"),
        credential=row.text("CredentialId"),
        principal=caller(principal).principal if principal.startswith("arn:") else principal,
        labels=bill_lines.labels(about, bill_lines.tags_of(row["Tags"])),
    )
