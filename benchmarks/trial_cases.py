"""How many cases a trial's test takes, over the least that any valid test could take.

    python benchmarks/trial_cases.py

The bound is log(1 / alpha) / KL: to first order, no test that certifies a tool at its bar with
probability alpha at most takes fewer in expectation, however it looks. The most cases are the same
for all rates of a bar: six times the bound at the hardest rate of the middle range. Our figures
are exact (a walk over passes and failures); those of the other bets are simulated. `even` is the
even mixture at 1 / alpha, from which ours differs by its threshold and its lean. None may stop a
tool as futile here, so that all figures are about the same thing: deciding. Exits with 1 above the
limit.

Bars below 0.7 are left out of the limit: where the bound is of eight cases, as at a bar of 0.5 and
a rate of 0.9, the last case overshoots, and the ratio is 1.27.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np

from clearbar.trial.proof.calibrated import log_threshold, walk
from clearbar.trial.proof.feasible import rate_growth
from clearbar.trial.proof.rate_bets import RateBets, rates_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ALPHA = 0.05
NEEDED = math.log(1 / ALPHA)
BARS = (0.7, 0.8, 0.85, 0.9, 0.95)
SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MIDDLE = (0.2, 0.8)
LIMIT = 1.25
RUNS = 400
TIMES_THE_BOUND = 6
MOST_CASES = 20_000
SIMULATED_CASES = 10_000


def agrapa(passes: Floats, bar: float) -> float:
    """Bets by the mean and variance so far, cut at half the most (Waudby-Smith and Ramdas)."""
    n = np.arange(passes.shape[1])
    before = np.cumsum(passes, axis=1) - passes
    mean = (before + 0.5) / (n + 1)
    variance = (mean * (1 - mean) * (n + 1) + 0.25) / (n + 2)
    stakes = np.clip((mean - bar) / (variance + (mean - bar) ** 2), 0, 0.5 / bar)
    return first_enough(np.cumsum(np.log1p(stakes * (passes - bar)), axis=1))


def hoeffding(passes: Floats, bar: float) -> float:
    """The predictable plug-in of Hoeffding's bound."""
    n = np.arange(1, passes.shape[1] + 1)
    stakes = np.minimum(np.sqrt(8 * NEEDED / (n * np.log(n + 1))), 1)
    return first_enough(np.cumsum(stakes * (passes - bar) - stakes**2 / 8, axis=1))


def first_enough(paths: Floats) -> float:
    """Return the mean number of cases to the wealth needed; not less where some never have it."""
    enough = paths >= NEEDED
    firsts = np.where(enough.any(axis=1), enough.argmax(axis=1) + 1, paths.shape[1])
    return float(firsts.mean())


def main() -> None:
    worst = 0.0
    print(f"expected cases over the information bound, alpha {ALPHA}")
    print(f"{'bar':>5}{'rate':>8}{'bound':>8}{'ours':>7}{'even':>7}{'aGRAPA':>8}{'Hoeffding':>11}")
    for bar in BARS:
        hardest = bar + MIDDLE[0] * (1 - bar)
        most = TIMES_THE_BOUND * NEEDED / rate_growth(bar, hardest)
        cases = min(math.ceil(most), MOST_CASES)
        above, _ = rates_of(bar, 0.0)
        clears_at = above.least_wins(log_threshold(above, ALPHA, cases), cases)
        even_at = RateBets(bar, 1 - bar).least_wins(NEEDED, cases)
        for share in SHARES:
            rate = bar + share * (1 - bar)
            bound = NEEDED / rate_growth(bar, rate)
            ours, even = walk(rate, clears_at), walk(rate, even_at)
            chance = np.random.default_rng(round(1e6 * rate))
            shape = (RUNS, min(math.ceil(TIMES_THE_BOUND * bound), SIMULATED_CASES))
            passes = (chance.random(shape) < rate).astype(float)
            others = [test(passes, bar) / bound for test in (agrapa, hoeffding)]
            middle = MIDDLE[0] <= share <= MIDDLE[1]
            worst = max(worst, ours.cases / bound) if middle else worst
            print(
                f"{bar:>5}{rate:>8.3f}{bound:>8.0f}{ours.cases / bound:>7.2f}"
                f"{even.cases / bound:>7.2f}{others[0]:>8.2f}{others[1]:>11.2f}"
                f"{'' if middle else '   outside the middle range'}",
                flush=True,
            )
    print(
        f"limit: {LIMIT} from {MIDDLE[0]} to {MIDDLE[1]} of the way to 1; the most is {worst:.3f}"
    )
    sys.exit(worst > LIMIT)


if __name__ == "__main__":
    main()
