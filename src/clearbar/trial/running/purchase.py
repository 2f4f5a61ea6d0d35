"""The nouns of buying an answer: what is asked, what comes of it, and the time that it takes.

Never here: network, disk, clock, randomness; they are fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from clearbar.trial.identity import asked_digest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from random import Random

    from clearbar.tools.tool import Answer, Request, Tool
    from clearbar.trial.attempts import AttemptEnd, AttemptKind


@dataclass(frozen=True, slots=True)
class Time:
    """Time as arguments: what the clock says, what has passed, how to wait, and chance."""

    now: Callable[[], datetime]
    monotonic_s: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    rng: Random


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of whom, for which trial."""

    tool: Tool
    request: Request
    kind: AttemptKind
    workflow: str
    trial: str
    tool_digest: str
    prompt_digest: str
    case_digest: str

    @property
    def asked(self) -> str:
        """The key of its answer."""
        return asked_digest(self.tool_digest, self.prompt_digest, self.case_digest)


@dataclass(frozen=True, slots=True)
class Bought:
    """An answer that has arrived and is not yet recorded: whoever gets it records it."""

    answer: Answer
    end: AttemptEnd


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No answer, and why."""

    what: str
    refused: bool = False
    """Asking again could never help: its declaration or the environment has to be changed."""
    unaffordable: bool = False
    """The budget does not allow the call."""
    unpriced: bool = False
    """It never will, since nobody knows what the call costs."""
    final: bool = False
    """This trial had given it up before."""
    by_judge: bool = False
    """There is an answer, and no verdict on it."""
    answers_before: int = 0
    """`Circuit.answers` when this was said, of who failed: with more, it is known to work since."""


class Take(Protocol):
    """Records an answer, with what else becomes known in the same moment."""

    async def __call__(self, bought: Bought) -> None:
        """On return it is durable."""
        ...
