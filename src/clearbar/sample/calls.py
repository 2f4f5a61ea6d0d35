"""The true calls and outcomes of a story, drawn from its distributions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from clearbar.sample.prices import Tokens, cost_usd
from clearbar.sample.story import AS_OF, DAYS, FIRST_DAY, Step, Story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

_DEMAND_NOISE: Final = 0.05
_MANY_CALLS: Final = 2
"""From here on, the number of calls a task takes varies with the task."""
_SCORED_AT_HOUR: Final = 20


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it truly happened: what every file about it should add up to."""

    story: Story
    step: Step
    task_number: int
    call_id: str
    """32 hexadecimal digits."""
    started_at: datetime
    duration_ms: int
    tokens: Tokens
    """As billed: nothing for a failed call, nor for one that a cache answered."""
    cost_usd: Decimal | None
    status: Literal["ok", "error", "cache_hit"] = "ok"
    retries: int = 0

    @property
    def task_id(self) -> str:
        """The task that the call worked on."""
        return task_id(self.story, self.task_number)

    @property
    def day(self) -> date:
        """The UTC day."""
        return self.started_at.date()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of an outcomes file."""

    story: Story
    task_id: str
    score: Decimal
    scored_at: datetime


def task_id(story: Story, number: int) -> str:
    """Return the id of a story's task."""
    return f"{story.name}-{number:05d}"


def task_starts(story: Story, rng: Random) -> list[datetime]:
    """Return when the tasks of a story begin, in order."""
    starts: list[datetime] = []
    for index in range((story.first_day - FIRST_DAY).days, DAYS):
        day = FIRST_DAY + timedelta(days=index)
        mean = story.tasks_per_day * story.rhythm[day.weekday()] * (1 + story.growth * index / DAYS)
        demand = _whole(mean * rng.gauss(1, _DEMAND_NOISE), rng)
        starts += sorted(_moment(day, story.hours, rng) for _ in range(demand))
    return starts


def calls_of(story: Story, starts: list[datetime], rng: Random) -> Iterator[Call]:
    """Yield every call of a story's tasks, failed attempts included."""
    for number, start in enumerate(starts):
        now = start
        for step in story.steps:
            for _ in range(_calls_in_task(step, rng)):
                for call in _attempts(story, step, number, now, rng):
                    yield call
                    now += timedelta(milliseconds=call.duration_ms + rng.randint(400, 9000))


def outcomes_of(story: Story, starts: list[datetime], rng: Random) -> Iterator[Outcome]:
    """Yield a story's outcome lines; a task scored twice has two, and the later one counts."""
    results = story.results
    if results is None:
        return
    for number, start in enumerate(starts):
        scored_at = datetime.combine(start.date(), time(_SCORED_AT_HOUR), UTC)
        scored_at += timedelta(seconds=rng.randrange(7200))
        draw = rng.random()
        score = "1" if draw < results.good_share else "0"
        if results.good_share <= draw < results.good_share + results.half_share:
            score = "0.5"
        yield Outcome(story, task_id(story, number), Decimal(score), scored_at)
        later = scored_at + timedelta(days=1)
        if rng.random() < results.rescored_share and later.date() < AS_OF:
            yield Outcome(story, task_id(story, number), Decimal(1), later)


def _attempts(story: Story, step: Step, number: int, now: datetime, rng: Random) -> Iterator[Call]:
    failed = rng.random() < story.failure_share
    if failed:
        seconds = rng.randint(2, 30)
        yield Call(
            story, step, number, _id(rng), now, seconds * 1000, Tokens(), Decimal(0), "error"
        )
        now += timedelta(seconds=seconds + 1)
    if rng.random() < story.cache_hit_share:
        yield Call(story, step, number, _id(rng), now, 3, Tokens(), Decimal(0), "cache_hit")
        return
    tokens = _tokens(story, step, now.date(), rng)
    cost = cost_usd(step.model, tokens, step.lifetime)
    duration = 300 + tokens.output * rng.randint(8, 20)
    yield Call(story, step, number, _id(rng), now, duration, tokens, cost, retries=int(failed))


def _tokens(story: Story, step: Step, day: date, rng: Random) -> Tokens:
    longer = story.longer_by if story.longer_from and day >= story.longer_from else 1.0
    return Tokens(
        *(
            1 + int(median * longer * rng.lognormvariate(0, step.spread)) if median else 0
            for median in step.medians
        )
    )


def _calls_in_task(step: Step, rng: Random) -> int:
    mean = step.calls_per_task
    return _whole(mean * rng.lognormvariate(-0.08, 0.4) if mean > _MANY_CALLS else mean, rng)


def _whole(mean: float, rng: Random) -> int:
    return int(mean) + (rng.random() < mean % 1)


def _moment(day: date, hours: tuple[int, int], rng: Random) -> datetime:
    first, last = hours
    milliseconds = rng.randrange(first * 3_600_000, last * 3_600_000)
    return datetime.combine(day, time(), UTC) + timedelta(milliseconds=milliseconds)


def _id(rng: Random) -> str:
    return f"{rng.getrandbits(128):032x}"
