"""How soon a routed tool that fell is seen, and how seldom one is suspected that did not.

    python benchmarks/drift.py [--runs 1000]

First the published simulation: a bar of 0.90, a tool at 0.94 that drops, graded answers from the
drop to the alarm. `ours` has two figures: after a long time above the bar, and from the first
answer on. `e-CUSUM` is the same stakes that begin anew only where they have lost; `Page` one stake
on the very rate that it drops to, which nobody knows; `bound` log(A) / KL, to first order the least
of any detector whose alarm asks for A times the odds. The last two promise the same run length and
keep far longer ones, which is why they are slower. In brackets, what was published; at 0.88 its
simulation was cut off at a few thousand answers. Then how long a tool runs that stays at its bar.

Last, real scores (CLEARBAR_DATA, by default ../shared/data): answers drawn from those of one tool,
and from a moment on from those of another, or from harder subjects. `false`: of runs in which
nothing changed, those that alarmed within 10,000 answers. Exits with 1 where a delay is four
answers above the bound or beyond a tenth of what was published, or a run is shorter than promised.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from clearbar.route.watching.drift import PairedDrift, ScoreDrift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Draw: TypeAlias = Callable[[int, int], Floats]

BAR: Final = 0.90
USUAL: Final = 0.94
PUBLISHED: Final = {
    1000: {0.70: (32, 35), 0.80: (72, 89), 0.85: (179, 199), 0.88: (388, 420)},
    10_000: {0.70: (47, 53), 0.80: (134, 141), 0.85: (372, 405), 0.88: (1247, 1292)},
}
"""Run length -> the rate after the drop -> least and greatest delay."""
TOLERANCE: Final = 0.10
USUAL_ANSWERS: Final = 500
IN_CONTROL: Final = 10_000
ENDLESS: Final = 100_000
OVERSHOOT: Final = 4
"""Answers by which a whole number of them may miss the bound, which only tells for great drops."""
DATA: Final = Path(os.environ.get("CLEARBAR_DATA", Path(__file__).parents[2] / "shared" / "data"))


@dataclass
class Rule:
    """Stakes against a loss that is allowed, over many runs at once."""

    allowed: float
    stakes: Floats
    restart: str = "shiryaev"
    ever: bool = False
    capitals: Floats | None = None
    n: int = 0

    @classmethod
    def score(cls, bar: float, *, ever: bool = False) -> Rule:
        test = ScoreDrift(bar)
        return cls(test.allowed, np.array(test.stakes)[:, None], ever=ever)

    @classmethod
    def paired(cls, margin: float) -> Rule:
        test = PairedDrift(margin)
        return cls(test.allowed, np.array(test.stakes)[:, None])

    @classmethod
    def page(cls, bar: float, dropped: float) -> Rule:
        return cls(1 - bar, np.array([[(bar - dropped) / bar]]), restart="cusum")

    def e_cusum(self) -> Rule:
        return replace(self, restart="cusum")

    def begin(self, runs: int) -> Rule:
        return replace(self, capitals=np.zeros((len(self.stakes), runs)), n=0)

    def add(self, losses: Floats) -> None:
        assert self.capitals is not None
        self.n += 1
        factor = 1 + self.stakes * (losses / self.allowed - 1)
        if self.restart == "cusum":
            self.capitals = np.maximum(self.capitals, 1) * factor
        else:
            begun = 1 / (self.n * (self.n + 1)) if self.ever else 1.0
            self.capitals = (self.capitals + begun) * factor

    def keep(self, these: NDArray[np.bool_]) -> None:
        assert self.capitals is not None
        self.capitals = self.capitals[:, these]

    def statistic(self) -> Floats:
        assert self.capitals is not None
        unspent = 1 / (self.n + 1) if self.ever else 0.0
        found: Floats = self.capitals.mean(axis=0) + unspent
        return found


def first_alarms(
    rule: Rule, threshold: float, losses: Draw, runs: int, most: int = 100_000
) -> Floats:
    """Answers to the alarm of each run; `losses(answer, runs)` draws those of the next answer.

    A run without one counts as `most`.
    """
    fleet, found, left = rule.begin(runs), [], runs
    for answer in range(1, most + 1):
        fleet.add(losses(answer, left))
        hit = fleet.statistic() >= threshold
        if hit.any():
            found += [answer] * int(hit.sum())
            fleet.keep(~hit)
            left -= int(hit.sum())
            if not left:
                break
    return np.array(found + [most] * left, dtype=float)


def delays(
    rule: Rule,
    threshold: float,
    change: tuple[int, float, float],
    runs: int,
    chance: np.random.Generator,
) -> Floats:
    """Answers from a change to the alarm, of runs without an alarm before it.

    `change`: after how many answers, the rate before, the rate from then on.
    """
    after, usual, dropped = change

    def losses(answer: int, runs: int) -> Floats:
        wrong = chance.random(runs) >= (usual if answer <= after else dropped)
        return wrong.astype(float)

    found = first_alarms(rule, threshold, losses, runs)
    return found[found > after] - after


def pairs(chance: np.random.Generator, behind: float, ahead: float) -> Draw:
    """Losses (1 - D) / 2 of pairs of which so many have D of -1 and of 1."""

    def losses(_: int, runs: int) -> Floats:
        draw = chance.random(runs)
        return np.where(draw < behind, 1.0, np.where(draw < behind + ahead, 0.0, 0.5))

    return losses


def bound(losses: Floats, allowed: float, threshold: float) -> float:
    """log(A) over the greatest growth that any one stake has on such losses."""
    stakes = np.linspace(0, 1, 2001)[1:-1]
    values, counts = np.unique(losses, return_counts=True)
    gains = np.log1p(stakes[:, None] * (values / allowed - 1)) @ (counts / counts.sum())
    return math.log(threshold) / float(gains.max())


class Change(NamedTuple):
    """A real tool that changed: losses of its answers before and after."""

    name: str
    rule: Rule
    before: Floats
    after: Floats


def swapped(change: Change, after: int, chance: np.random.Generator) -> Draw:
    """Draws losses of answers from before the change, and then from after it."""

    def losses(answer: int, runs: int) -> Floats:
        return chance.choice(change.before if answer <= after else change.after, runs)

    return losses


def real_changes(folder: Path) -> Iterator[Change]:
    """Yield tools that were replaced, traffic that shifted, and pairs that fell apart."""
    calls = _scores(folder / "scores/tool_calling/samples.csv.gz")
    for old, new, bar in (
        ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06", 0.85),
        ("claude-3-haiku-20240307-FC", "gpt-4o-2024-05-13", 0.93),
        ("claude-3-5-sonnet-20240620", "gemini-1.0-pro", 0.93),
        ("claude-3-5-sonnet-20240620", "claude-3-5-sonnet-20240620-FC", 0.95),
    ):
        found = (_losses(calls[tool, "simple"]) for tool in (old, new))
        yield Change(f"{old} -> {new}", Rule.score(bar), *found)
    subjects = _scores(folder / "scores/mmlu_gsm8k_pair/samples.csv.gz")
    strong = {
        subject: _losses(scores)
        for (tool, subject), scores in subjects.items()
        if tool.startswith("gpt-4") and subject != "high_school_mathematics"  # broken upstream
    }
    easy = [each for each in strong.values() if each.mean() < 0.15]
    hard = [each for each in strong.values() if each.mean() >= 0.25]
    mixed = np.concatenate([*easy, *hard])
    yield Change("easy subjects -> all", Rule.score(0.86), np.concatenate(easy), mixed)
    yield Change(
        "easy subjects -> hard", Rule.score(0.86), np.concatenate(easy), np.concatenate(hard)
    )
    small = _scores(folder / "scores/small_models/samples.csv.gz", by="task")
    by_tool = {tool: scores for (tool, _), scores in small.items()}
    large, next_best = by_tool["llama-3.1-nemotron-51b-instruct"], by_tool["llama-3.1-8b-instruct"]
    for name in ("mistral-7b-instruct-v0.3", "codegemma-7b"):
        yield Change(
            f"llama-3.1-nemotron-51b -> {name}",
            Rule.score(0.58),
            _losses(large),
            _losses(by_tool[name]),
        )
        usual, fallen = _paired(next_best, large), _paired(by_tool[name], large)
        title = f"llama-3.1-8b -> {name}, within 0.10 of the 51b"
        yield Change(title, Rule.paired(0.10), usual, fallen)


def _scores(path: Path, by: str = "category") -> dict[tuple[str, str], dict[str, float]]:
    """Return (tool, category) -> case -> score."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            cases = found.setdefault((row["model"], row[by]), {})
            cases[row["sample_id"]] = float(row["score"])
    return found


