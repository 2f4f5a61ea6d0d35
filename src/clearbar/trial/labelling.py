"""Which judged answers people look at too, so that a judge's errors can be corrected (`judge.py`).

All that the judge flagged, and a share of those that it passed, chosen by a hash of the seed, the
case and the answer. To anyone who does not know the seed's hashes that is chance: it knows nothing
of whether the answer is good. A second look chooses the same, and tools that gave the same answer
share its label.

`labels_wanted.py` finds which of them are open; of a relative bar only answers that differ are.

Never here: disk, network, clock, randomness.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from clearbar.trial.judge import Correction

_TWO_64: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class LabelRule:
    """Who is looked at, and what an answer then counts. Cases and answers are named by digests."""

    seed: int
    share: float
    """Of the passed answers, in (0, 1]."""

    def chosen(self, case: str, answer: str) -> bool:
        """Return whether a passed answer is one of the share that people look at."""
        name = f"label\x1f{self.seed}\x1f{case}\x1f{answer}".encode("utf-8", "surrogatepass")
        rank = int.from_bytes(hashlib.sha256(name).digest()[:8], "big")
        return rank < self.share * _TWO_64

    def wants(self, case: str, answer: str, *, flagged: bool) -> bool:
        """Return whether people have to look at a judged answer."""
        return flagged or self.chosen(case, answer)

    def score(self, case: str, answer: str, label: float | None, *, flagged: bool) -> float | None:
        """Return what a judged answer counts (Z' of `judge.py`); None while its label is missing.

        A label that there happens to be, of an answer that was not chosen, is not used: it is there
        for a reason, and that might be what the answer says.
        """
        correction = Correction(self.share)
        if not self.wants(case, answer, flagged=flagged):
            return correction.score(None, passed=True)
        return None if label is None else correction.score(label, passed=not flagged)
