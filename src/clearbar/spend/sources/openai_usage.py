"""Answers of OpenAI's Usage API: buckets of usage per organisation.

Where: `GET /v1/organization/usage/{completions,embeddings,moderations,images,audio_speeches,
audio_transcriptions,code_interpreter_sessions,file_search_calls,web_search_calls}`; a page of
buckets, one bucket, or a page a line. Each result of a bucket is a record of many calls. A
result without its bucket has no time and is refused.

`input_tokens` holds all input. The kinds of input are disjoint where they are given: text, audio
and images each fresh and cached, and cache writes; they must sum to the whole. Dimensions are
null unless the request grouped by them, and the default project is null too. What any bucket of a
file names is taken to be asked for in all buckets of its kind, and a null for a part of that
grouping: the label `null_in` says so. So keep each grouping in a file of its own; of several files
each call counts once. A bucket keeps growing for hours: read again, it replaces the earlier
reading. In a second grouping in the same file a bucket is refused. Scale Tier tokens are included
though they are prepaid.

Costs (`/v1/organization/costs`) are bills and are not read here. Vector stores are bytes kept,
not calls, and are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from clearbar.spend import identity
from clearbar.spend.charge import NULL_IN, Origin, Record, label_text
from clearbar.spend.files.entry import each_record, provenance, text
from clearbar.spend.files.quarantine import QuarantineError, quantity, rest_of
from clearbar.spend.shapes.provider_names import service_tier_named
from clearbar.spend.shapes.provider_reports import nulls, results_of_usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.entry import Counts
    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.shapes.provider_reports import Result

NAME: Final = "openai_usage"
PARSER_VERSION: Final = 1
TITLE: Final = "OpenAI Usage API"
WHERE: Final = "GET https://api.openai.com/v1/organization/usage/*, saved as JSON"
CONVENTION: Final = (
    "Cached tokens and cache writes are counted inside the input; reasoning is counted inside "
    "the output."
)

_PREFIX: Final = "organization.usage."
_FEES: Final = {
    "images": ("images", "images"),
    "audio_speeches": ("input_characters", "characters"),
    "audio_transcriptions": ("audio_seconds", "seconds"),
    "code_interpreter_sessions": ("code_sessions", "num_sessions"),
    "file_searches": ("file_searches", "num_requests"),
    "web_searches": ("web_searches", "num_requests"),
}
"""Kind of result -> meter, and the field that fills it."""
_TOKENS: Final = ("completions", "embeddings", "moderations")
_LABELS: Final = ("size", "source", "context_level", "vector_store_id")
_DIMENSIONS: Final = {
    "project_id": "project",
    "user_id": "principal",
    "api_key_id": "credential",
    "model": "model",
    "batch": "service_tier",
    "service_tier": "service_tier",
    **{name: name for name in _LABELS},
}
"""What usage is grouped by -> the name of that."""


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes hold a result of the Usage API."""
    return b"organization.usage." in file.head and file.name.endswith((".json", ".jsonl"))


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each result of each bucket.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    return each_record(results_of_usage(file, "start_time", "end_time", _DIMENSIONS), _record)


def _record(found: Result) -> Record:
    result, start, end = found.value, found.start_us, found.end_us
    kind = text(result.get("object")).removeprefix(_PREFIX).removesuffix(".result")
    meters = _meters(kind, result)
    calls = _calls(kind, result)
    tier = _service_tier(result)
    origin = _origin(found, tier)
    dimensions = (kind, origin.project, origin.principal, origin.credential, origin.model)
    return Record(
        identity=identity.bucket(NAME, "", start, end - start, *dimensions, tier, origin.labels),
        evidence="provider",
        origin=origin,
        started_at_us=start,
        ended_at_us=end,
        grain="bucket",
        calls=calls,
        final=calls,
        service_tier=tier,
        **meters,
        **provenance(found.entry),
    )


def _meters(kind: str, result: dict[str, Any]) -> Counts:
    if kind in _FEES:
        meter, name = _FEES[kind]
        return cast("Counts", {meter: quantity(result.get(name), name)})
    if kind in _TOKENS:
        return {**_input(result), **_output(result)}
    if kind == "vector_stores":
        raise QuarantineError("vector stores are bytes kept, not calls", "leave them out")
    raise QuarantineError("a kind of usage that is not known", "a newer Clearbar may know it")


def _input(result: dict[str, Any]) -> Counts:
    whole = quantity(result.get("input_tokens"), "input_tokens")
    cached = quantity(result.get("input_cached_tokens"), "input_cached_tokens")
    written = quantity(result.get("input_cache_write_tokens"), "input_cache_write_tokens")
    parts = {"input_cached_tokens": cached, "input_cache_write_tokens": written}
    fresh = rest_of(whole, "input_tokens", **parts)
    _check_equal(result, "input_uncached_tokens", fresh)
    text_fresh, audio_fresh, image_fresh = _by_kind(result, "input", fresh)
    text_read, audio_read, image_read = _by_kind(result, "input_cached", cached)
    return {
        "input_tokens": text_fresh,
        "input_audio_tokens": audio_fresh,
        "input_image_tokens": image_fresh,
        "cache_read_tokens": text_read,
        "cache_read_audio_tokens": audio_read,
        "cache_read_image_tokens": image_read,
        "cache_write_tokens": written,
    }


def _output(result: dict[str, Any]) -> Counts:
    whole = quantity(result.get("output_tokens"), "output_tokens")
    text_out, audio_out, image_out = _by_kind(result, "output", whole)
    return {
        "output_tokens": text_out,
        "output_audio_tokens": audio_out,
        "output_image_tokens": image_out,
    }


def _by_kind(
    result: dict[str, Any], prefix: str, whole: int | None
) -> tuple[int | None, int | None, int | None]:
    """Return text (or of unknown kind), audio and images; together they are the whole."""
    audio = quantity(result.get(f"{prefix}_audio_tokens"), f"{prefix}_audio_tokens")
    image = quantity(result.get(f"{prefix}_image_tokens"), f"{prefix}_image_tokens")
    rest = rest_of(whole, f"the {prefix} tokens", audio_tokens=audio, image_tokens=image)
    _check_equal(result, f"{prefix}_text_tokens", rest)
    return rest, audio, image


def _check_equal(result: dict[str, Any], name: str, expected: int | None) -> None:
    reported = quantity(result.get(name), name)
    if reported is not None and reported != expected:
        raise QuarantineError(
            f"the kinds of tokens do not sum to the whole: see {name}",
            "older answers counted cached tokens inside each kind; ask the API again",
        )


def _calls(kind: str, result: dict[str, Any]) -> int:
    calls = quantity(result.get("num_model_requests"), "num_model_requests")
    if calls is None and kind in _FEES:
        calls = quantity(result.get(_FEES[kind][1]), _FEES[kind][1])
    if calls is None:
        raise QuarantineError("num_model_requests is missing")
    return calls


def _service_tier(result: dict[str, Any]) -> str:
    if text(result.get("batch")).lower() == "true":
        return "batch"
    return service_tier_named(text(result.get("service_tier")))


def _origin(found: Result, tier: str) -> Origin:
    result = found.value
    labels = {name: text(result.get(name)) for name in _LABELS}
    names = {
        "model": text(result.get("model")),
        "project": text(result.get("project_id")),
        "credential": text(result.get("api_key_id")),
        "principal": text(result.get("user_id")),
    }
    labels[NULL_IN] = nulls(found, {**names, **labels, "service_tier": tier})
    return Origin(source=NAME, provider="openai", labels=label_text(labels), **names)
