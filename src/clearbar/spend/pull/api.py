"""The nouns of pulling: an API has series, a series is asked page by page for a span of days.

Never here: connections, files, the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping  # noqa: TC003 - part of the declared types
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from collections.abc import Iterator


class PullError(ClearbarError):
    """A pull that cannot go on. What was pulled before it stays."""


class Span(NamedTuple):
    """UTC days, `end` excluded."""

    start: date
    end: date

    def parts(self, days: int) -> Iterator[Span]:
        """Yield it in parts of at most so many days, in order."""
        start = self.start
        while start < self.end:
            end = min(start + timedelta(days=days), self.end)
            yield Span(start, end)
            start = end


class Ask(NamedTuple):
    """One request of a page, below the API's address."""

    path: str
    query: tuple[tuple[str, str], ...] = ()

    def having(self, **values: str) -> Ask:
        """Return it with some parameters of the query put in place of those of the same name."""
        kept = tuple(each for each in self.query if each[0] not in values)
        return Ask(self.path, (*kept, *values.items()))


Page: TypeAlias = "Mapping[str, Any]"
"""A page as decoded JSON: an object."""


@dataclass(frozen=True, slots=True)
class Series:
    """One of the lists that an API has."""

    name: str
    """As it stands in the name of its folder: `costs`, `usage-completions`."""
    first: Callable[[Span], Ask]
    """The first page of a span."""
    next: Callable[[Ask, Page], Ask | None]
    """The page after this one; None after the last."""
    trailing_days: int
    """What is younger may still change, and is pulled again."""
    span_days: int
    """How many days are pulled at a time: a span is kept whole or not at all."""
    replaces: bool
    """Whether what is no longer told of a day is withdrawn: true of buckets and bills."""
    oldest_days: int | None = None
    """How far back the API remembers; None for no end."""
    whole_days: bool = False
    """Whether it tells of no day before it is over."""
    instead: Series | None = None
    """What is asked where the server does not know this one (status 404)."""


@dataclass(frozen=True, slots=True)
class Api:
    """Where usage or costs can be fetched."""

    name: str
    title: str
    url: str
    """Its address; empty where every user has one of their own."""
    url_env: str
    """The environment variable that names another address."""
    key_envs: tuple[str, ...]
    """The environment variables that hold its keys: all are needed."""
    headers: Callable[[tuple[str, ...]], dict[str, str]]
    """Keys, in the order of `key_envs` -> headers."""
    series: tuple[Series, ...]
    content: frozenset[str] = field(default_factory=frozenset)
    """Names of fields that may hold prompts, answers or addresses: taken out before it is kept."""
    counts: frozenset[str] = field(default_factory=frozenset)
    """Names of objects whose numbers are kept all the same: they count what is called so."""
    texts: frozenset[str] = field(default_factory=frozenset)
    """Names of the texts that are kept, where any other may be content; empty for all."""


def text_of(page: Page, name: str) -> str:
    """Return a page's token for the next one; empty where it has none.

    Raises:
        PullError: when it is no text.
    """
    value = page.get(name)
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise PullError(f"the answer's {name} is not a text", "this may be another API")
    return value


def number_of(page: Page, name: str) -> int:
    """Return a page's count; 0 where it has none.

    Raises:
        PullError: when it is no whole number.
    """
    value = page.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise PullError(f"the answer's {name} is not a whole number", "this may be another API")
    return value


def by_token(ask: Ask, page: Page) -> Ask | None:
    """Return the next page of an API that says `has_more` and `next_page`."""
    token = text_of(page, "next_page")
    return ask.having(page=token) if page.get("has_more") and token else None
