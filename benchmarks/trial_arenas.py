"""The recorded scores of real tools as matrices: tools x cases, with what each answer cost.

Prices: tool_calling and router_arena record the cost of each call. mmlu_gsm8k_pair does not: input
tokens are taken as characters / 4, 5 output tokens for a choice and 150 for a sum, at the rates at
which tool_calling records the same two models (10 and 30 USD a million for the strong one, 0.70 for
the weak one). small_models does not either: a price in proportion to the parameters in the name,
0.02 USD a billion and thousand calls, is an assumption that sets the order and nothing else.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clearbar.own.workflow import Bar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = dict[str, str]
USD_PER_BILLION = 0.02 / 1000


@dataclass
class Arena:
    """One workflow: the cases that all of its tools have answered."""

    name: str
    tools: list[str]
    scores: np.ndarray
    costs: np.ndarray
    incumbent: int
    """The best tool; of equals the cheapest."""
    most_cases: int = 4000
    """Cases that a trial may take."""

    @property
    def usd(self) -> np.ndarray:
        return self.costs.mean(axis=1)

    @property
    def binary(self) -> bool:
        return bool(np.isin(self.scores, (0, 1)).all())


def arenas(folder: Path, only: set[str]) -> Iterator[tuple[Arena, list[Bar]]]:
    """Yield the workflows with the bars that they are tried at."""
    makers = {
        "tool_calling": _tool_calling,
        "mmlu_gsm8k_pair": _pair,
        "small_models": _small_models,
        "router_arena": _router_arena,
    }
    for name, make in makers.items():
        if not only or name in only:
            for arena in make(rows_of(folder / name / "samples.csv.gz")):
                yield arena, _bars(arena)


def rows_of(path: Path) -> list[Row]:
    """Return the rows of a table."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _bars(arena: Arena) -> list[Bar]:
    best = float(arena.scores.mean(axis=1)[arena.incumbent])
    name = arena.tools[arena.incumbent]
    levels = sorted({round(best - 0.1, 2), round(best - 0.05, 2)})
    return [*(Bar(within=m, of=name) for m in (0.03, 0.05)), *(Bar(at_least=b) for b in levels)]


def _arena(name: str, rows: list[Row]) -> Arena:
    """Return the matrix of the tools that answered nearly all cases, on those they share."""
    count = Counter(row["model"] for row in rows)
    most = max(count.values())
    tools = sorted(tool for tool, n in count.items() if n >= 0.9 * most)
    cells: defaultdict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    for row in rows:
        if 0 <= float(row["score"]) <= 1:
            cells[row["sample_id"]][row["model"]] = float(row["score"]), float(row["cost_usd"])
    cases = [case for case, by_tool in sorted(cells.items()) if all(t in by_tool for t in tools)]
    both = np.array([[cells[case][tool] for case in cases] for tool in tools])
    means, usd = both[:, :, 0].mean(axis=1), both[:, :, 1].mean(axis=1)
    incumbent = max(range(len(tools)), key=lambda i: (round(means[i], 9), -usd[i]))
    return Arena(name, tools, both[:, :, 0], both[:, :, 1], incumbent)


def _tool_calling(rows: list[Row]) -> Iterator[Arena]:
    priced = [row for row in rows if row["cost_usd"]]
    for category in sorted({row["category"] for row in priced}):
        some = [row for row in priced if row["category"] == category]
        yield _arena(f"tool_calling/{category}", some)
    yield _arena("tool_calling/all", priced)


def _pair(rows: list[Row]) -> Iterator[Arena]:
    for row in rows:
        tokens, out = int(row["prompt_chars"]) / 4, 150 if row["task"] == "gsm8k" else 5
        strong = row["model"].startswith("gpt")
        usd = (10 * tokens + 30 * out) if strong else 0.7 * (tokens + out)
        row["cost_usd"] = str(usd / 1e6)
    yield _arena("mmlu_gsm8k_pair", rows)


def _small_models(rows: list[Row]) -> Iterator[Arena]:
    for row in rows:
        sizes = re.findall(r"(\d+)b", row["model"])
        row["cost_usd"] = str(int(sizes[-1]) * USD_PER_BILLION)
    for cluster in sorted({row["cluster"] for row in rows}):
        some = [row for row in rows if row["cluster"] == cluster]
        yield _arena(f"small_models/{cluster or 'test'}", some)


def _router_arena(rows: list[Row]) -> Iterator[Arena]:
    arena = _arena("router_arena", rows)
    arena.incumbent = int(arena.usd.argmax())  # the dearer one is the one to replace
    arena.name += " (the dearer in use)"
    yield arena
