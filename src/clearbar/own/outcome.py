"""The nouns of results: one outcome, and what a workflow's outcomes of one day add up to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import msgspec

from clearbar.core.errors import ClearbarError
from clearbar.core.money import plain
from clearbar.own.workflow import UNATTRIBUTED

MAX_WORTH_USD: Final = 10**12
MAX_WORTH_PLACES: Final = 12
MAX_NAME_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """One unit of result of a workflow: scored in [0, 1], possibly worth money.

    Raises:
        ClearbarError: when a field is outside its range. The text never quotes the field.
    """

    workflow: str
    task_id: str
    score: float
    scored_at: datetime
    """With its zone."""
    said_by: str
    """Who gave the score: a system, a role, a file."""
    worth_usd: Decimal | None = None
    """Worth at a score of 1; None takes the workflow's."""
    uri: str = ""
    """Where it was read."""
    line: int | None = None

    def __post_init__(self) -> None:
        for field in ("workflow", "task_id", "said_by"):
            _check_name(field, getattr(self, field))
        if self.workflow == UNATTRIBUTED:
            raise ClearbarError(f"{UNATTRIBUTED} is no workflow", "name the one that made it")
        if not 0.0 <= self.score <= 1.0:  # NaN is not inside either
            raise ClearbarError(
                "the score is outside [0, 1]", "write 0 for a failure, 1 for a full success"
            )
        if self.scored_at.utcoffset() is None:
            raise ClearbarError("the time of the score has no zone", "add one, such as Z for UTC")
        if self.worth_usd is not None:
            _check_worth(self.worth_usd)

    @property
    def scored_at_text(self) -> str:
        """The time in UTC; as text it sorts as time does."""
        return self.scored_at.astimezone(UTC).isoformat(timespec="microseconds")

    @property
    def outcome_id(self) -> str:
        """32 hexadecimal digits made of what is said, not of where it was read."""
        said = (
            self.workflow,
            self.task_id,
            self.scored_at_text,
            float(self.score),
            None if self.worth_usd is None else plain(self.worth_usd),
            self.said_by,
        )
        return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class DailyOutcomes:
    """What the tasks of one workflow, scored on one UTC day, add up to."""

    workflow: str
    day: date
    outcomes: int
    """Tasks, failures included."""
    good: float
    """Sum of the scores."""
    worth_usd: Decimal | None = None
    """Worth times score of the tasks that state a worth; None where none does."""
    good_without_worth: Decimal = Decimal(0)
    """Sum of the scores of the tasks that state none."""


def _check_name(field: str, name: str) -> None:
    if not name.strip():
        raise ClearbarError(f"{field} is empty", f"say which {field} is meant")
    if len(name) > MAX_NAME_LENGTH:
        raise ClearbarError(
            f"{field} is longer than {MAX_NAME_LENGTH} characters", "give a short name or an id"
        )


def _check_worth(worth_usd: Decimal) -> None:
    if not worth_usd.is_finite() or not 0 <= worth_usd <= MAX_WORTH_USD:
        raise ClearbarError(
            f"worth_usd is not between 0 and {MAX_WORTH_USD:,}",
            "write the worth of a full success in US dollars; the score says how much came of it",
        )
    exponent = worth_usd.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MAX_WORTH_PLACES:
        raise ClearbarError(
            f"worth_usd has more than {MAX_WORTH_PLACES} decimal places", "round it"
        )
