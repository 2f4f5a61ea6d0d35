"""How a cascade's threshold is set: how much goes to the cheap model, and how often too much.

    python benchmarks/trial_cascades.py [--splits 300]

A cascade asks three cheap models. Where the answer of the first is sure enough it stands, else the
tool in use is asked. `deficit`: how many more of all cases the tool in use would have got right. A
threshold is wrong where its true deficit is above the margin; at most a tenth may be.

The reference measured real models on MMLU-Pro, whose answers are not at hand. The model here is
ours; constants stand below:

    a case       has a difficulty z ~ N(0, 1), and ten answers, one of them right
    cheap ones   are right with probability logistic(a - 2.2 z), a = 1.4, .6 and .2
    in use       the same with a = 2.4, but 7% of its answers are slips, however easy the case
    wrong        six of ten wrong answers are the same tempting one, else any of eight
    sure         logistic(logit of the first's true probability + N(0, 1.5))

So the first is right in .691 of all cases and the tool in use in .748, as with the reference's
pair; where all three agree (.42 of the cases) .903 against .855, and over all where the first and
one more agree (.71) they are about even. The confidence is the number that agree with the first,
and among equals how sure it is; the grid of thresholds comes from 2,000 other cases. `agreement`
is the number alone, as a trial takes it with `agree_with`: three thresholds.

    naive      the lowest threshold whose deficit on the cases is within the margin
    ours       the race of the library: learn then test by betting
    Hoeffding  learn then test by Hoeffding's bound
    CRC        conformal risk control of the harm: bounds its mean, and takes no gain into account

`share / wrong`: of the cases, to the cheap model, and of the splits. `labels`: of ours, cases that
have to be judged. Below each line stand the reference's figures. Exits with 1 where ours is wrong
more often than stated by more than three standard errors.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from clearbar.own.workflow import Bar
from clearbar.trial.race.cascade import thresholds
from clearbar.trial.race.race import Ask, Candidate, Graded, Parts, Race, RacePlan
from clearbar.trial.trial import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

ALPHA: Final = 0.10
CHEAP: Final = (1.4, 0.6, 0.2)
USED: Final = 2.4
SLIPS: Final = 0.07
SPREAD: Final = 2.2
TEMPTED: Final = 0.6
DOUBT: Final = 1.5
ANSWERS: Final = 10
LOGGED: Final = 2000
WORLD: Final = 400_000
MODELS: Final = ("first", "second", "third", "used")


@dataclass(frozen=True, slots=True)
class Cases:
    """Answers of the four models, 0 is right; and the first's confidence in [0, 1]."""

    answers: Ints
    confidence: Floats

    @property
    def lost(self) -> Floats:
        """What is lost in a case where the first answers: 1, 0 or -1."""
        right = self.answers == 0
        lost: Floats = right[3].astype(float) - right[0]
        return lost

    def accepted(self, threshold: float | None) -> Floats:
        accepts = self.confidence >= (math.inf if threshold is None else threshold)
        return accepts.astype(np.float64)


def cases(rng: np.random.Generator, n: int, *, sure: bool = True) -> Cases:
    """Draw cases; the confidence is the agreement, and, with `sure`, the certainty among equals."""
    difficulty = SPREAD * rng.standard_normal(n)
    logits = np.array([*CHEAP, USED])[:, None] - difficulty
    chances = 1 / (1 + np.exp(-logits))
    chances[3] *= 1 - SLIPS
    tempted = rng.random((4, n)) < TEMPTED
    wrong = np.where(tempted, 1, rng.integers(2, ANSWERS, (4, n)))
    answers = np.where(rng.random((4, n)) < chances, 0, wrong)
    agreeing = (answers[1:3] == answers[0]).sum(axis=0)
    certain = 1 / (1 + np.exp(-logits[0] - DOUBT * rng.standard_normal(n)))
    return Cases(answers, (agreeing + certain) / 3 if sure else agreeing / 2)


def naive(seen: Cases, grid: tuple[float, ...], margin: float) -> float | None:
    good = [each for each in grid if (seen.accepted(each) * seen.lost).mean() <= margin]
    return good[-1] if good else None


def hoeffding(seen: Cases, grid: tuple[float, ...], margin: float) -> float | None:
    found = None
    for each in grid:
        room = margin - (seen.accepted(each) * seen.lost).mean()
        if room <= 0 or math.exp(-len(seen.confidence) * room**2 / 2) > ALPHA:
            break
        found = each
    return found


def risk_control(seen: Cases, grid: tuple[float, ...], margin: float) -> float | None:
    harm = np.maximum(seen.lost, 0)
    most = margin * (len(harm) + 1) - 1
    good = [each for each in grid if (seen.accepted(each) * harm).sum() <= most]
    return good[-1] if good else None


class Raced(NamedTuple):
    """A certified threshold, and how many cases had to be judged for it."""

    threshold: float | None
    labels: int


