"""OpenAI's Usage and Costs APIs, of an organisation; they take an admin key.

Usage is grouped by all that it can be grouped by, so that a bucket names who and what. Costs are
the bill, per project and line item. Both change for days after: the last week is pulled again.
Vector stores are bytes kept, not calls, and are not pulled; what they cost is in the costs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from clearbar.spend.pull.api import Api, Ask, Series, by_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from clearbar.spend.pull.api import Span

_WHO: Final = ("project_id", "user_id", "api_key_id")
_USAGE: Final = {
    "completions": (*_WHO, "model", "batch", "service_tier"),
    "embeddings": (*_WHO, "model"),
    "moderations": (*_WHO, "model"),
    "images": (*_WHO, "model", "size", "source"),
    "audio_speeches": (*_WHO, "model"),
    "audio_transcriptions": (*_WHO, "model"),
    "code_interpreter_sessions": ("project_id",),
    "file_search_calls": (*_WHO, "vector_store_id"),
    "web_search_calls": (*_WHO, "model", "context_level"),
}
_USAGE_BUCKETS: Final = 31
_COST_BUCKETS: Final = 180
_CHANGES_FOR_DAYS: Final = 7


def _seconds(day: date) -> str:
    return str(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()))


def _first(path: str, limit: int, group_by: tuple[str, ...]) -> Callable[[Span], Ask]:
    def ask(span: Span) -> Ask:
        groups = tuple(("group_by[]", name) for name in group_by)
        times = (("start_time", _seconds(span.start)), ("end_time", _seconds(span.end)))
        return Ask(path, (*times, ("bucket_width", "1d"), ("limit", str(limit)), *groups))

    return ask


def _usage(kind: str, group_by: tuple[str, ...]) -> Series:
    return Series(
        name=f"usage-{kind}",
        first=_first(f"/organization/usage/{kind}", _USAGE_BUCKETS, group_by),
        next=by_token,
        trailing_days=_CHANGES_FOR_DAYS,
        span_days=_USAGE_BUCKETS,
        replaces=True,
    )


COSTS: Final = Series(
    name="costs",
    first=_first("/organization/costs", _COST_BUCKETS, ("project_id", "line_item")),
    next=by_token,
    trailing_days=_CHANGES_FOR_DAYS,
    span_days=_USAGE_BUCKETS,
    replaces=True,
)

API: Final = Api(
    name="openai",
    title="OpenAI: usage and costs of an organisation",
    url="https://api.openai.com/v1",
    url_env="OPENAI_BASE_URL",
    key_envs=("OPENAI_ADMIN_KEY",),
    headers=lambda keys: {"authorization": f"Bearer {keys[0]}"},
    series=(COSTS, *(_usage(kind, names) for kind, names in _USAGE.items())),
)
