"""One pull: the days that are due of each series of an API, page by page, kept span by span."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from clearbar.spend.charge import Record
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.pull.api import PullError, Span
from clearbar.spend.pull.content import kept_of, page_of, tells_nothing
from clearbar.spend.pull.fetch import NotKnown, Unreachable
from clearbar.spend.pull.kept import Staging, kept, place_of, stamp
from clearbar.spend.shapes.withdrawal import lines_of, withdrawn
from clearbar.spend.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from clearbar.spend.pull.api import Api, Ask, Page, Series
    from clearbar.spend.pull.fetch import Fetcher

FIRST_DAYS: Final = 31
"""So far back goes the first pull of a series, when no day is named."""
EARLIEST: Final = date(2020, 1, 1)
"""No API tells of calls before it: a year that is mistyped is not asked for day by day."""
MAX_PAGES: Final = 20_000
"""Of one span: an API that always has another page is not followed for ever."""

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api": "The API that was asked.",
        "series": "One for each list that the API has.",
        "series[].name": "Its name.",
        "series[].start": "The first day that was asked for, in UTC; null where none was due.",
        "series[].end": "The first day after those that were pulled.",
        "series[].pages": "Pages that came.",
        "series[].withdrawn": "Lines of earlier pulls that the API no longer tells of.",
        "series[].failed": "Why it ended early; null where it did not.",
        "added": "What came of reading it into the ledger: see `clearbar spend add`.",
    }
)
"""Every field of what `clearbar spend pull --json` prints."""


@dataclass(slots=True)
class Pulled:
    """What came of one series."""

    name: str
    start: date | None = None
    end: date | None = None
    """The first day that was not pulled."""
    pages: int = 0
    withdrawn: int = 0
    failed: str | None = None
    hint: str = ""

    def json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        days = {"start": self.start and str(self.start), "end": self.end and str(self.end)}
        counts = {"pages": self.pages, "withdrawn": self.withdrawn, "failed": self.failed}
        return {"name": self.name, **days, **counts}


class Shown(Protocol):
    """Told of each page."""

    def __call__(self, series: str, span: Span, pages: int) -> None:
        """Show it."""
        ...


def pull(
    api: Api,
    fetcher: Fetcher,
    root: Path,
    account: str,
    since: date | None,
    clock: Callable[[], datetime],
    shown: Shown | None = None,
) -> list[Pulled]:
    """Pull what is due into files below `root`; return what came, series by series.

    A series that fails does not keep the others from being pulled, but for a server that cannot be
    reached.

    Raises:
        ClearbarError: when the account has no proper name, or `since` is no day to pull from.
    """
    _check(since, clock().astimezone(UTC).date())
    place = place_of(root, api.name, account)
    found = []
    failure: PullError | None = None
    for series in api.series:
        pulled = Pulled(series.name)
        found.append(pulled)
        if not isinstance(failure, Unreachable):
            failure = None
            folder = place / series.name
            try:
                _pull_series(api, series, fetcher, folder, since, clock, pulled, shown)
            except PullError as error:
                failure = error
        if failure is not None:
            pulled.failed, pulled.hint = failure.message, failure.hint
    return found


def _check(since: date | None, today: date) -> None:
    if since is not None and since > today:
        raise PullError(f"{since} is yet to come: today is {today} in UTC", "give a day before")
    if since is not None and since < EARLIEST:
        raise PullError(f"no API knows of {since}", f"pull from {EARLIEST} on, or later")


def _check_clock(folder: Path, now: datetime) -> None:
    """Refuse to go on behind a pull of the days to come: which is newest could not be told."""
    latest = max((each.pulled for each in kept(folder)), default="")
    if latest > stamp(now + timedelta(days=1)):
        raise PullError(
            f"a pull from a later time is kept, {latest}: the clock was wrong then, or is now",
            f"if it was then, remove what is of that time from {folder}",
        )


def due(series: Series, folder: Path, since: date | None, today: date) -> Span:
    """Return the days to pull: since the last pull, and those before it that may have changed."""
    end = today if series.whole_days else today + timedelta(days=1)
    ends = [each.span.end for each in kept(folder)]
    start = max(ends) if ends else today - timedelta(days=FIRST_DAYS)
    start = since or min(start, today) - timedelta(days=series.trailing_days if ends else 0)
    if series.oldest_days is not None:
        start = max(start, today - timedelta(days=series.oldest_days))
    return Span(min(start, end), end)


def _pull_series(
    api: Api,
    series: Series,
    fetcher: Fetcher,
    folder: Path,
    since: date | None,
    clock: Callable[[], datetime],
    pulled: Pulled,
    shown: Shown | None,
) -> None:
    _check_clock(folder, clock())
    whole = due(series, folder, since, clock().astimezone(UTC).date())
    for span in whole.parts(series.span_days):
        now = stamp(clock())
        with Staging(folder) as staging:
            for page in _pages(api, series, fetcher, span):
                staging.add(page)
                if shown:
                    shown(series.name, span, staging.pages)
            gone = _withdrawn(folder, staging.folder, span) if series.replaces else []
            staging.publish(span, lines_of(gone, now), now)
            pulled.start, pulled.end = pulled.start or span.start, span.end
            pulled.pages += staging.pages
            pulled.withdrawn += len(gone)


def _pages(api: Api, series: Series, fetcher: Fetcher, span: Span) -> Iterator[bytes]:
    ask: Ask | None = series.first(span)
    asked: set[Ask] = set()
    while ask is not None:
        try:
            payload = fetcher.page(ask)
        except NotKnown:
            if series.instead is None or asked:
                raise
            yield from _pages(api, series.instead, fetcher, span)
            return
        page = page_of(payload)
        yield b"" if tells_nothing(page) else kept_of(api, payload, page)
        asked.add(ask)
        ask = _following(series, ask, page, asked)


def _following(series: Series, ask: Ask, page: Page, asked: set[Ask]) -> Ask | None:
    following = series.next(ask, page)
    if following in asked or len(asked) >= MAX_PAGES:
        raise PullError("the API names pages without end", "pull fewer days")
    return following


def _withdrawn(folder: Path, staged: Path, span: Span) -> list[Record]:
    """Return what earlier pulls told of the span's days and the staged one does not."""
    earlier = [each.folder for each in kept(folder) if _overlap(each.span, span)]
    before = (record for each in earlier for record in _records(each) if _is_of(record, span))
    return withdrawn(before, _records(staged))


def _records(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.iterdir()):
        file = open_source_file(path)
        source = next((each for each in SOURCES if each.recognises(file)), None)
        if source is not None:
            yield from (item for item in source.read(file) if isinstance(item, Record))


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _is_of(record: Record, span: Span) -> bool:
    day = datetime.fromtimestamp(record.started_at_us / 1_000_000, tz=UTC).date()
    return span.start <= day < span.end