def _losses(scores: dict[str, float]) -> Floats:
    return 1 - np.array(list(scores.values()))


def _paired(routed: dict[str, float], old: dict[str, float]) -> Floats:
    both = [case for case in routed if case in old]
    return np.array([(1 - routed[case] + old[case]) / 2 for case in both])


def simulated(runs: int) -> bool:
    """Print the published table beside ours; return whether they agree."""
    good = True
    print(f"bar {BAR}, {USUAL} before the drop; answers from the drop to the alarm")
    head = ("A", "drops to", "ours", "published", "e-CUSUM", "Page", "bound")
    print("{:>7}{:>10}{:>16}{:>16}{:>9}{:>7}{:>7}".format(*head))
    rule, chance = Rule.score(BAR), np.random.default_rng(1)
    for threshold, drops in PUBLISHED.items():
        for dropped, published in drops.items():
            later, first = ((after, USUAL, dropped) for after in (USUAL_ANSWERS, 0))
            ours = [
                delays(rule, threshold, change, runs, chance).mean() for change in (later, first)
            ]
            rivals = [
                delays(rival, threshold, later, runs, chance).mean()
                for rival in (rule.e_cusum(), Rule.page(BAR, dropped))
            ]
            sure = np.repeat((0.0, 1.0), (round(dropped * 1000), round((1 - dropped) * 1000)))
            least = bound(sure, 1 - BAR, threshold)
            near = all(abs(a / b - 1) <= TOLERANCE for a, b in zip(ours, published, strict=True))
            good &= near and ours[0] <= least
            print(
                f"{threshold:>7}{dropped:>10}{ours[0]:>9.0f} {ours[1]:>6.0f}"
                f"{'({} {})'.format(*published):>16}{rivals[0]:>9.0f}{rivals[1]:>7.0f}{least:>7.0f}"
            )
    for threshold in PUBLISHED:
        found = delays(rule, threshold, (0, BAR, BAR), runs, chance)
        error = found.std() / math.sqrt(len(found))
        good &= found.mean() + 3 * error >= threshold
        print(f"at the bar, A = {threshold}: {found.mean():,.0f} answers (s.e. {error:,.0f})")
    return good


