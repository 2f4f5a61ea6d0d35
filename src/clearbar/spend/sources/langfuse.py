"""Langfuse: observations of traces, as its API, its exports and its SDKs write them.

Where: `GET /api/public/observations`, `GET /api/public/traces/ID`, the export of a trace or of a
table as JSON, JSON Lines or CSV, the export to blob storage (names in snake_case), and batches that
SDKs send to `/api/public/ingestion`. An observation is a record when its type is GENERATION or
EMBEDDING and it encloses no other such one with usage: agents, spans and outer generations repeat
the sums of what is inside them. Where the two stand in different files, the inner one leaves a
record of no calls in the name of the outer, which goes before a record of it.

Usage is a map of buckets that Langfuse takes for disjoint and adds up. Programs fill it in their
own ways, and so input is counted twice: cached tokens stand inside `input` and in a bucket beside
it, under one of many names, or under two names at once. What is true is told by `total`, and by
what the program itself reported, where its attributes are kept in `metadata`. Buckets that add up
neither way are refused. `prompt_details.` and `completion_details.` are parts of input and output.
A total that Langfuse made itself of overlapping buckets shows nothing; then only the attributes do.
Usage in characters or other units is no count of tokens. Costs are what Langfuse or a program
computed, never a bill; a generation without a model it knows has none, and that is not zero.

Ids of observations that came through OpenTelemetry are the ids of their spans. LiteLLM puts the
provider's id behind a time.

Never here: input, output, metadata other than ids, names and counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.files.csv_rows import csv_header, csv_rows
from clearbar.spend.files.entry import Entry, Provenance, provenance, text
from clearbar.spend.files.json_records import entries, fields, items
from clearbar.spend.files.quarantine import QuarantineError, usd
from clearbar.spend.files.source_file import Damage
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.langfuse_usage import COST, field, first, meters_of, usage_of
from clearbar.spend.shapes.nesting import Traces, enclosing, missing_parents
from clearbar.spend.shapes.otel_names import Known, known, provider_of
from clearbar.spend.shapes.provider_names import service_tier_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.shapes.nesting import Key

NAME: Final = "langfuse"
PARSER_VERSION: Final = 1
TITLE: Final = "Langfuse observations"
WHERE: Final = "Langfuse's API, exports of traces and observations, batches of its SDKs"
CONVENTION: Final = (
    "Buckets are meant to be disjoint; whether cached tokens are inside the input all the same is "
    "told by the total and by the program's own attributes."
)

_READ: Final = frozenset(
    {
        *("startTime", "start_time", "endTime", "end_time"),
        *("model", "providedModelName", "provided_model_name", "level"),
        *("userId", "user_id", "sessionId", "session_id", "projectId", "project_id"),
        *("environment", "totalCost", "total_cost", "calculatedTotalCost"),
        *("costDetails", "cost_details"),
    }
)
"""The fields of a generation that are kept while the rest of the file is read."""
_BILLING: Final = {"GENERATION": "inference", "EMBEDDING": "embeddings"}
_MARKS: Final = (b'"parentObservationId"', b'"parent_observation_id"', b'"generation-create"')
_OTHERS: Final = (b'"traceId"', b'"trace_id"', b'"batch"')
_COLUMNS: Final = ({"traceId", "type", "startTime"}, {"trace_id", "type", "start_time"})
_CREATED: Final = {
    "generation-create": "GENERATION",
    "generation-update": "GENERATION",
    "embedding-create": "EMBEDDING",
    "span-create": "SPAN",
    "span-update": "SPAN",
    "agent-create": "AGENT",
    "tool-create": "TOOL",
    "chain-create": "CHAIN",
}
_OPENING: Final = re.compile(rb'\s*\{\s*"(trace|observations)"\s*:')
_HEX: Final = re.compile(r"[0-9a-f]{16}")
_HEX_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_WITH_ID, _ENCLOSING, _WITHOUT_ID = 2, 1, 0


class _Observation(NamedTuple):
    key: Key
    parent: Key
    bills: str
    counted: bool
    value: dict[str, Any]
    """The fields that are read, without texts."""
    usage: dict[str, Any]
    said: Known
    """What the program itself reported, under our names."""
    trace: Known
    """What the trace says of all that is in it."""
    where: Provenance


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes name fields of observations."""
    head = file.head
    if file.name.endswith(".csv"):
        columns = set(csv_header(head))
        named = {"usageDetails", "usage_details", "parentObservationId", "parent_observation_id"}
        return any(wanted <= columns for wanted in _COLUMNS) and bool(columns & named)
    if _OPENING.match(head) and b'"projectId"' in head:
        return True
    return any(mark in head for mark in _MARKS) and any(mark in head for mark in _OTHERS)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each generation and each embedding.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    traces: Traces[_Observation] = Traces()
    damage = Damage()
    for found in damage.noted(_found(file)):
        if isinstance(found, Problem):
            yield found
            continue
        try:
            for observation in _observations(found):
                traces.add(observation)
        except QuarantineError as error:
            yield error.problem(found.number)
        for trace in traces.too_many():
            yield from _records(trace)
    for trace in traces.rest():
        yield from _records(trace)
    damage.tell()