def raced(seen: Cases, logged: Cases, margin: float, *, sure: bool = True) -> Raced:
    """Set the threshold as a trial does: by the race of the library."""
    dearest, cheap = Decimal(50), Decimal(1)
    if sure:
        parts = Parts("first", "used", (), tuple(logged.confidence), cheap, dearest)
    else:
        parts = Parts("first", "used", ("second", "third"), (0.0, 0.5, 1.0), cheap, dearest)
    plan = RacePlan(
        (Candidate("cascade", "small", None, parts), Candidate("used", "frontier", dearest)),
        Bar(within=margin, of="used"),
        Error(certify=ALPHA, drop=0.1),
        len(seen.confidence),
        binary=True,
    )
    race, judged = Race(plan), set()
    while asks := race.wanted(3):
        for ask in asks:
            race.give(ask, given(seen, ask, sure=sure))
        while grades := race.grades_wanted():
            for ask in grades:
                judged.add(ask.index)
                race.give(ask, given(seen, ask, sure=sure, graded=True))
    lane = race.lanes["cascade"]
    cleared = lane.decided is not None and lane.decided[0] == "clears"
    return Raced(lane.threshold if cleared else None, len(judged))


def given(seen: Cases, ask: Ask, *, sure: bool, graded: bool = False) -> Graded:
    answer = int(seen.answers[MODELS.index(ask.tool), ask.index])
    confidence = float(seen.confidence[ask.index]) if sure else None
    return Graded(float(answer == 0) if graded else None, None, confidence, str(answer))


class Truth:
    """Shares and deficits over very many cases, by threshold."""

    def __init__(self, world: Cases) -> None:
        order = np.argsort(-world.confidence, kind="stable")
        self._falling = -world.confidence[order]
        self._lost = np.concatenate([[0.0], np.cumsum(world.lost[order])])

    def __call__(self, threshold: float | None) -> tuple[float, float]:
        """Return the share that goes to the cheap model, and the deficit over all cases."""
        if threshold is None:
            return 0.0, 0.0
        accepted = int(np.searchsorted(self._falling, -threshold, side="right"))
        return accepted / len(self._falling), float(self._lost[accepted]) / len(self._falling)


METHODS: Final = ("naive", "ours", "Hoeffding", "CRC")
REFERENCE: Final = {
    (0.02, 300): ((0.82, 0.45), (0.48, 0.007), (0, 0), (0.50, 0)),
    (0.02, 1000): ((0.82, 0.39), (0.70, 0.033), (0, 0), (0.52, 0)),
    (0.05, 300): ((0.92, 0.42), (0.73, 0.040), (0, 0), (0.68, 0)),
    (0.05, 1000): ((0.93, 0.33), (0.83, 0.055), (0.002, 0), (0.68, 0)),
}
"""(margin, cases) -> share and wrong of each method: gemini-flash with two more, gemini-pro."""


@dataclass(frozen=True, slots=True)
class Row:
    """What each method came to over all splits."""

    shares: dict[str, float]
    wrong: dict[str, float]
    labels: float


def row(margin: float, n: int, splits: int, *, sure: bool = True, seed: int = 1) -> Row:
    """Set the threshold on so many splits, each with n cases and as many methods."""
    rng = np.random.default_rng(seed)
    truth = Truth(cases(rng, WORLD, sure=sure))
    found: dict[str, list[tuple[float, float]]] = {method: [] for method in METHODS}
    labels = 0
    for _ in range(splits):
        logged, seen = cases(rng, LOGGED, sure=sure), cases(rng, n, sure=sure)
        grid = thresholds([float(each) for each in logged.confidence])
        ours = raced(seen, logged, margin, sure=sure)
        others: tuple[Callable[..., float | None], ...] = (naive, hoeffding, risk_control)
        for method, rule in zip(("naive", "Hoeffding", "CRC"), others, strict=True):
            found[method].append(truth(rule(seen, grid, margin)))
        found["ours"].append(truth(ours.threshold))
        labels += ours.labels
    return Row(
        {name: float(np.mean([share for share, _ in each])) for name, each in found.items()},
        {name: float(np.mean([lost > margin for _, lost in each])) for name, each in found.items()},
        labels / splits,
    )


def limit(splits: int) -> float:
    """Return the error rate, and three standard errors of such a share of the splits."""
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / splits)


def lines(margin: float, n: int, made: Row, *, sure: bool) -> Iterator[str]:
    name = "agreement, sure" if sure else "agreement"
    cells = (f"{made.shares[each]:.2f} / {made.wrong[each]:.3f}" for each in METHODS)
    yield (
        f"{name:16}{margin:>6}{n:>6}" + "".join(f"{c:>16}" for c in cells) + f"{made.labels:>9.0f}"
    )
    if sure:
        known = (f"{share:.2f} / {wrong:.3f}" for share, wrong in REFERENCE[margin, n])
        yield f"{'    reference':28}" + "".join(f"{each:>16}" for each in known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=300)
    splits = parser.parse_args().splits
    print(f"share / wrong, {splits} splits, error rate {ALPHA}")
    heads = "".join(f"{method:>16}" for method in METHODS)
    print(f"{'confidence':16}{'margin':>6}{'n':>6}{heads}{'labels':>9}")
    worst = 0.0
    for sure in (True, False):
        for margin, n in REFERENCE:
            made = row(margin, n, splits, sure=sure)
            worst = max(worst, made.wrong["ours"])
            print(*lines(margin, n, made, sure=sure), sep="\n", flush=True)
    print(f"limit {limit(splits):.3f}; the most is {worst:.3f}")
    sys.exit(worst > limit(splits))


if __name__ == "__main__":
    main()
