"""Rows of Google Cloud's billing export that bill AI: Vertex AI, the Gemini API and its models.

Where: the BigQuery tables `gcp_billing_export_v1_ACCOUNT` and `gcp_billing_export_resource_v1_
ACCOUNT`, extracted as JSON (lines, or the list of `bq query`) or Parquet, or as a flat CSV whose
columns are named `service.description` or `service_description`. A row is a line of a bill, and
each of its credits one of its own: what is paid is their sum.

Traps:
- Credits are negative and nested in the row: cost alone is more than what is paid.
- Rows are added, never changed: usage that is reported late, and corrections, are further rows of
  the same hour. So a row is known by all that it says, with its `export_time`; equal rows of one
  file are numbered. Rows arrive for days: export whole days again, and nothing counts twice.
- `cost` is in the account's currency, not in dollars. `currency_conversion_rate` is how many units
  of it Google took for a dollar; it is kept as a label, and converts nothing here.
- `invoice.month` may be another than that of the usage.
- Tokens are taken only where the SKU names them and the unit counts them; characters, seconds and
  provisioned throughput are not tokens. Grounding and storage of caches are SKUs of their own.
- Labels of requests reach the bill for Gemini, not for Claude on Vertex AI.

Rows of other services are counted and left out.

Never here: `price`, `tags` of resources, list costs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record
from clearbar.spend.files.entry import Entry, Note, provenance, text
from clearbar.spend.files.json_records import fields, items
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.shapes import bill_lines
from clearbar.spend.shapes.billed_names import counts, meter_named, model_named, tier_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.shapes.bill_lines import Repeats

NAME: Final = "gcp_billing"
PARSER_VERSION: Final = 2
TITLE: Final = "Google Cloud billing export"
WHERE: Final = "the BigQuery tables gcp_billing_export_*, extracted as JSON, Parquet or CSV"
CONVENTION: Final = "Input, cached input and output are SKUs of their own, none inside another."

_NESTED: Final = (b'"usage_start_time"', b'"cost"', b'"billing_account_id"', b'"sku"', b'"service"')
_COLUMNS: Final = ("billing_account_id", "usage_start_time", "cost", "currency")
_JSON_NAMES: Final = (".json", ".jsonl", ".ndjson")
_AI: Final = re.compile(
    r"vertex ai|gemini|generative language|claude|anthropic|agent platform|cloud machine learning",
    re.IGNORECASE,
)
_COUNTED: Final = frozenset({"count", "token", "tokens"})
_Category = Literal["usage", "purchase", "tax", "credit", "adjustment"]
_CATEGORIES: Final[dict[str, _Category]] = {"": "usage", "regular": "usage", "tax": "tax"}
"""Other types are adjustments and differences of rounding."""
_HINT: Final = "Clearbar reads what Vertex AI, the Gemini API and their models cost"


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes hold a row of the export, or the columns are its own."""
    if file.name.endswith(_JSON_NAMES):
        return all(mark in file.head for mark in _NESTED)
    return bill_lines.has_columns(file, _COLUMNS)