def _found(file: SourceFile) -> Iterator[Entry | Problem]:
    return csv_rows(file) if file.name.endswith(".csv") else entries(file)


def _observations(found: Entry) -> Iterator[_Observation]:
    value, where = fields(found.value), provenance(found)
    if isinstance(value.get("batch"), list):
        yield from _of_batch(value["batch"], where)
        return
    if not isinstance(value.get("observations"), list):
        yield _observation(value, {}, where)
        return
    trace = fields(value.get("trace")) or value
    about = _about(trace)
    for each in map(fields, value["observations"]):
        if each:
            yield _observation(each, about, where)


def _of_batch(batch: list[Any], where: Provenance) -> Iterator[_Observation]:
    """Yield what a batch of an SDK tells; what is told later of one observation completes it."""
    bodies: dict[str, dict[str, Any]] = {}
    about: dict[str, Known] = {}
    for event in map(fields, batch):
        kind, body = text(event.get("type")), fields(event.get("body"))
        if kind == "trace-create":
            about[text(body.get("id"))] = _about(body)
        elif kind in _CREATED or kind.startswith("observation-"):
            body.setdefault("type", _CREATED.get(kind, ""))
            body.setdefault("traceId", "")
            told = {name: each for name, each in body.items() if each is not None}
            bodies.setdefault(text(body.get("id")), {}).update(told)
    only = next(iter(about.values()), {}) if len(about) == 1 else {}
    for body in bodies.values():
        yield _observation(body, about.get(text(body["traceId"]), only), where)


def _about(trace: dict[str, Any]) -> Known:
    tags = ",".join(filter(None, map(text, items(trace.get("tags")))))
    return {
        "session": text(field(trace, "sessionId")),
        "principal": text(field(trace, "userId")),
        "environment": text(trace.get("environment")),
        "workflow": text(trace.get("name")),
        "tags": tags,
        "release": text(trace.get("release")),
    }


def _observation(value: dict[str, Any], trace: Known, where: Provenance) -> _Observation:
    trace_id = text(field(value, "traceId"))
    kind = text(value.get("type")).upper()
    here = text(value.get("id"))
    if not here and kind in _BILLING:
        raise QuarantineError("a generation without an id", "export it with its id")
    counts = usage_of(value) if kind in _BILLING else {}
    read = {name: value[name] for name in value if name in _READ} if kind in _BILLING else {}
    return _Observation(
        (trace_id, here or repr(sorted(where.items()))),
        (trace_id, text(field(value, "parentObservationId"))),
        _BILLING.get(kind, ""),
        any(isinstance(each, int | str) and each not in (0, "0", "") for each in counts.values()),
        read,
        counts,
        _attributes(value) if kind in _BILLING else {},
        trace,
        where,
    )


def _records(trace: Mapping[Key, _Observation]) -> Iterator[Record | Problem]:
    outer = enclosing(trace)
    calls = [each for each in trace.values() if each.bills and each.key not in outer]
    for each in calls:
        try:
            yield _record(each)
        except QuarantineError as error:
            yield error.problem(each.where.get("line"))
    for key, each in missing_parents(trace, iter(calls)).items():
        try:
            yield _note(each, key)
        except QuarantineError:
            continue  # it is a problem of the call itself already


