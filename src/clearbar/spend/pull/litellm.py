"""The spend logs of a LiteLLM proxy: one row a request, in the order of their times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend.pull.api import Api, Ask, Series, number_of

if TYPE_CHECKING:
    from clearbar.spend.pull.api import Page, Span

_PAGE_ROWS: Final = 1000
_TEXTS: Final = frozenset(
    (
        *("request_id", "litellm_call_id", "session_id", "call_type", "status", "cache_hit"),
        *("startTime", "endTime", "completionStartTime", "spend"),
        *("model", "model_id", "model_group", "custom_llm_provider", "service_tier"),
        *("api_key", "user", "end_user", "team_id", "organization_id", "agent_id"),
        *("request_tags", "user_api_key_alias", "user_api_key_user_id", "user_api_key_org_id"),
        *("user_api_key_team_alias", "user_api_key_team_id"),
        *("user_api_key_project_alias", "user_api_key_project_id"),
    )
)
"""Prompts get into ever new fields of these rows: of texts, only those that are read are kept."""


def _first(span: Span) -> Ask:
    times = (
        ("start_date", f"{span.start} 00:00:00"),
        ("end_date", f"{span.end} 00:00:00"),
    )
    order = (("sort_by", "startTime"), ("sort_order", "asc"))
    return Ask("/spend/logs/v2", (*times, *order, ("page_size", str(_PAGE_ROWS)), ("page", "1")))


def _next(ask: Ask, page: Page) -> Ask | None:
    number, last = number_of(page, "page"), number_of(page, "total_pages")
    return ask.having(page=str(number + 1)) if number < last else None


API: Final = Api(
    name="litellm",
    title="LiteLLM proxy: spend logs",
    url="",
    url_env="LITELLM_PROXY_URL",
    key_envs=("LITELLM_MASTER_KEY",),
    headers=lambda keys: {"authorization": f"Bearer {keys[0]}"},
    series=(
        Series(
            name="spend-logs",
            first=_first,
            next=_next,
            trailing_days=2,
            span_days=1,
            replaces=False,
        ),
    ),
    content=frozenset(
        {
            "messages",
            "response",
            "proxy_server_request",
            "requester_ip_address",
            "vector_store_request_metadata",
            "mcp_tool_call_metadata",
            "guardrail_information",
            "error_information",
            "spend_logs_metadata",
        }
    ),
    texts=_TEXTS,
)
