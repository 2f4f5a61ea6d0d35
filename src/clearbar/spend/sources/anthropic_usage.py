"""Answers of Anthropic's usage report: tokens of the Messages API by minute, hour or day.

Where: `GET /v1/organizations/usage_report/messages`, grouped by any of its dimensions; a page of
buckets, a list of pages, or a page a line. Each result is an aggregate of many calls.

Traps:

- The kinds of input stand beside each other: `uncached_input_tokens`, what was read from a cache,
  and what was written to one for five minutes or an hour.
- How many calls there were is not told: the record counts none, and adds only tokens.
- Dimensions are null unless the request grouped by them. `workspace_id` is null for the default
  workspace too, and `api_key_id` for the Workbench. What any bucket of a file names is taken to be
  asked for in all of it, and a null for a part of that grouping: the label `null_in` says so.
- Read again, a bucket replaces the earlier reading of it: the one pulled last (`pulled_at` in the
  page), or where that is not told, the larger. The same day grouped in two ways is the same usage
  twice: of several files each call counts once; of one file the first grouping is read, and a
  second is refused. The console's CSV tells the same usage too.
- Code execution is not in it. Rows by group (`rbac_group_id`) overlap and are refused.

Never here: costs, which are bills (`anthropic_costs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict

from clearbar.spend import identity
from clearbar.spend.charge import NULL_IN, Origin, Record, label_text
from clearbar.spend.files.entry import each_record, provenance, text
from clearbar.spend.files.json_records import fields
from clearbar.spend.files.quarantine import QuarantineError, quantity
from clearbar.spend.shapes.provider_names import service_tier_named
from clearbar.spend.shapes.provider_reports import null_key, nulls, results_of_usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.entry import Counts
    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.shapes.provider_reports import Result

NAME: Final = "anthropic_usage"
PARSER_VERSION: Final = 1
TITLE: Final = "Anthropic usage report"
WHERE: Final = "GET https://api.anthropic.com/v1/organizations/usage_report/messages, saved as JSON"
CONVENTION: Final = (
    "Cached tokens and cache writes are counted beside the input; thinking is counted inside the "
    "output."
)

_NAMES: Final = (b'"starting_at"', b'"uncached_input_tokens"', b'"output_tokens"')
_DIMENSIONS: Final = {
    "workspace_id": "project",
    "api_key_id": "credential",
    "account_id": "principal",
    "service_account_id": "principal",
    "model": "model",
    "service_tier": "service_tier",
    "speed": "speed",
    "inference_geo": "geo",
    "context_window": "context_window",
}
"""What usage is grouped by -> the name of that."""
_NOT_TOLD: Final = "not_available"


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes hold a result of the usage report."""
    head = file.head
    return (
        file.name.endswith((".json", ".jsonl"))
        and all(name in head for name in _NAMES)
        and b'"amount"' not in head
    )


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each result of each bucket.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    return each_record(results_of_usage(file, "starting_at", "ending_at", _DIMENSIONS), _record)


def _record(found: Result) -> Record:
    result = found.value
    if result.get("rbac_group_id"):
        raise QuarantineError("groups overlap: a user in two of them counts twice", "ask without")
    meters = _meters(result)
    if meters["input_tokens"] is meters["output_tokens"] is None:
        raise QuarantineError("no result of the usage report", "keep other reports in other files")
    how = _served(result)
    origin = _origin(found, how)
    return Record(
        identity=identity.bucket(
            NAME, "", found.start_us, found.end_us - found.start_us, *found.key, *null_key(origin)
        ),
        evidence="provider",
        origin=origin,
        started_at_us=found.start_us,
        ended_at_us=found.end_us,
        grain="bucket",
        calls=0,
        final=found.pulled_us or sum(count or 0 for count in _counts(meters)),
        **how,
        **meters,
        **provenance(found.entry),
    )


class _Served(TypedDict):
    service_tier: str
    speed: str
    geo: str


def _served(result: dict[str, Any]) -> _Served:
    geo = text(result.get("inference_geo"))
    return {
        "service_tier": service_tier_named(text(result.get("service_tier"))),
        "speed": text(result.get("speed")),
        "geo": "" if geo == _NOT_TOLD else geo,
    }


def _origin(found: Result, how: _Served) -> Origin:
    result = found.value
    labels = {"context_window": text(result.get("context_window"))}
    names = {
        "model": text(result.get("model")),
        "project": text(result.get("workspace_id")),
        "credential": text(result.get("api_key_id")),
        "principal": text(result.get("account_id")) or text(result.get("service_account_id")),
    }
    labels[NULL_IN] = nulls(found, {**names, **how, **labels})
    return Origin(source=NAME, provider="anthropic", labels=label_text(labels), **names)


def _meters(result: dict[str, Any]) -> Counts:
    written = fields(result.get("cache_creation"))
    tools = fields(result.get("server_tool_use"))
    return {
        "input_tokens": _count(result, "uncached_input_tokens"),
        "cache_read_tokens": _count(result, "cache_read_input_tokens"),
        "cache_write_5m_tokens": _count(written, "ephemeral_5m_input_tokens"),
        "cache_write_1h_tokens": _count(written, "ephemeral_1h_input_tokens"),
        "output_tokens": _count(result, "output_tokens"),
        "web_searches": _count(tools, "web_search_requests"),
    }


def _counts(meters: Counts) -> Iterator[int | None]:
    for value in meters.values():
        yield value if isinstance(value, int) else None


def _count(values: dict[str, Any], name: str) -> int | None:
    return quantity(values.get(name), name)
