"""Why a recorded cost is not what the price book says: what the calls themselves give away.

Pure. The cost of calls at other unit prices is a plane over their tokens: two unit prices that most
of the calls share are looked for by trying pairs of calls (a consensus, so that a few odd ones do
not matter). What is off that plane may be cached input that the record does not tell of, or odd.
The numbers here explain; no money is made of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Context, Decimal
from itertools import combinations
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TOLERANCE: Final = 0.01
"""Share by which two costs may differ and still be called the same."""
_ODD: Final = 100.0
"""Times its list price, or a part of it, that no discount and no other price list explains."""
_TRIED: Final = 24
"""So many calls are paired with each other."""
_MOST_OF: Final = 0.6
_EXACT: Final = Context(prec=60)

Cause = Literal["other price", "cache", "zero", "anomaly", "too few", "unexplained"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One record with both costs. `ours_usd` is what the price book says."""

    charge_id: str
    input_tokens: int
    """Fresh, as told: where a record does not tell of its cache, all input."""
    cached_tokens: int
    """Read from a cache or written to one, as told."""
    output_tokens: int
    recorded_usd: Decimal
    ours_usd: Decimal

    @property
    def is_off(self) -> bool:
        """Whether the two differ by more than `TOLERANCE`."""
        return abs(self.recorded_usd - self.ours_usd) > Decimal("0.01") * self.ours_usd


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some records differ."""

    cause: Cause
    calls: int
    effect_usd: Decimal
    """Recorded cost minus ours."""
    text: str
    charge_id: str = ""
    """The record of the largest difference."""


@dataclass(frozen=True, slots=True)
class _Plane:
    """Unit prices that many records share."""

    usd_per_input: float
    usd_per_output: float


def reasons(
    records: Sequence[Compared], others: Sequence[Compared], book: Mapping[str, Decimal]
) -> tuple[Reason, ...]:
    """Return why records of one model and month differ, the largest effect first.

    `others` are records of the model in all months: they help where one has few. `book` is the
    price book's price of a million by meter.
    """
    off = [each for each in records if each.is_off]
    plane = _shared_prices(off) or _shared_prices([each for each in others if each.is_off])
    sorted_out: dict[Cause, list[Compared]] = defaultdict(list)
    for record in off:
        sorted_out[_cause(record, plane, book)].append(record)
    if len(alone := sorted_out.pop("unexplained", [])) == len(records):
        factor = _shared_factor(alone)
        sorted_out["other price" if factor and len(alone) > 1 else "too few"] += alone
    elif alone:
        sorted_out["unexplained"] = alone
    found = [_reason(cause, each, plane, book) for cause, each in sorted_out.items() if each]
    return tuple(sorted(found, key=lambda reason: (-abs(reason.effect_usd), reason.cause)))


def difference(records: Sequence[Compared]) -> Decimal:
    """Return recorded cost minus ours, exactly."""
    total = Decimal(0)
    for record in records:
        one = _EXACT.subtract(record.recorded_usd, record.ours_usd)
        total = _EXACT.add(total, one)
    return total


def _cause(record: Compared, plane: _Plane | None, book: Mapping[str, Decimal]) -> Cause:
    if not record.recorded_usd:
        return "zero"
    ratio = float(record.recorded_usd) / float(record.ours_usd) if record.ours_usd else _ODD
    if plane and _costs(record, plane, 1.0):
        return "other price"
    if not 1 / _ODD < ratio < _ODD:
        return "anomaly"
    listed = _Plane(_unit(book, "input_tokens"), _unit(book, "output_tokens"))
    return "cache" if _may_be_cached(record, [listed, plane], book) else "unexplained"


def _costs(record: Compared, plane: _Plane, input_factor: float) -> bool:
    expected = _at(record, plane, input_factor)
    return abs(float(record.recorded_usd) - expected) <= TOLERANCE * expected


def _at(record: Compared, plane: _Plane, input_factor: float) -> float:
    tokens = record.input_tokens * plane.usd_per_input * input_factor
    return tokens + record.output_tokens * plane.usd_per_output


def _may_be_cached(
    record: Compared, planes: Sequence[_Plane | None], book: Mapping[str, Decimal]
) -> bool:
    """Return whether some of the input may have been cached, of which the record does not tell."""
    fresh = _unit(book, "input_tokens")
    if record.cached_tokens or not record.input_tokens or not fresh:
        return False
    least = min(_unit(book, "cache_read_tokens") or fresh, fresh) / fresh
    most = max(_unit(book, "cache_write_5m_tokens"), _unit(book, "cache_write_1h_tokens"), fresh)
    cost, rounding = float(record.recorded_usd), TOLERANCE
    return least < 1 and any(
        _at(record, plane, least) * (1 - rounding)
        <= cost
        <= _at(record, plane, most / fresh) * (1 + rounding)
        for plane in planes
        if plane
    )


def _shared_prices(records: Sequence[Compared]) -> _Plane | None:
    """Return the unit prices that most of some records share, if any two of them do."""
    told = [each for each in records if each.recorded_usd and not each.cached_tokens]
    if len(told) < 3:  # noqa: PLR2004 - two always share a plane
        return None
    tokens = np.array([[each.input_tokens, each.output_tokens] for each in told], dtype=float)
    costs = np.array([float(each.recorded_usd) for each in told])
    step = max(1, len(told) // _TRIED)
    best: Floats | None = None
    most = max(2.0, _MOST_OF * len(told))
    for one, other in combinations(range(0, len(told), step), 2):
        found = _through(tokens[[one, other]], costs[[one, other]])
        if found is None:
            continue
        expected: Floats = tokens @ found
        count = float(np.count_nonzero(np.abs(costs - expected) <= TOLERANCE * expected))
        if count > most:
            best, most = found, count
    return None if best is None else _Plane(float(best[0]), float(best[1]))


def _through(tokens: Floats, costs: Floats) -> Floats | None:
    """Return the two unit prices that two records share; None where they cannot tell."""
    if abs(np.linalg.det(tokens)) < TOLERANCE * np.prod(np.linalg.norm(tokens, axis=1)) / _ODD:
        return None
    found = np.asarray(np.linalg.solve(tokens, costs), dtype=np.float64)
    return found if np.all(found >= 0) else None


def _shared_factor(records: Sequence[Compared]) -> float | None:
    """Return how many times ours each of some records costs; None where that differs."""
    factors = [float(r.recorded_usd) / float(r.ours_usd) for r in records if r.ours_usd]
    if not factors or max(factors) > min(factors) * (1 + TOLERANCE):
        return None
    return sum(factors) / len(factors)


def _reason(
    cause: Cause, records: Sequence[Compared], plane: _Plane | None, book: Mapping[str, Decimal]
) -> Reason:
    largest = max(records, key=lambda record: abs(record.recorded_usd - record.ours_usd))
    text = _text(cause, records, plane, book, largest)
    return Reason(cause, len(records), difference(records), text, largest.charge_id)


def _text(
    cause: Cause,
    records: Sequence[Compared],
    plane: _Plane | None,
    book: Mapping[str, Decimal],
    largest: Compared,
) -> str:
    if cause in ("other price", "too few"):
        return _text_of_price(cause, records, plane, book)
    if cause == "anomaly":
        if not largest.ours_usd:
            return "a cost for what has no price"
        times = float(largest.recorded_usd / largest.ours_usd)
        return f"far from any price: {times:,.3g} times the book's"
    return _TEXTS[cause]


def _text_of_price(
    cause: Cause, records: Sequence[Compared], plane: _Plane | None, book: Mapping[str, Decimal]
) -> str:
    if plane and cause == "other price":
        said = _prices(plane.usd_per_input * 1e6, plane.usd_per_output * 1e6)
        listed = _prices(_million(book, "input_tokens"), _million(book, "output_tokens"))
        return f"recorded at {said}; the book says {listed}"
    factor = _shared_factor(records)
    times = (
        f"recorded at {factor:.3g} times the book's price" if factor else "off, by no one factor"
    )
    return times if cause == "other price" else f"{times}; too few calls to say more"


_TEXTS: Final[dict[Cause, str]] = {
    "cache": "fits input that was partly cached, of which the record does not tell",
    "zero": "recorded as zero: whoever recorded it knew no price, or took none",
    "unexplained": "no one price, and no cache, explains these",
}


def _prices(usd_per_million_in: float, usd_per_million_out: float) -> str:
    return f"${usd_per_million_in:.3g} input, ${usd_per_million_out:.3g} output a million"


def _million(book: Mapping[str, Decimal], meter: str) -> float:
    return float(book.get(meter, 0))


def _unit(book: Mapping[str, Decimal], meter: str) -> float:
    return _million(book, meter) / 1e6
