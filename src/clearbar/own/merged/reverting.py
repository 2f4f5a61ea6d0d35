"""What took merged work back, and what brought it back again. Pure.

A commit says so itself, in the words of `git revert`: "This reverts commit SHA". What is named
counts as taken back whole, also where only a part of it is undone: it did not stand as it was.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from clearbar.own.merged.change import Commit, Step

_SAID: Final = re.compile(r"\b[Tt]his reverts (?:merge )?commits?\s")
_ENDS: Final = re.compile(r"\.(?=\s|$)|\n\s*\n|\breversing\b")
"""Of a merge, git goes on with "reversing changes made to SHA", which is its other parent."""
_SHA: Final = r"[0-9a-f]{7,64}"
_NAMED: Final = re.compile(rf"\b({_SHA})(?:(\^?)\.\.({_SHA}))?\b")
"""One commit, or those from one to another; the first belongs to them only with a `^`."""
_TITLE: Final = re.compile(r"\b(?:revert|reappl|roll\w*[ -]?back|back\w*[ -]?out)", re.IGNORECASE)
_MOST_CLAIMS: Final = 1_000_000
_MOST_TURNS: Final = 50
"""No people's history comes near; one that was made to be slow ends here."""
_LATER: Final = timedelta(microseconds=1)


def is_only_a_revert(step: Step) -> bool:
    """Return whether a step does nothing but take others back, or bring them back."""
    work = [each for each in step.own if len(each.parents) < 2]  # noqa: PLR2004 - no merges
    own = sorted(each.sha for each in step.own)
    return bool(work) and all(_takes_others_back(each, own) for each in work)


def turns_of(steps: Sequence[Step]) -> list[list[datetime]]:
    """Return, for each step, when it was taken back, brought back, and so on by turns.

    `steps` are those of the main branch, the oldest first. A step that was itself taken back takes
    back nothing any more. Each time is later than the one before it, whatever the clocks said.
    """
    claims: list[list[int]] = [[] for _ in steps]
    for by, taken in islice(_claims(steps), _MOST_CLAIMS):
        claims[by].append(taken)
    against = [0] * len(steps)
    turns: list[list[datetime]] = [[] for _ in steps]
    for now, step in enumerate(steps):
        waiting = [(each, 1) for each in claims[now]]
        while waiting:
            taken, more = waiting.pop()
            stood = not against[taken]
            against[taken] += more
            stands = not against[taken]
            if stood == stands or len(turns[taken]) == _MOST_TURNS:
                continue
            before = turns[taken][-1] if turns[taken] else steps[taken].commit.committed_at
            turns[taken].append(max(step.commit.committed_at, before + _LATER))
            waiting += [(each, 1 if stands else -1) for each in claims[taken]]
    return turns


def _takes_others_back(commit: Commit, own: list[str]) -> bool:
    title = commit.message.partition("\n")[0]
    named = (last or first for first, _, last in _named(commit.message))
    return bool(_TITLE.search(title)) and any(not _called(name, own) for name in named)


def _named(message: str) -> Iterator[tuple[str, str, str]]:
    """Yield what a message says it reverts: a sha, or the ends of a range, perhaps shortened."""
    for said in _SAID.split(message)[1:]:
        for match in _NAMED.finditer(_ENDS.split(said, maxsplit=1)[0]):
            yield match[1], match[2] or "", match[3] or ""


def _claims(steps: Sequence[Step]) -> Iterator[tuple[int, int]]:
    """Yield which step says that it takes back which earlier one."""
    home = {each.sha: at for at, step in enumerate(steps) for each in (step.commit, *step.own)}
    shas = sorted(home)
    for by, step in enumerate(steps):
        seen: set[int] = set()
        for commit in dict.fromkeys((step.commit, *step.own)):
            for named in _named(commit.message):
                for taken in _places(named, home, shas):
                    if taken < by and taken not in seen:
                        seen.add(taken)
                        yield by, taken


def _places(named: tuple[str, str, str], home: dict[str, int], shas: list[str]) -> range:
    """Return the steps that a name stands for; none where no commit, or several, are called so."""
    first, inclusive, last = named
    begin, end = _place(first, home, shas), _place(last or first, home, shas)
    if end is None:
        return range(0)
    if begin is None or begin == end:
        return range(end, end + 1)
    return range(begin if inclusive else begin + 1, end + 1)


def _place(name: str, home: dict[str, int], shas: list[str]) -> int | None:
    found = _called(name, shas)
    return home[found[0]] if len(found) == 1 else None


def _called(name: str, shas: list[str]) -> list[str]:
    """Return the commits whose sha begins with a name; of several only two."""
    at = bisect_left(shas, name)
    return [sha for sha in shas[at : at + 2] if sha.startswith(name)]
