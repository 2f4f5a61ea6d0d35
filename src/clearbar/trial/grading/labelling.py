"""Which judged answers people look at too, so that a judge's errors can be corrected (`judge.py`).

All that the judge flagged, and a share of those that it passed, chosen by a hash of the seed, the
case and the answer. To anyone who does not know the seed's hashes that is chance: it knows nothing
of whether the answer is good. A second look chooses the same, and tools that gave the same answer
share its label.

The verdicts themselves do not depend on the share. So they are kept under the grader without it,
and another share, or none, buys none anew; the certificate's grader is told with it (`certified`).

`labels_wanted.py` finds which of them are open; of a relative bar only answers that differ are.

Never here: disk, network, clock, randomness.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.trial.identity import question_digest
from clearbar.trial.proof.judge import FIRST_LABELS, Correction, Judged, advice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from clearbar.trial.attempts import HeldGrade, Label
    from clearbar.trial.proof.judge import Advice
    from clearbar.trial.trial import Case

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


class Counted(NamedTuple):
    """A grade as it counts."""

    grade: HeldGrade
    """Its score is None while it is not known."""
    labels: int = 0
    """Labels of people that it took."""
    waits: bool = False
    """The judge has spoken, and a person has to before it counts."""


@dataclass(slots=True)
class Labelling:
    """How people's labels enter the grades of one run.

    Where people are the graders a label is the score. Beside a judge it counts by the rule, and
    only then: labels that there happen to be were not asked for by chance.
    """

    labels: Mapping[tuple[str, str], Label]
    """Of (case, answer), by digest; empty where people have no say."""
    rule: LabelRule | None = None
    """Set where a judge grades and labels correct it."""
    _used: dict[tuple[str, str], Judged] = field(default_factory=dict)

    def counted(self, case: Case, answer: str, grade: HeldGrade) -> Counted:
        """Return the grade of an answer (its digest) with what people said of it."""
        key = question_digest(case), answer
        label = self.labels.get(key)
        if self.rule is None:
            return Counted(grade) if label is None else Counted(_with(grade, label.score), 1)
        if grade.score is None:
            return Counted(grade)
        flagged, said = grade.flagged, None if label is None else label.score
        score = self.rule.score(*key, said, flagged=flagged)
        used = said is not None and self.rule.wants(*key, flagged=flagged)
        if used and said is not None:
            self._used[key] = Judged(not flagged, said)
        return Counted(_with(grade, score), int(used), score is None)

    def advice(self, cases: Iterable[Case]) -> Advice | None:
        """Return whether the judge is worth its price, by the labels of these cases.

        None without a judge that labels correct, and while there are too few to tell.
        """
        if self.rule is None:
            return None
        among = {question_digest(case) for case in cases}
        judged = [each for (case, _), each in self._used.items() if case in among]
        return advice(judged, self.rule.share) if len(judged) >= FIRST_LABELS else None


def certified(grader: str, share: Decimal | None) -> str:
    """Return the canonical text of a judge (`JudgeGrader.text`) with the share that is labelled."""
    if share is None:
        return grader
    told = json.loads(grader) | {"label_share": format(share.normalize(), "f")}
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def _with(grade: HeldGrade, score: float | None) -> HeldGrade:
    return replace(grade, score=score)
