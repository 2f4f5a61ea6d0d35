"""The nouns of a race: who runs, in which order, at which share of the error rate.

All of it is fixed before the first case is seen. Only then does sharing the error rate over the
candidates bound the probability that any tool below the bar is certified, however the cases of
different tools depend on each other and whoever stops when (union bound over Ville's inequality).

Never here: network, disk, clock, randomness.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from clearbar.own.workflow import Bar
    from clearbar.tools.tool import Tier
    from clearbar.trial.trial import Error

_TIER_RANK: Final[dict[Tier, int]] = {"none": 0, "small": 1, "frontier": 2, "unknown": 3}
_BELOW_ALL: Final = Decimal(-1)


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: a tool and the index of a case in the fixed random order."""

    tool: str
    index: int


@dataclass(frozen=True, slots=True)
class Graded:
    """An answer and what it was worth."""

    score: float | None
    """In [0, 1]; None while it is not graded, which equal answers never need to be."""
    cost_usd: Decimal | None
    """What the answer costs in use; None where it is not known."""
    confidence: float | None = None
    """The tool's own, in [0, 1]."""
    same_as: str = ""
    """Digest of the canonical answer: equal digests are equal answers. Empty: not comparable."""
    failed: bool = False
    """No answer came, after all tries: the worst for whoever failed to give it."""
    bought: bool = True
    """Paid for in this trial; not where it was logged or stored before."""
    labels: int = 0
    """Labels of people that grading it took."""
    absent: bool = False
    """There is no such answer and will be none: the case is passed over for this tool."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Of a cascade: `then` is asked where `first` is not confident enough."""

    first: str
    then: str
    agree_with: tuple[str, ...] = ()
    """Where given, confidence is the share of these that agree with the first."""
    confidences: tuple[float, ...] = ()
    """Of the first answers to other cases than those of the trial: the grid is made of them."""
    first_usd: Decimal | None = None
    """Expected price of a first answer, with those that it has to agree with."""
    then_usd: Decimal | None = None

    @property
    def confidence_tools(self) -> tuple[str, ...]:
        """The tools that are asked in every case."""
        return (self.first, *self.agree_with)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One tool of the race, as it is known before the race."""

    name: str
    tier: Tier
    usd_per_case: Decimal | None
    """Expected price in use; of a cascade None takes half of the cases to be accepted."""
    parts: Parts | None = None
    """Set for a cascade."""
    cases: int | None = None
    """How many of the cases it can be tried on, where not all."""
    refused: Literal["data_class", "broken", "cases"] | None = None
    """Never asked, and why; such a tool has no share of the error rate."""
    note: str = ""

    @property
    def expected_usd(self) -> Decimal | None:
        """The price by which it is placed."""
        if self.usd_per_case is not None or self.parts is None:
            return self.usd_per_case
        if self.parts.first_usd is None or self.parts.then_usd is None:
            return None
        return self.parts.first_usd + self.parts.then_usd / 2


@dataclass(frozen=True)
class RacePlan:
    """All that is fixed before the race.

    Raises:
        ClearbarError: when a name stands twice, or the tool of a relative bar is no candidate.
    """

    candidates: tuple[Candidate, ...]
    """In any order; the tool in use among them."""
    bar: Bar
    error: Error
    cases: int
    """How many cases there are at most."""
    binary: bool
    """Whether every score is 0 or 1."""
    incumbent: str | None = None
    """The tool in use; of a relative bar `bar.of`, if it is not given."""
    judge_share: float | None = None
    """Where people correct a judge, the share of the answers it passed that they label.

    Scores are Z' of `judge.py` then, and never `binary`.
    """
    prior_disagreement: float | None = None
    """Share of other, older cases on which the tools disagreed with the tool in use."""

    def __post_init__(self) -> None:
        names = [candidate.name for candidate in self.candidates]
        if len(names) != len(set(names)):
            raise ClearbarError("a tool stands in the race twice", "name each tool once")
        if self.bar.within is None and self.bar.at_least is None:
            raise ClearbarError("a race needs a bar", "give a level, or a margin and a tool")
        if self.binary and self.judge_share is not None:
            raise ValueError("scores that labels correct are not binary")
        if self.bar.within is not None and self.against not in names:
            raise ClearbarError(
                f'"{self.against}" is not in the race', "the bar compares with it: name it too"
            )

    @cached_property
    def against(self) -> str | None:
        """The tool that a relative bar compares with; None for an absolute bar."""
        return None if self.bar.within is None else self.bar.of or self.incumbent

    def depends(self, candidate: Candidate, tool: str) -> bool:
        """Say whether a candidate cannot be decided without this tool."""
        parts = candidate.parts
        tools = {candidate.name, self.against}
        if parts is not None:
            tools |= {*parts.confidence_tools, parts.then}
        return tool in tools

    @cached_property
    def tested(self) -> tuple[Candidate, ...]:
        """The candidates with a share of the error rate, in the order in which they are tried.

        Cheapest first; of equal prices by tier, then by name. A tool without a known price comes
        after the dearest known one of its tier, or of the tiers below. Where the bar compares with
        the tool in use, a tool that costs more than it is not tested: it could not win.
        """
        run = (c for c in self.candidates if c.refused is None and c.name != self.against)
        return tuple(sorted((c for c in run if not self._is_dearer(c)), key=self._place))

    @cached_property
    def dearer(self) -> tuple[Candidate, ...]:
        """The candidates that are not tested because they cost more than what they compare with."""
        run = (c for c in self.candidates if c.refused is None and c.name != self.against)
        return tuple(sorted((c for c in run if self._is_dearer(c)), key=self._place))

    @cached_property
    def against_usd(self) -> Decimal | None:
        """Expected price of the tool that a relative bar compares with."""
        usd = (c.expected_usd for c in self.candidates if c.name == self.against)
        return next(usd, None)

    @cached_property
    def alpha(self) -> float:
        """Each tested candidate's share of the error rate."""
        return self.error.certify / max(len(self.tested), 1)

    def _is_dearer(self, candidate: Candidate) -> bool:
        least = candidate.parts.first_usd if candidate.parts else candidate.expected_usd
        against = self.against_usd
        return least is not None and against is not None and least > against

    def _place(self, candidate: Candidate) -> tuple[Decimal, bool, int, str]:
        rank, price = _TIER_RANK[candidate.tier], candidate.expected_usd
        if price is not None:
            return price, False, rank, candidate.name
        known = [
            (_TIER_RANK[other.tier], other.expected_usd)
            for other in self.candidates
            if other.expected_usd is not None and _TIER_RANK[other.tier] <= rank
        ]
        nearest = max((tier for tier, _ in known), default=None)
        behind = max((usd for tier, usd in known if tier == nearest), default=_BELOW_ALL)
        return behind, True, rank, candidate.name
