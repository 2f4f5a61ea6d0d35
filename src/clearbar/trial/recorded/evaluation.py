"""What all readers of other evaluators' results share: which score counts, and repeats.

Pure, but for what the readers hand in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import fmean
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError, Problem, nearest
from clearbar.spend.files.quarantine import QuarantineError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from clearbar.trial.recorded.recorded_score import RecordedScore

_WORDS: Final = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a file may leave open, and a person says."""

    tool: str | None = None
    """The tool that was evaluated, where the file does not say, or says it in other words."""
    metric: str | None = None
    """Which of several metrics is the score."""


def pick_metric(found: Collection[str], choice: Choice, file: str) -> str | None:
    """Return the metric that counts: the chosen one, or the only one; None where there is none.

    Raises:
        ClearbarError: when there are several and none is chosen, or the chosen one is not there.
    """
    names = sorted(set(found))
    if choice.metric is not None:
        if choice.metric in names or not names:
            return choice.metric
        way_out = nearest(choice.metric, names) or f" It has {', '.join(names)}."
        raise ClearbarError(f'{file} has no metric "{choice.metric}".{way_out}')
    if len(names) > 1:
        raise ClearbarError(
            f"{file} has several metrics: {', '.join(names)}", "say which one is the score"
        )
    return names[0] if names else None


def need_tool(found: str, choice: Choice, file: str) -> str:
    """Return the tool that was evaluated.

    Raises:
        ClearbarError: when neither the file nor a person says.
    """
    if tool := choice.tool or found:
        return tool
    raise ClearbarError(f"{file} does not say which tool it evaluated", "name the tool")


def unit_score(value: object, name: str = "score") -> float:
    """Return a score in [0, 1]: a number, true or false.

    Raises:
        QuarantineError: when it is none.
    """
    if isinstance(value, str):
        said = value.strip().lower()
        value = _WORDS[said] if said in _WORDS else _float(said, name)
    if not isinstance(value, bool | int | float | Decimal):
        raise QuarantineError(f"{name} is not a number")
    try:
        score = float(value)
    except (OverflowError, ValueError):  # larger than any float; a signalling NaN
        score = math.nan
    if not 0 <= score <= 1:
        raise QuarantineError(f"{name} is not from 0 to 1", "choose a metric that is")
    return score


def _float(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise QuarantineError(f"{name} is not a number") from None


def usd_of(value: object) -> Decimal | None:
    """Return a cost above zero, as written; None for zero, which many write for "not known"."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    amount = Decimal(str(value))
    return amount if amount.is_finite() and amount > 0 else None


def tokens_of(value: object) -> int | None:
    """Return a number of tokens above zero; None for zero, which many write for "not known"."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and isinstance(value, int) and value > 0 else None


def merge_repeats(
    rows: Iterable[RecordedScore | Problem],
) -> Iterator[RecordedScore | Problem]:
    """Yield one score for each tool and case: the mean where the case was asked several times.

    So a case counts once, however often it was asked (epochs, repeats, further runs), and its score
    is what asking once is worth. A failed try among others that did not fail is left out.
    """
    found: dict[tuple[str, str], list[RecordedScore]] = {}
    for row in rows:
        if isinstance(row, Problem):
            yield row
        else:
            found.setdefault((row.case, row.tool), []).append(row)
    for same in found.values():
        yield same[0] if len(same) == 1 else _merged(same)


def _merged(rows: list[RecordedScore]) -> RecordedScore:
    good = [row for row in rows if row.status == "ok" and row.score is not None]
    if not good:
        return rows[0]
    costs = [row.cost_usd for row in good if row.cost_usd is not None]
    return replace(
        good[0],
        score=fmean(row.score for row in good if row.score is not None),
        cost_usd=sum(costs, Decimal(0)) / len(costs) if costs else None,
        input_tokens=_mean_tokens([row.input_tokens for row in good]),
        output_tokens=_mean_tokens([row.output_tokens for row in good]),
    )


def _mean_tokens(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return round(fmean(known)) if known else None
