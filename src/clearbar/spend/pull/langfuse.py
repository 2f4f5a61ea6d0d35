"""Generations and embeddings of a Langfuse project, without input and output.

The second version of the API is asked, which sends fields by group; a server that does not know it
is asked by the first, of which input and output are taken out before anything is kept.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final

from clearbar.spend.pull.api import Api, Ask, Series, number_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.spend.pull.api import Page, Span

_PATHS: Final = {1: "/api/public/observations", 2: "/api/public/v2/observations"}
_PAGE_ROWS: Final = {1: "100", 2: "1000"}
_GROUPS: Final = "core,basic,time,model,usage,trace_context"
_KINDS: Final = ("GENERATION", "EMBEDDING")


def _first(version: int, kind: str) -> Callable[[Span], Ask]:
    def ask(span: Span) -> Ask:
        query = (
            ("type", kind),
            ("fromStartTime", f"{span.start}T00:00:00Z"),
            ("toStartTime", f"{span.end}T00:00:00Z"),
            ("limit", _PAGE_ROWS[version]),
        )
        more = (("fields", _GROUPS),) if version == 2 else (("page", "1"),)  # noqa: PLR2004 - of the API
        return Ask(_PATHS[version], (*query, *more))

    return ask


def _next_by_cursor(ask: Ask, page: Page) -> Ask | None:
    cursor = text_of(_meta(page), "cursor")
    return ask.having(cursor=cursor) if cursor else None


def _next_by_number(ask: Ask, page: Page) -> Ask | None:
    number, last = number_of(_meta(page), "page"), number_of(_meta(page), "totalPages")
    return ask.having(page=str(number + 1)) if number < last else None


def _meta(page: Page) -> Page:
    meta = page.get("meta")
    return meta if isinstance(meta, dict) else {}


def _series(kind: str) -> Series:
    newest, oldest = (
        Series(
            name=kind.lower() + "s",
            first=_first(version, kind),
            next=following,
            trailing_days=2,
            span_days=1,
            replaces=False,
        )
        for version, following in ((2, _next_by_cursor), (1, _next_by_number))
    )
    return Series(
        name=newest.name,
        first=newest.first,
        next=newest.next,
        trailing_days=newest.trailing_days,
        span_days=newest.span_days,
        replaces=False,
        instead=oldest,
    )


def _basic(keys: tuple[str, ...]) -> dict[str, str]:
    public, secret = keys
    return {"authorization": "Basic " + b64encode(f"{public}:{secret}".encode()).decode()}


API: Final = Api(
    name="langfuse",
    title="Langfuse: generations and embeddings of a project",
    url="https://cloud.langfuse.com",
    url_env="LANGFUSE_HOST",
    key_envs=("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"),
    headers=_basic,
    series=tuple(_series(kind) for kind in _KINDS),
    content=frozenset({"input", "output", "modelParameters", "statusMessage", "metadata"}),
    counts=frozenset({"usage", "usageDetails", "costDetails"}),
)
