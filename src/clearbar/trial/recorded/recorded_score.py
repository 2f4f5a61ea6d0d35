"""The noun of evidence from elsewhere: what somebody else found of one tool on one case.

Never here: rules, network, disk, clock, randomness.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal  # noqa: TC003 - part of the declared type
from typing import Literal

RecordedStatus = Literal["ok", "error", "unscored"]


@dataclass(frozen=True, slots=True)
class RecordedScore:
    """One score of one tool on one case, as another evaluator or a table recorded it."""

    case: str
    tool: str
    score: float | None
    """In [0, 1]; None where no score was given. An error is not a zero: see `status`."""
    cost_usd: Decimal | None = None
    """What asking cost; None where it was not recorded. A recorded zero stays a zero."""
    cluster: str | None = None
    label: float | None = None
    """The score by a person, which stands above `score`."""
    category: str | None = None
    """What kind of case it is: a subject, a task, a tag."""
    file: str = ""
    line: int | None = None
    """Line or row in `file`; the place in its list where the file is one document."""
    input_tokens: int | None = None
    """All that went in, cached or fresh, where that is what was recorded."""
    output_tokens: int | None = None
    status: RecordedStatus = "ok"
    """`error`: the tool or the evaluator failed on this case, and `score` says nothing of it.
    `unscored`: it was asked, and the score is not known."""