def read(file: SourceFile) -> Iterator[Record | Problem | Note]:
    """Yield a record for each row that bills AI and for each of its credits; count the others.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    repeats = bill_lines.Repeats()

    def records_of(row: Entry) -> list[Record] | None:
        service = text(_of(row.value, "service", "description"))
        is_ai = _AI.search(service) or _AI.search(_sku(row.value))
        return _records(row, service, repeats) if is_ai else None

    return bill_lines.read_lines(file, records_of, lambda _: _HINT)


def _of(row: dict[str, Any], *path: str) -> Any:
    """Return a nested value, from an object or from a flat column that is named for its path."""
    value = row.get(path[0])
    if len(path) == 1:
        return value
    if isinstance(value, dict) or (isinstance(value, str) and value.startswith("{")):
        return fields(value).get(path[1])
    return row.get(".".join(path), row.get("_".join(path)))


def _sku(row: dict[str, Any]) -> str:
    return text(_of(row, "sku", "description"))


def _records(found: Entry, service: str, repeats: Repeats) -> list[Record]:
    """Return the row's line and one for each credit; all or none of them."""
    row: dict[str, Any] = found.value
    started = bill_lines.moment(row.get("usage_start_time"), "usage_start_time")
    ended = bill_lines.moment(row.get("usage_end_time"), "usage_end_time")
    if ended < started:
        raise QuarantineError("the row ends before it begins")
    currency = text(row.get("currency"))
    origin = _origin(row, service)
    key = repeats.numbered(
        *(str(started), str(ended), _exported(row), currency, _number(row.get("cost"))),
        *(_number(_of(row, "usage", "amount")), text(_of(row, "usage", "unit"))),
        *(text(row.get("cost_type")), text(_of(row, "sku", "id")), origin.labels, origin.project),
        text(_of(row, "resource", "name")),
    )
    tells: dict[str, Any] = {
        "evidence": "provider",
        "started_at_us": started,
        "ended_at_us": ended,
        "grain": "bill",
        "calls": 0,
        "reported_basis": "billed",
        **provenance(found),
    }
    name = identity.bucket(NAME, origin.account, started, ended - started, *key)
    line = Record(
        identity=name,
        origin=origin,
        service_tier=tier_named(_sku(row)),
        charge_category=_category(row),
        **_tokens(row),
        **bill_lines.money(row.get("cost"), "cost", currency),
        **tells,
    )
    return [line, *_credits(row, line, tells)]


def _exported(row: dict[str, Any]) -> str:
    told = row.get("export_time")
    return str(bill_lines.moment(told, "export_time")) if told else ""


def _number(value: object) -> str:
    """Return a number as every format of the export spells it."""
    amount = bill_lines.number(value)
    return text(value) if amount is None else str(amount.normalize())


def _credits(row: dict[str, Any], line: Record, tells: dict[str, Any]) -> Iterator[Record]:
    for number, credit in enumerate(map(fields, items(_list(row.get("credits")))), 1):
        kind = text(credit.get("type")) or text(credit.get("name"))
        cost = bill_lines.money(credit.get("amount"), "credits.amount", text(row.get("currency")))
        yield Record(
            identity=f"{line.identity}:credit:{number}:{kind}",
            origin=line.origin,
            charge_category="credit",
            **cost,
            **tells,
        )


def _list(value: object) -> object:
    """Return a list of objects as BigQuery's Parquet files hold it."""
    if isinstance(value, dict) and "list" in value:
        return [fields(each).get("element", each) for each in items(value["list"])]
    return value


def _category(row: dict[str, Any]) -> _Category:
    if text(_of(row, "adjustment_info", "id")) or text(_of(row, "adjustment_info", "type")):
        return "adjustment"
    return _CATEGORIES.get(text(row.get("cost_type")).lower(), "adjustment")


def _tokens(row: dict[str, Any]) -> dict[str, Any]:
    unit = text(_of(row, "usage", "unit")).lower()
    if unit not in _COUNTED or _category(row) != "usage":
        return {}
    number = bill_lines.whole(_of(row, "usage", "amount"), 1)
    return dict(counts(meter_named(_sku(row)), number))


def _origin(row: dict[str, Any], service: str) -> Origin:
    rate = text(row.get("currency_conversion_rate"))
    about = {
        "service": service,
        "sku": _sku(row),
        "region": text(_of(row, "location", "region")),
        "resource": text(_of(row, "resource", "name")),
        "invoice_month": text(_of(row, "invoice", "month")),
        "currency_conversion_rate": "" if text(row.get("currency")) == "USD" else rate,
    }
    return Origin(
        source=NAME,
        provider="google",
        model=model_named(_sku(row)),
        account=text(row.get("billing_account_id")),
        project=text(_of(row, "project", "id")),
        labels=bill_lines.labels(about, bill_lines.tags_of(_list(row.get("labels")))),
    )
