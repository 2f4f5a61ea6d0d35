"""OpenRouter's activity: what each endpoint cost on each finished UTC day of the last thirty.

It takes a management key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend.pull.api import Api, Ask, Series

if TYPE_CHECKING:
    from clearbar.spend.pull.api import Page, Span


def _first(span: Span) -> Ask:
    return Ask("/activity", (("date", str(span.start)),))


def _no_next(ask: Ask, page: Page) -> Ask | None:
    del ask, page
    return None


API: Final = Api(
    name="openrouter",
    title="OpenRouter: activity",
    url="https://openrouter.ai/api/v1",
    url_env="OPENROUTER_BASE_URL",
    key_envs=("OPENROUTER_API_KEY",),
    headers=lambda keys: {"authorization": f"Bearer {keys[0]}"},
    series=(
        Series(
            name="activity",
            first=_first,
            next=_no_next,
            trailing_days=3,
            span_days=1,
            replaces=True,
            oldest_days=30,
            whole_days=True,
        ),
    ),
)
