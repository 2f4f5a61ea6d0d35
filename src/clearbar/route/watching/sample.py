"""The nouns of the watch: what one shadowed request showed, and what is watched.

Never here: network, disk, clock, randomness, and never a text of a request or an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - part of the type
from typing import TYPE_CHECKING, Final

from clearbar.route.watching.drift import DEFAULT_RUN_LENGTH

if TYPE_CHECKING:
    from clearbar.own.workflow import Bar

DEFAULT_FALL: Final = 0.02
"""How far agreement may fall where no certificate says how far the score may."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One shadowed request."""

    workflow: str
    tool: str
    """The tool that the route chose, whichever answered the client."""
    old_tool: str
    at: datetime
    probability: float
    """With which it was drawn, in (0, 1]."""
    score: float | None = None
    """Of the routed tool's answer; None where it was not graded by itself."""
    by_old: bool = False
    """Whether the old tool's answer stood for the reference, so that `score` is agreement."""
    difference: float | None = None
    """Score of the routed tool - score of the old one; None where only one was graded."""
    same: bool | None = None
    """Whether the two answers are the same to the grader; None where one is not there."""
    ill_formed: bool = False
    """Whether the grader finds nothing in the answer that it could compare."""
    characters: int = 0
    """Of the routed tool's answer."""
    sample_id: int = 0
    """As stored; 0 before."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A routed tool with what its certificate claims."""

    workflow: str
    tool: str
    old_tool: str
    certificate_id: str
    decided_at: datetime
    bar: Bar
    certified_score: float | None = None
    """The mean score over the cases of its trial, for an absolute bar."""
    run_length: float = DEFAULT_RUN_LENGTH
    """Graded answers to one false alarm, where `false_alarm_days` says nothing else."""
    false_alarm_days: float | None = None
    """Days to one false alarm, at the rate at which answers are graded."""
    first: str = ""
    """Of a cascade the tool that is asked first; empty: `tool` is called itself."""

    @property
    def called(self) -> str:
        """The tool that each request calls."""
        return self.first or self.tool

    @property
    def fall(self) -> float:
        """How far agreement with the old tool may fall: as far as the score may."""
        if self.bar.within is not None:
            return max(self.bar.within, DEFAULT_FALL)
        if self.bar.at_least is None or self.certified_score is None:
            return DEFAULT_FALL
        return max(self.certified_score - self.bar.at_least, DEFAULT_FALL)
