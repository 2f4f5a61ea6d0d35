"""A person judges answers in the terminal, without knowing which tool gave which."""

from __future__ import annotations

import sys
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, Final, Protocol

import click

from clearbar.cli.spark import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    from clearbar.workspace import Workspace

KEYS: Final = "y right   n wrong   0-9 tenths   s skip the case   q quit"
_SKIP: Final = "s"
_QUIT: Final = "q"
_SCORES: Final[dict[str, float]] = {"y": 1.0, "n": 0.0} | {str(n): n / 10 for n in range(10)}
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Unlabelled(Protocol):
    """A case with the answers to it that have to be judged."""

    @property
    def case(self) -> str:
        """The id of the case."""
        ...

    @property
    def input(self) -> str:
        """What was asked."""
        ...

    @property
    def reference(self) -> str | None:
        """The right answer, where there is one."""
        ...

    @property
    def answers(self) -> Mapping[str, str]:
        """Digest of an answer -> its text; equal answers stand here once."""
        ...


def label_cases(
    workspace: Workspace,
    workflow: str,
    wanted: Sequence[Unlabelled],
    by: str,
    *,
    err: bool = False,
) -> int:
    """Ask for every label that is wanted, keep each at once, and return how many there were.

    With `err` the dialogue is on standard error.
    """

    def keep(case: str, answer: str, score: float) -> None:
        workspace.label(workflow, case, answer, score, by=by)

    dialogue = Dialogue(keep, read_key, partial(click.echo, err=err), SystemRandom())
    return dialogue.ask(wanted)


def read_key() -> str:
    """Return the next key: of a person as it is pressed, of a file line by line, at its end q."""
    if sys.stdin.isatty():
        return click.getchar().lower()
    line = sys.stdin.readline()
    return line.strip().lower()[:1] if line else _QUIT


class Dialogue:
    """Shows cases, one answer after the other in random order, and keeps what is said of them."""

    def __init__(
        self,
        keep: Callable[[str, str, float], None],
        read: Callable[[], str],
        write: Callable[[str], object],
        dice: Random,
    ) -> None:
        self._keep = keep
        self._read = read
        self._write = write
        self._dice = dice

    def ask(self, cases: Sequence[Unlabelled]) -> int:
        """Go through the cases; return how many answers were judged."""
        count = 0
        if not cases:
            self._write("no answer has to be judged")
        for number, case in enumerate(cases, 1):
            self._write(f"\ncase {number} of {len(cases)}\n{indented(case.input)}")
            if case.reference is not None:
                self._write(f"reference\n{indented(case.reference)}")
            judged, go_on = self._judge(case)
            count += judged
            if not go_on:
                break
        return count

    def _judge(self, case: Unlabelled) -> tuple[int, bool]:
        """Return how many answers to a case were judged, and whether to go on with the next."""
        answers = list(case.answers.items())
        self._dice.shuffle(answers)
        for count, (digest, text) in enumerate(answers):
            name = f"answer {_LETTERS[count % len(_LETTERS)]}" if len(answers) > 1 else "answer"
            self._write(f"{name}\n{indented(text) or '  (empty)'}")
            key = self._pressed()
            if key in {_SKIP, _QUIT}:
                return count, key == _SKIP
            self._keep(case.case, digest, _SCORES[key])
        return len(answers), True

    def _pressed(self) -> str:
        while True:
            self._write(KEYS)
            key = self._read()
            if key in _SCORES or key in {_SKIP, _QUIT}:
                return key


def indented(text: str) -> str:
    """Return a text that the terminal shows as it stands, line by line, set in."""
    return "\n".join(f"  {printable(line)}" for line in text.splitlines())
