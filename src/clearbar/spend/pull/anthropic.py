"""Anthropic's usage report and cost report, of an organisation; they take an admin key.

Costs of the Priority Tier are in the usage report only. Both may change for days after: the last
week is pulled again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend.pull.api import Api, Ask, Series, by_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.spend.pull.api import Span

_BUCKETS: Final = 31
_CHANGES_FOR_DAYS: Final = 7


def _first(path: str, group_by: tuple[str, ...]) -> Callable[[Span], Ask]:
    def ask(span: Span) -> Ask:
        times = (
            ("starting_at", f"{span.start}T00:00:00Z"),
            ("ending_at", f"{span.end}T00:00:00Z"),
        )
        groups = tuple(("group_by[]", name) for name in group_by)
        return Ask(path, (*times, ("bucket_width", "1d"), ("limit", str(_BUCKETS)), *groups))

    return ask


def _series(name: str, path: str, group_by: tuple[str, ...]) -> Series:
    return Series(
        name=name,
        first=_first(path, group_by),
        next=by_token,
        trailing_days=_CHANGES_FOR_DAYS,
        span_days=_BUCKETS,
        replaces=True,
    )


_DIMENSIONS: Final = (
    "workspace_id",
    "api_key_id",
    "model",
    "service_tier",
    "context_window",
    "inference_geo",
)

API: Final = Api(
    name="anthropic",
    title="Anthropic: usage and costs of an organisation",
    url="https://api.anthropic.com",
    url_env="ANTHROPIC_BASE_URL",
    key_envs=("ANTHROPIC_ADMIN_KEY",),
    headers=lambda keys: {"x-api-key": keys[0], "anthropic-version": "2023-06-01"},
    series=(
        _series("costs", "/v1/organizations/cost_report", ("workspace_id", "description")),
        _series("usage", "/v1/organizations/usage_report/messages", _DIMENSIONS),
    ),
)