def replayed(runs: int, folder: Path, threshold: float = 10_000) -> bool:
    """Print delays and false alarms on real scores; return whether all is as promised."""
    good, chance = True, np.random.default_rng(2)
    print(f"\nreal scores, A = {threshold:,.0f}")
    head = (
        "what changed",
        "before",
        "after",
        "allowed",
        "ours",
        "late",
        "e-CUSUM",
        "bound",
        "false",
    )
    print("{:<60}{:>8}{:>8}{:>9}{:>7}{:>7}{:>9}{:>8}{:>7}".format(*head))
    for change in real_changes(folder):
        draws = swapped(change, USUAL_ANSWERS, chance)
        found = first_alarms(change.rule, threshold, draws, runs)
        late = found[found > USUAL_ANSWERS] - USUAL_ANSWERS
        rival = first_alarms(change.rule.e_cusum(), threshold, draws, runs) - USUAL_ANSWERS
        least = bound(change.after, change.rule.allowed, threshold)
        still = swapped(change, IN_CONTROL, chance)
        false = first_alarms(change.rule, threshold, still, min(runs, 300), IN_CONTROL + 1)
        share = float((false <= IN_CONTROL).mean())
        good &= bool(late.mean() <= least + OVERSHOOT)
        print(
            f"{change.name:<60}{change.before.mean():>8.3f}{change.after.mean():>8.3f}"
            f"{change.rule.allowed:>9.3f}{late.mean():>7.0f}{np.quantile(late, 0.95):>7.0f}"
            f"{rival[rival > 0].mean():>9.0f}{least:>8.0f}{share:>7.3f}"
        )
        at_bar = replace(change.rule, allowed=float(change.before.mean()))
        steady = swapped(change, ENDLESS, chance)
        lengths = first_alarms(at_bar, threshold, steady, min(runs, 300), ENDLESS)
        error = lengths.std() / math.sqrt(len(lengths))
        good &= lengths.mean() + 3 * error >= threshold
        print(f"{'  were its bar what it had: answers to an alarm':<60}{lengths.mean():>16,.0f}")
    return good


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    good = simulated(runs)
    if DATA.is_dir():
        good &= replayed(runs, DATA)
    else:
        print(f"real data is not at {DATA}; set CLEARBAR_DATA to where it is")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
