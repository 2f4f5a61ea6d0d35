"""Azure API Management's log of calls to language models: `ApiManagementGatewayLlmLog`.

Where: an export of that table from Log Analytics, as CSV or JSON (a list of rows, the answer of the
query API with its `tables`, or JSON Lines of a data export), or the diagnostic log `GatewayLlmLogs`
in a storage account. One request has several rows, which share a `CorrelationId`: one with the
counts and, where messages are logged, others with parts of them, told apart by `SequenceNumber`.

`PromptTokens` hold cached tokens, and how many is not told. So the cost is at most what the book
says: the usage counts as partial, and its price as an estimate.

Traps:
- The rows with messages repeat the request without counts, or with zeros; a row each would triple
  the calls. Rows of one request may stand in several files: the one with counts wins.
- `DeploymentName` is what was asked for, a name of one's own; `ModelName` is what answered.
- A portal's CSV names its times `TimeGenerated [UTC]`; a diagnostic log writes its names in
  another case and puts them below `properties`.
- Tokens of a stream are counted by the gateway where the model does not tell them.

Never here: `RequestMessages` and `ResponseMessages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.files.entry import Entry, provenance, text
from clearbar.spend.files.json_records import fields, items
from clearbar.spend.files.quarantine import QuarantineError, quantity
from clearbar.spend.files.source_file import Damage
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes import bill_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "azure_apim"
PARSER_VERSION: Final = 1
TITLE: Final = "Azure API Management LLM log"
WHERE: Final = "the table ApiManagementGatewayLlmLog of Log Analytics, exported as CSV or JSON"
CONVENTION: Final = "Cached tokens are counted inside the prompt, and not told."

_ENDINGS: Final = (".csv", ".json", ".jsonl", ".ndjson")
_MARKS: Final = (
    b"correlationid",
    b"sequencenumber",
    b"deploymentname",
    b"prompttokens",
    b"completiontokens",
)
_MAX_REQUESTS: Final = 50_000
"""Of which parts are gathered at a time; the ledger unites those that stand further apart."""
_UTC: Final = " [utc]"


@dataclass(slots=True)
class _Request:
    """The rows of one request that were seen so far."""

    entry: Entry
    row: dict[str, Any]
    counted: bool
    rows: int = 1


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes name the table's columns, in whatever case."""
    head = file.head.lower()
    return file.name.endswith(_ENDINGS) and all(mark in head for mark in _MARKS)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each request.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    requests: dict[str, _Request] = {}
    damage = Damage()
    for found in damage.noted(_rows(file)):
        if isinstance(found, Problem):
            yield found
            continue
        try:
            _gather(requests, found)
        except QuarantineError as error:
            yield error.problem(found.number)
        if len(requests) >= _MAX_REQUESTS:
            yield from _records(requests)
            requests.clear()
    yield from _records(requests)
    damage.tell()


def _rows(file: SourceFile) -> Iterator[Entry | Problem]:
    """Yield the table's rows, also of an answer that holds them as columns and values."""
    for entry in bill_lines.rows(file):
        if isinstance(entry, Problem):
            yield entry
            continue
        try:
            nested_rows = _nested_rows(fields(entry.value))
        except QuarantineError as error:
            yield error.problem(entry.number)
            continue
        if nested_rows:
            yield from (Entry(row, number) for number, row in enumerate(nested_rows, 1))
        else:
            yield entry


def _nested_rows(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of an answer of the query API, or of a diagnostic log; none for a row."""
    nested = [fields(table) for table in items(value.get("tables"))]
    rows = [row for table in nested for row in _of_table(table)]
    return [*rows, *map(fields, items(value.get("records")))]


def _of_table(table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    names = [text(fields(column).get("name")) for column in items(table.get("columns"))]
    for values in map(items, items(table.get("rows"))):
        yield dict(zip(names, values, strict=False))


def _gather(requests: dict[str, _Request], found: Entry) -> None:
    row = _plain(fields(found.value))
    key = text(row.get("correlationid"))
    if not key:
        raise QuarantineError("no CorrelationId", "export the table with all of its columns")
    counted = bool(_count(row, "prompttokens") or _count(row, "completiontokens"))
    before = requests.get(key)
    if before is None:
        requests[key] = _Request(found, row, counted)
        return
    before.rows += 1
    if counted or (not before.counted and row.get("modelname") and not before.row["modelname"]):
        before.entry, before.row, before.counted = found, row, counted


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a row by their names in lower case, without the messages."""
    named = {key.lower().removesuffix(_UTC): value for key, value in row.items()}
    for key, value in fields(named.get("properties")).items():
        named.setdefault(key.lower(), value)
    kept = (
        *("correlationid", "requestid", "modelname", "deploymentname", "region", "apiversion"),
        *("prompttokens", "completiontokens", "totaltokens", "isstreamcompletion"),
    )
    plain = {key: named.get(key) for key in kept}
    plain["time"] = named.get("timegenerated") or named.get("time")
    plain["resource"] = named.get("_resourceid") or named.get("resourceid")
    return plain


def _count(row: dict[str, Any], name: str) -> int | None:
    return quantity(row.get(name), name)


def _records(requests: dict[str, _Request]) -> Iterator[Record | Problem]:
    for key, request in requests.items():
        try:
            yield _record(key, request)
        except QuarantineError as error:
            for _ in range(request.rows):
                yield error.problem(request.entry.number)


def _record(key: str, request: _Request) -> Record:
    row = request.row
    prompt, completion = _count(row, "prompttokens"), _count(row, "completiontokens")
    total = _count(row, "totaltokens")
    if request.counted and total not in (None, (prompt or 0) + (completion or 0)):
        raise QuarantineError("PromptTokens and CompletionTokens do not sum to TotalTokens")
    own, request_id = identity.gateway(NAME, key), text(row.get("requestid"))
    upstream = identity.is_provider_id(request_id)
    if upstream:
        also = identity.upstream("azure", request_id)
    else:
        also = identity.gateway(NAME, request_id) if request_id not in ("", key) else ""
    return Record(
        identity=also if upstream else own,
        aliases=identity.alias_text(own if upstream else also),
        evidence="gateway",
        origin=_origin(row),
        started_at_us=moment_us(row.get("time"), "TimeGenerated"),
        usage="partial" if request.counted else "missing",
        final=int(request.counted),
        input_tokens=prompt if request.counted else None,
        output_tokens=completion if request.counted else None,
        upstream_id=request_id if upstream else "",
        lines=request.rows,
        **provenance(request.entry),
    )


def _origin(row: dict[str, Any]) -> Origin:
    deployment = text(row.get("deploymentname"))
    resource = text(row.get("resource")).lower()
    subscription = "/".join(resource.split("/")[:3])
    labels = {
        "deployment": deployment,
        "gateway": resource.rpartition("/")[2],
        "region": text(row.get("region")),
    }
    return Origin(
        source=NAME,
        provider="azure",
        model=text(row.get("modelname")) or deployment,
        project=subscription if subscription.startswith("/subscriptions/") else "",
        labels=label_text(labels),
    )
