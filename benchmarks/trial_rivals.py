"""How others choose a tool from scores, on the same orders: fixed sizes and point estimates.

llm-route-audit and Arbr: their published rules, as of 2026. BARGAIN: its own library, where it is
installed (`pip install bargain`); it sets the threshold of a cascade and trusts the dearer tool.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom

from clearbar.trial.recorded.recorded_scores import Columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clearbar.own.workflow import Bar
    from trial_arenas import Arena

COLUMNS = Columns(case="sample_id", tool="model")
POWER = 0.8
AIM = 0.03
DISAGREEMENT = 0.1
AUDIT_CASES = 10
AUDIT_SHARE = 0.95
ARBR_CASES = 300
ARBR_WORSE = 0.03


@dataclass
class Choice:
    """What a rule chose, and what choosing took."""

    tool: int | None
    calls: int
    usd: float


def fixed_size(arena: Arena, bar: Bar, alpha: float) -> Callable[[np.ndarray], Choice | None]:
    """Return the rule: every tool on n cases, one test each at alpha / tools."""
    tools, total = arena.scores.shape
    share = alpha / tools
    z = NormalDist().inv_cdf(1 - share) + NormalDist().inv_cdf(POWER)
    if bar.within is not None:
        n = math.ceil(z * z * DISAGREEMENT / bar.within**2)
    else:
        level = bar.at_least or 0.0
        n = math.ceil(z * z * level * (1 - level) / AIM**2)
    n = min(n, total)

    def choose(order: np.ndarray) -> Choice:
        scores = arena.scores[:, order[:n]]
        if bar.within is not None:
            clears = _z(scores - scores[arena.incumbent] + bar.within) <= share
            clears &= _may_replace(arena)
        elif arena.binary:
            clears = binom.sf(scores.sum(axis=1) - 1, n, bar.at_least) <= share
        else:
            clears = _z(scores - bar.at_least) <= share
        usd = float(arena.costs[:, order[:n]].sum())
        return Choice(_cheapest(arena, clears), tools * n, usd)

    return choose


def route_audit(arena: Arena, bar: Bar) -> Callable[[np.ndarray], Choice | None]:
    """Return llm-route-audit's rule: ten cases, point estimates."""

    def choose(order: np.ndarray) -> Choice:
        some = order[:AUDIT_CASES]
        means = arena.scores[:, some].mean(axis=1)
        relative = bar.within is not None
        level = AUDIT_SHARE * means[arena.incumbent] if relative else bar.at_least
        clears = means >= level
        if relative:
            clears &= _may_replace(arena)
        usd = float(arena.costs[:, some].sum())
        return Choice(_cheapest(arena, clears), len(means) * len(some), usd)

    return choose


def arbr(arena: Arena, bar: Bar) -> Callable[[np.ndarray], Choice | None]:
    """Return Arbr's rule at medium risk; it knows no absolute bar, and no fewer cases."""

    def choose(order: np.ndarray) -> Choice | None:
        if bar.within is None or len(order) < ARBR_CASES:
            return None
        some = order[:ARBR_CASES]
        scores, spent = arena.scores[:, some], arena.costs[:, some].sum(axis=1)
        calls, usd = ARBR_CASES, float(spent[arena.incumbent])
        for tool in np.argsort(arena.usd, kind="stable").tolist():
            if arena.usd[tool] >= arena.usd[arena.incumbent]:
                break
            calls, usd = calls + ARBR_CASES, usd + float(spent[tool])
            if (scores[tool] < scores[arena.incumbent]).mean() <= ARBR_WORSE:
                return Choice(tool, calls, usd)
        return Choice(None, calls, usd)

    return choose


def _cheapest(arena: Arena, clears: np.ndarray) -> int | None:
    good = np.flatnonzero(clears)
    return int(good[np.argmin(arena.usd[good])]) if len(good) else None


def _may_replace(arena: Arena) -> np.ndarray:
    """Return which tools could replace the one in use: none that costs more."""
    cheaper = arena.usd <= arena.usd[arena.incumbent]
    cheaper[arena.incumbent] = False
    return cheaper


def _z(excess: np.ndarray) -> np.ndarray:
    """Return the chance of so large a mean where the true one is zero, by the normal law."""
    n = excess.shape[1]
    error = np.maximum(excess.std(axis=1, ddof=1), 1e-9) / math.sqrt(n)
    z = excess.mean(axis=1) / error
    tails: np.ndarray = np.vectorize(lambda value: NormalDist().cdf(-value))(z)
    return tails


def bargain_lines(folder: Path, orders: int) -> Iterator[str]:
    """Yield how BARGAIN and our cascade set a threshold on the same cases, or why not."""
    if importlib.util.find_spec("BARGAIN") is None:
        yield "bargain: skipped, it is not installed"
        return
    from trial_bargain import compare

    yield from compare(folder, orders)
