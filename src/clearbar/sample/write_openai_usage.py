"""Answers of OpenAI's Usage API: pages of daily buckets, sums that no other log tells of.

Buckets of the last days keep growing after they were first read. October's answer reads the last
three days of September again, now complete: a later reading replaces, it never adds.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from clearbar.sample.text_files import json_line, write_lines
from clearbar.sample.truth import Totals, totals_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from clearbar.sample.calls import Call

_READ_AGAIN: Final = 3
_EARLY_READING: Final = date(2026, 9, 28)
"""From this day on, September's answer was read too early: the last call was still missing."""
_PAGES: Final = (
    (date(2026, 8, 1), date(2026, 9, 1)),
    (date(2026, 9, 1), date(2026, 10, 1)),
    (date(2026, 10, 1) - timedelta(days=_READ_AGAIN), date(2026, 11, 1)),
)

_Kind = tuple[str, str, str]


def write_openai_usage(folder: Path, calls: Iterable[Call]) -> int:
    """Write one page a month below `folder`; return how many results in them are broken."""
    days: defaultdict[date, list[Call]] = defaultdict(list)
    for call in calls:
        days[call.day].append(call)
    for first, end in _PAGES:
        early = end == _PAGES[1][1]
        buckets = [
            _bucket(day, _results(of_day[:-1] if early and day >= _EARLY_READING else of_day))
            for day, of_day in sorted(days.items())
            if first <= day < end
        ]
        if end == _PAGES[-1][1]:
            buckets.append(_bucket(date(2026, 10, 31), [_broken_result()]))
        page = {"object": "page", "data": buckets, "has_more": False, "next_page": None}
        month = end - timedelta(days=1)
        write_lines(folder / f"usage-{month:%Y-%m}.json", [json_line(page)])
    return 1


def _bucket(day: date, results: list[dict[str, Any]]) -> dict[str, Any]:
    start = int(datetime.combine(day, time(), UTC).timestamp())
    return {
        "object": "bucket",
        "start_time": start,
        "end_time": start + 86_400,
        "results": results,
    }


def _results(calls: Iterable[Call]) -> list[dict[str, Any]]:
    sums: defaultdict[_Kind, Totals] = defaultdict(Totals)
    for call in calls:
        origin = call.story.origin
        sums[call.step.model.name, origin["project"], origin["credential"]] += totals_of(call)
    return [_result(kind, totals) for kind, totals in sorted(sums.items())]


def _result(kind: _Kind, totals: Totals) -> dict[str, Any]:
    model, project, key = kind
    return {
        "object": "organization.usage.completions.result",
        "input_tokens": totals.input_tokens + totals.cache_read_tokens,
        "input_cached_tokens": totals.cache_read_tokens,
        "input_cache_write_tokens": 0,
        "input_uncached_tokens": totals.input_tokens,
        "output_tokens": totals.output_tokens,
        "input_text_tokens": totals.input_tokens,
        "output_text_tokens": totals.output_tokens,
        "input_cached_text_tokens": totals.cache_read_tokens,
        **_no_other_modality(),
        "num_model_requests": totals.calls,
        "project_id": project,
        "user_id": None,
        "api_key_id": key,
        "model": model,
        "batch": False,
        "service_tier": "default",
    }


def _no_other_modality() -> Mapping[str, int]:
    kinds = ("input", "input_cached", "output")
    return {f"{kind}_{mode}_tokens": 0 for kind in kinds for mode in ("audio", "image")}


def _broken_result() -> dict[str, Any]:
    """Return a result that says more was cached than came in."""
    kind = ("gpt-5-2025-08-07", "proj_market_digest", "key_broken")
    return _result(kind, Totals(calls=1, input_tokens=500)) | {"input_cached_tokens": 9_000}