def _note(inner: _Observation, outer: Key) -> Record:
    """Return a record that says of an observation: it encloses a call, and is none itself."""
    return Record(
        identity=_own(outer)[0],
        evidence="trace",
        origin=Origin(source=NAME),
        started_at_us=moment_us(field(inner.value, "startTime"), "startTime"),
        calls=0,
        usage="final",
        final=_ENCLOSING,
        reported_cost_usd=usd(0, "nothing"),
        **inner.where,
    )


def _record(found: _Observation) -> Record:
    value, trace, attributes = found.value, found.trace, found.said
    meters = meters_of(found.usage, attributes)
    counted = any(each is not None for each in meters.values())
    names = _identities(found, attributes)
    started, ended = field(value, "startTime"), field(value, "endTime")
    model = field(value, "model") or field(value, "providedModelName") or attributes.get("model")
    return Record(
        identity=names[0],
        aliases=identity.alias_text(*names[1:]),
        evidence="trace",
        origin=_origin(value, trace, attributes, text(model)),
        started_at_us=moment_us(started, "startTime"),
        ended_at_us=moment_us(ended, "endTime") if ended else None,
        status="error" if text(value.get("level")).upper() == "ERROR" else "ok",
        usage="final" if counted else "missing",
        final=_WITH_ID if names[0].startswith("upstream:") else _WITHOUT_ID,
        service_tier=service_tier_named(text(attributes.get("service_tier"))),
        **meters,
        reported_cost_usd=_cost(value, found.usage),
        upstream_id=text(attributes.get("response_id")),
        trace_id=found.key[0],
        session_id=text(field(value, "sessionId")) or text(trace.get("session")),
        task_id=text(attributes.get("task")),
        **found.where,
    )


def _origin(value: dict[str, Any], trace: Known, attributes: Known, model: str) -> Origin:
    def said(name: str, own_name: str = "") -> str:
        own = text(field(value, own_name)) if own_name else ""
        return own or text(attributes.get(name)) or text(trace.get(name))

    labels = {"trace": text(trace.get("workflow")), "tag": text(trace.get("tags"))}
    labels["release"] = text(trace.get("release"))
    return Origin(
        source=NAME,
        provider=provider_of(attributes),
        model=model.rpartition("/models/")[2],
        project=text(field(value, "projectId")),
        principal=said("principal", "userId"),
        environment=said("environment", "environment"),
        service=said("service"),
        agent=said("agent"),
        workflow=text(attributes.get("workflow")),
        labels=label_text(labels),
    )


def _identities(found: _Observation, attributes: Known) -> list[str]:
    provider = provider_of(attributes)
    response_id = text(attributes.get("response_id"))
    names = [identity.upstream(provider, response_id)] if response_id else []
    moment, _, behind = found.key[1].partition("_")
    if moment.startswith("time-") and identity.is_provider_id(behind):
        names.append(identity.upstream(provider, behind))
    return list(dict.fromkeys([*names, *_own(found.key)]))


def _own(key: Key) -> list[str]:
    """Return the identities of an observation that its own ids give."""
    trace, here = key[0].lower(), key[1].lower()
    spans = [identity.span(trace, here)] if _HEX.fullmatch(here) and _HEX_TRACE.match(trace) else []
    return [*spans, identity.client(NAME, f"{key[0]}:{key[1]}")]


def _attributes(value: dict[str, Any]) -> Known:
    """Return what the program itself said, under our names: of the span's attributes, if kept."""
    try:
        metadata = fields(value.get("metadata"))
        told = known(fields(metadata.get("attributes")))
        about = known(fields(metadata.get("resourceAttributes")))
    except QuarantineError:  # metadata is whatever a program wrote
        return {}
    plain = {"provider": metadata.get("ls_provider")} if metadata.get("ls_provider") else {}
    return {**plain, **about, **told}


def _cost(value: dict[str, Any], usage: dict[str, Any]) -> Decimal | None:
    """Return what Langfuse or the program computed; zero beside usage is no price."""
    details = fields(field(value, "costDetails"))
    told = first(value, "totalCost", "total_cost", "calculatedTotalCost")
    if told is None:
        told = details.get("total", usage.get(COST))
    cost = usd(told, "totalCost")
    return cost or None
