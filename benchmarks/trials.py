"""Trials on recorded scores of real tools: how often wrong, how many calls, what they cost.

    python benchmarks/trials.py [--orders 300] [--only tool_calling,...]

The data is public and not part of the project: $CLEARBAR_DATA/scores, by default
../shared/data/scores. Each order is a random order of all cases. The truth is the mean over the
whole set: a selection is bad when its tool is below the bar there. Every rule sees the same orders.

    clearbar     the race of the library, error rate .05
    fixed        every tool on a fixed number of cases (80% power at 3 points above the bar, or all
                 there are), Bonferroni over the tools
    route-audit  llm-route-audit: 10 cases, the cheapest with 95% of the passes of the tool in use
                 (an absolute bar: with the bar's share of passes)
    arbr         the cheapest that is worse than the tool in use in at most 3% of 300 cases

`found`: orders in which a tool was chosen. `calls` and `usd`: to decide, cheapest first where the
rule stops early. `usd/1k`: a thousand cases in use with the chosen tool, or with the tool in use
where none is chosen. `oracle`: of the cheapest tool that truly clears.

Fails when clearbar's bad selections exceed .05 by more than three standard errors anywhere.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import trial_rivals
from clearbar.trial.race.race import Candidate, Graded, Race, RacePlan
from clearbar.trial.recorded.recorded_scores import read_recorded_scores
from clearbar.trial.recorded.suspicion import suspicions, without_tokens
from clearbar.trial.trial import Error
from trial_arenas import Arena, arenas
from trial_rivals import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clearbar.own.workflow import Bar

ALPHA = 0.05
ERROR = Error(certify=ALPHA, drop=0.1)


@dataclass
class Score:
    """What a rule came to over all orders."""

    orders: int = 0
    bad: int = 0
    found: int = 0
    calls: float = 0.0
    usd: float = 0.0
    in_use_usd: float = 0.0

    def add(self, arena: Arena, choice: Choice | None, truly: np.ndarray) -> None:
        if choice is None:
            return
        self.orders += 1
        tool = choice.tool
        self.found += tool is not None
        self.bad += tool is not None and not truly[tool]
        self.calls += choice.calls
        self.usd += choice.usd
        self.in_use_usd += arena.usd[arena.incumbent if tool is None else tool]

    def row(self) -> str:
        if not self.orders:
            return f"{'does not apply':>48}"
        n = self.orders
        return (
            f"{self.bad / n:>7.3f}{self.found / n:>7.2f}{self.calls / n:>10,.0f}"
            f"{self.usd / n:>12.4f}{1000 * self.in_use_usd / n:>12.4f}"
        )


def raced(arena: Arena, bar: Bar, alpha_cases: int) -> Callable[[np.ndarray], Choice]:
    """Return the library's own race over an order of the cases."""
    plan = RacePlan(
        tuple(
            Candidate(name, "unknown", Decimal(str(usd)))
            for name, usd in zip(arena.tools, arena.usd.tolist(), strict=True)
        ),
        bar,
        ERROR,
        alpha_cases,
        arena.binary,
        arena.tools[arena.incumbent],
    )
    place = {name: index for index, name in enumerate(arena.tools)}
    answers = [[Graded(score, None) for score in row] for row in arena.scores.tolist()]

    def run(order: np.ndarray) -> Choice:
        race, calls, usd, cases = Race(plan), 0, 0.0, order.tolist()
        while asks := race.wanted(1):
            for ask in asks:
                tool, case = place[ask.tool], cases[ask.index]
                race.give(ask, answers[tool][case])
                calls += 1
                usd += arena.costs[tool, case]
        return Choice(None if race.winner is None else place[race.winner], calls, usd)

    return run


def measure(arena: Arena, bar: Bar, orders: int) -> dict[str, Score]:
    """Return what each rule comes to."""
    means = arena.scores.mean(axis=1)
    level = bar.at_least if bar.within is None else means[arena.incumbent] - bar.within
    assert level is not None
    truly = means >= level - 1e-12
    rules = {
        "clearbar": raced(arena, bar, min(arena.scores.shape[1], arena.most_cases)),
        "fixed": trial_rivals.fixed_size(arena, bar, ALPHA),
        "route-audit": trial_rivals.route_audit(arena, bar),
        "arbr": trial_rivals.arbr(arena, bar),
    }
    scores = {name: Score() for name in rules}
    rng = np.random.default_rng(1)
    for _ in range(orders):
        order = rng.permutation(arena.scores.shape[1])
        for name, rule in rules.items():
            scores[name].add(arena, rule(order), truly)
    good = arena.usd[truly]
    oracle = f"{1000 * good.min():.4f}" if len(good) else "none"
    print(
        f"\n{arena.name}: {_bar_text(bar)}; {len(arena.tools)} tools, {arena.scores.shape[1]} "
        f"cases, {truly.sum()} tools clear; usd/1k in use {1000 * arena.usd[arena.incumbent]:.4f}"
        f" ({arena.tools[arena.incumbent]}), oracle {oracle}"
    )
    for name, score in scores.items():
        print(f"  {name:<14}{score.row()}", flush=True)
    return scores


def _bar_text(bar: Bar) -> str:
    return f"within {bar.within}" if bar.within is not None else f"at least {bar.at_least:.2f}"


def broken_evidence(folder: Path) -> Iterator[str]:
    """Yield what looks broken in the sets as they came."""
    for name in ("mmlu_gsm8k_pair", "tool_calling", "router_arena"):
        path = folder / name / "samples.csv.gz"
        recorded = read_recorded_scores(path, trial_rivals.COLUMNS)
        yield f"{name}: {len(recorded.rows)} rows, {len(recorded.problems)} left out"
        yield from (f"  {each} (chance {each.chance:.1g})" for each in suspicions(recorded.rows))
        yield from (f"  {tool} took no tokens" for tool in without_tokens(recorded.rows))


def main() -> None:
    """Print all tables; exit 1 when clearbar selects badly too often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CLEARBAR_DATA", beside)) / "scores"
    if not folder.is_dir():
        sys.exit(f"no data at {folder}: set CLEARBAR_DATA")
    only = set(filter(None, chosen.only.split(",")))
    start, worst, totals = time.process_time(), 0.0, {}
    print(f"{'':16}{'bad':>7}{'found':>7}{'calls':>10}{'usd':>12}{'usd/1k':>12}")
    for arena, bars in arenas(folder, only):
        for bar in bars:
            for name, score in measure(arena, bar, chosen.orders).items():
                total = totals.setdefault(name, Score())
                for key in vars(total):
                    setattr(total, key, getattr(total, key) + getattr(score, key))
                if name == "clearbar":
                    worst = max(worst, score.bad / score.orders)
    print("\nall of them")
    for name, total in totals.items():
        print(f"  {name:<14}{total.row()}")
    print("\nevidence that looks broken")
    for line in broken_evidence(folder):
        print(line)
    print()
    for line in trial_rivals.bargain_lines(folder, min(chosen.orders, 20)):
        print(line)
    limit = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / chosen.orders)
    print(f"\nworst share of bad selections {worst:.3f}, limit {limit:.3f}")
    print(f"{time.process_time() - start:.0f} CPU s")
    sys.exit(worst > limit)


if __name__ == "__main__":
    main()
