"""Made-up certificates whose figures follow from made-up scores, for tests of what shows them.

The bets are real mixtures of bets on seeded coins and a finding ends where its bet does; only the
bounds of the mean are rough. So paths, outcomes and figures agree with each other.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from clearbar.own.workflow import Bar
from clearbar.trial.trial import Certificate, Error, Finding, Identity, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clearbar.tools.tool import Tier
    from clearbar.trial.trial import Outcome

ERROR: Final = Error(certify=0.05, drop=0.10)
BAR: Final = Bar(at_least=0.92, text="resolved >= 0.92")
WITHIN: Final = Bar(within=0.03, of="opus", text="within 0.03 of opus")
NEEDED: Final = math.log(80)
"""Of the bet for, where four tools share an error rate of 0.05."""
AGAINST: Final = math.log(10)
CASES: Final = 800
_BETS: Final = [(number + 0.5) / 60 for number in range(60)]
_CAUTION: Final = 0.4
"""The greatest part of its wealth that the bet against puts on a case."""
_KEPT: Final = 150


def asked(
    tool: str, tier: Tier, chance: float, usd: str | None, *, seed: int = 1, cases: int = CASES
) -> Finding:
    """Ask a tool that is right with a `chance`, until a bet ends it or the cases do."""
    dice = random.Random(seed)
    scores = (float(dice.random() < chance) for _ in range(cases))
    return finding_of(tool, tier, list(_steps(scores, 0.92, 0.0)), usd)


def compared(
    tool: str, tier: Tier, gap: float, usd: str | None, *, seed: int = 1, cases: int = CASES
) -> Finding:
    """Compare a tool with the one in use: they differ on a tenth of the cases, by `gap` on mean."""
    dice = random.Random(seed)
    worse = 0.05 - gap / 2
    differences = (
        -1.0 if (roll := dice.random()) < worse else float(roll < 0.1) for _ in range(cases)
    )
    return finding_of(tool, tier, list(_steps(differences, -0.03, -1.0)), usd)


def finding_of(tool: str, tier: Tier, steps: Sequence[Step], usd: str | None) -> Finding:
    """Return the finding that a path ends in."""
    last = steps[-1]
    price = None if usd is None else Decimal(usd)
    outcome: Outcome = "clears" if last.log_for >= NEEDED else "fails"
    if last.log_for < NEEDED and last.log_against < AGAINST:
        outcome = "undecided"
    return replace(
        unasked(tool, tier, usd),
        outcome=outcome,
        reason="cases" if outcome == "undecided" else "evidence",
        n=last.n,
        mean=last.mean,
        low=last.low,
        high=last.high,
        log_for=last.log_for,
        log_against=last.log_against,
        calls=last.n,
        spent_usd=(price or Decimal(0)) * last.n,
        spent_unpriced_calls=0 if usd is not None else last.n,
        more_cases=130 if outcome == "undecided" else None,
        more_usd=(price or Decimal(0)) * 130 if outcome == "undecided" else None,
        path=thinned(steps),
    )


def unasked(tool: str, tier: Tier, usd: str | None, **changes: Any) -> Finding:
    """Return the finding of a tool that was never asked: a cheaper one had cleared."""
    made = Finding(
        tool=tool,
        tier=tier,
        outcome="undecided",
        reason="dearer",
        n=0,
        mean=None,
        low=None,
        high=None,
        level=0.95,
        alpha=0.0125,
        log_for=0.0,
        log_for_needed=NEEDED,
        log_against=0.0,
        log_against_needed=AGAINST,
        usd_per_case=None if usd is None else Decimal(usd),
        calls=0,
        spent_usd=Decimal(0),
    )
    return replace(made, **changes)


def certificate(
    *findings: Finding, bar: Bar = BAR, incumbent: str | None = "opus", **changes: Any
) -> Certificate:
    """Return the certificate of findings, in their order; the first that clears has won."""
    identity = Identity(
        workflow="support-replies",
        bar=bar,
        metric="resolved",
        grader="exact, ignoring case and space",
        prompt_digest="5f" * 32,
        cases_digest="a1" * 32,
        cases=CASES,
        cases_from="2026-09-01 to 2026-10-31",
        tools={each.tool: "0c" * 32 for each in findings},
        error=ERROR,
        seed=7,
    )
    made = Certificate(
        identity=identity,
        findings=findings,
        winner=next((each.tool for each in findings if each.outcome == "clears"), None),
        incumbent=incumbent,
        decided_at=datetime(2026, 11, 2, 9, 30, tzinfo=UTC),
        calls=sum(each.calls for each in findings),
        spent_usd=sum((each.spent_usd for each in findings), Decimal(0)),
    )
    return replace(made, **changes)


def rules() -> Finding:
    """Return a tool without a model, which fails."""
    return asked("rules", "none", 0.80, "0", seed=7)


def haiku() -> Finding:
    """Return a small model, which clears."""
    return asked("haiku", "small", 0.97, "0.00042", seed=3)


def opus() -> Finding:
    """Return the tool in use, which is never asked: a cheaper one had cleared."""
    return unasked("opus", "frontier", "0.0061")


def futile() -> Finding:
    """Return a tool that is at the bar, and so will hardly ever be shown to clear it."""
    made = asked("nano", "small", 0.92, "0.00011", seed=3, cases=400)
    return replace(made, reason="futile", more_cases=None, more_usd=None)


def won() -> Certificate:
    """Return a trial that a small model has won against the model in use."""
    return certificate(rules(), futile(), haiku(), opus())


def lost() -> Certificate:
    """Return a trial in which no cheaper tool comes near the model in use."""
    worse = compared("rules", "none", -0.09, "0")
    return certificate(worse, replace(worse, tool="regex"), opus_in_use(), bar=WITHIN)


def undecided() -> Certificate:
    """Return a trial that ran out of money."""
    near = asked("nano", "small", 0.93, "0.003", seed=9, cases=200)
    near = replace(near, reason="budget", more_cases=130, more_usd=Decimal("0.40"))
    return certificate(rules(), near, replace(opus(), reason="budget"))


def opus_in_use() -> Finding:
    """Return the tool in use as what others are compared with."""
    return replace(opus(), reason="incumbent")


def relative() -> Certificate:
    """Return a trial of a relative bar: means are differences to the model in use."""
    return certificate(
        compared("rules", "none", -0.09, "0"),
        compared("haiku", "small", 0.01, "0.00042", seed=3),
        opus_in_use(),
        bar=WITHIN,
    )


def untried() -> Certificate:
    """Return a trial in which nothing could be asked."""
    broken = unasked("haiku", "small", "0.00042", reason="broken", note="12 time-outs in a row")
    return certificate(broken, unasked("hosted", "small", None, reason="data_class"))


def crowd(count: int) -> Certificate:
    """Return a trial of many tools, of which all but the last were asked in vain."""
    many = [replace(rules(), tool=f"rules-{number}") for number in range(count)]
    long = asked("nano", "small", 0.93, "0.003", seed=9)
    return certificate(*many, replace(long, tool="long"), opus())


KINDS: Final = (won, lost, undecided, relative, untried)
"""One maker of each kind of certificate."""


def thinned(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return at most a few hundred points of a path, its last one among them."""
    stride = math.ceil(len(steps) / _KEPT)
    kept = steps[::stride]
    return (*kept, *(steps[-1:] if kept[-1] is not steps[-1] else ()))


def _steps(values: Iterator[float], bar: float, least: float) -> Iterator[Step]:
    """Play two mixtures of bets on values in [least, 1] until one of them ends it."""
    above, below = [0.0] * len(_BETS), [0.0] * len(_BETS)
    level = bar + ERROR.slack
    total, squares, low, high = 0.0, 0.0, least, 1.0
    for n, value in enumerate(values, 1):
        total, squares = total + value, squares + value * value
        for index, bet in enumerate(_BETS):
            above[index] += math.log1p(bet / (bar - least) * (value - bar))
            below[index] += math.log1p(bet * _CAUTION / (1 - level) * (level - value))
        mean = total / n
        spread = math.sqrt((squares / n - mean * mean + 1 / n) * 8 / n) + 4 / n
        low, high = max(low, mean - spread), min(high, mean + spread)
        step = Step(n, mean, min(low, mean), max(high, mean), _mixed(above), _mixed(below))
        yield step
        if step.log_for >= NEEDED or step.log_against >= AGAINST:
            return


def _mixed(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(sum(math.exp(each - top) for each in logs) / len(logs))
