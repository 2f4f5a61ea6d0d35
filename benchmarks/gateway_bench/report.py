"""What the cells gave, as ratios in one table, and whether the limits hold."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Final

from gateway_bench.drive import percentiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_bench.drive import Cell, Sample

JUDGED: Final = "clearbar-process"
"""Which has to keep the limits: what it acknowledged outlives every kill, as theirs does not."""
WAITING: Final = "clearbar"
"""Which waits for the disk besides, at each reply. Nobody else in the table does."""
_FIRST_BYTE_MS: Final = 1.0
_PEERS: Final = {"nginx": 3.0, "tensorzero": 1 / 2, "portkey": 1 / 20, "litellm": 1 / 100}
"""Our CPU time for a small reply over theirs, at most."""
_STREAMS: Final = {"nginx": 1.5}
_SMALL: Final = 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One system in one cell: medians over the rounds."""

    cpu_us: float | None
    p50_us: float
    p99_us: float
    first_p50_us: float | None
    first_p99_us: float | None
    requests: int
    failed: int
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One limit, and what was found."""

    of: str
    found: float | None
    """None: it was not measured."""
    limit: float
    unit: str
    other: str

    @property
    def holds(self) -> bool:
        """Whether it is kept; what is absent breaks none, save nginx and Clearbar."""
        return self.other != "nginx" if self.found is None else self.found <= self.limit


@dataclass(slots=True)
class Result:
    """What a run found."""

    seconds: int
    rounds: int
    systems: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Version and what is measured, by name."""
    absent: dict[str, str] = field(default_factory=dict)
    """Why, by name."""
    samples: dict[Cell, dict[str, list[Sample]]] = field(default_factory=dict)
    idle: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Silent streams, and the megabytes that they took."""

    later_us: dict[str, float] = field(default_factory=dict)
    """What a system spends on a request after its reply, on its accounts; it counts in `cpu_us`."""

    def add(self, cell: Cell, system: str, sample: Sample) -> None:
        """Keep what one run of a cell gave."""
        self.samples.setdefault(cell, {}).setdefault(system, []).append(sample)

    def rows(self, cell: Cell) -> dict[str, Row]:
        """Return the systems of a cell, in the order in which they were started."""
        found = self.samples.get(cell, {})
        return {name: _row(found[name]) for name in self.systems if name in found}


def _row(samples: list[Sample]) -> Row:
    firsts = [percentiles(each.first_us) for each in samples if each.first_us]
    answered = [each for each in samples if each.requests] or samples
    return Row(
        _median(each.cpu_us for each in answered),
        median(each.p50_us for each in answered),
        median(each.p99_us for each in answered),
        _median(p50 for p50, _ in firsts),
        _median(p99 for _, p99 in firsts),
        sum(each.requests for each in samples),
        sum(each.failed for each in samples),
        next((each.what for each in samples if each.what), ""),
    )


def _median(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def verdicts(result: Result, ours: str = JUDGED) -> list[Verdict]:
    """Judge one of ours by every cell of small replies, and of small requests for streams."""
    found = []
    for cell in result.samples:
        if cell.size != _SMALL or cell.rate:
            continue
        rows = result.rows(cell)
        for other, limit in (_STREAMS if cell.streamed else _PEERS).items():
            if cell.api == "chat" or other in rows:
                found.append(
                    Verdict(cell.label, _cpu_ratio(rows, ours, other), limit, "x CPU", other)
                )
        if cell.streamed and cell.pace == "gaps":
            behind = _first_byte_behind(rows, ours)
            found.append(Verdict(cell.label, behind, _FIRST_BYTE_MS, "ms first byte p99", "nginx"))
    return found


def _cpu_ratio(rows: dict[str, Row], ours: str, other: str) -> float | None:
    own, theirs = rows.get(ours), rows.get(other)
    if own is None or theirs is None or own.cpu_us is None or not theirs.cpu_us:
        return None
    return own.cpu_us / theirs.cpu_us


def _first_byte_behind(rows: dict[str, Row], ours: str) -> float | None:
    own, theirs = rows.get(ours), rows.get("nginx")
    if own is None or theirs is None:
        return None
    if own.first_p99_us is None or theirs.first_p99_us is None:
        return None
    return (own.first_p99_us - theirs.first_p99_us) / 1000


def lines(result: Result) -> Iterator[str]:
    """Yield the report, line by line."""
    yield f"{result.rounds} rounds of {result.seconds} s; ratios to nginx, medians in brackets"
    yield f"Python {sys.version}"
    for name, (version, note) in result.systems.items():
        yield f"  {f'{name} {version}':<24}{note}"
    for name, why in result.absent.items():
        yield f"  {name:<24}ABSENT: {why}"
    for name, later_us in result.later_us.items():
        yield f"  {name}: [{later_us:.0f}] us of a request are its first process's, for accounts,"
        yield "    mostly after the reply; measured apart, to the end, and counted in every cell"
    for cell in result.samples:
        yield from _cell_lines(cell, result.rows(cell))
    yield from _idle_lines(result)
    for ours, what in ((JUDGED, "the limits"), (WAITING, "the same, were they its limits")):
        if ours in result.systems:
            yield ""
            yield f"{what}: {ours} against"
            yield from map(_verdict_line, verdicts(result, ours))


def _cell_lines(cell: Cell, rows: dict[str, Row]) -> Iterator[str]:
    yield ""
    first = "first byte p50, p99 added [us]" if cell.pace == "gaps" else ""
    yield f"{cell.label:<42}{'CPU [us]':>20}{'p50, p99 added [us]':>24}{first:>34}"
    direct, base = rows.get("direct"), rows.get("nginx")
    direct_first = (
        None if direct is None else (direct.first_p50_us or 0.0, direct.first_p99_us or 0.0)
    )
    for name, row in rows.items():
        cpu = "" if row.cpu_us is None else f"[{row.cpu_us:,.0f}]"
        if row.cpu_us is not None and base is not None and base.cpu_us:
            cpu = f"{row.cpu_us / base.cpu_us:,.2f}x {cpu}"
        added = _added(
            row.p50_us, row.p99_us, None if direct is None else (direct.p50_us, direct.p99_us)
        )
        early = ""
        if cell.pace == "gaps" and row.first_p50_us is not None and row.first_p99_us is not None:
            early = _added(row.first_p50_us, row.first_p99_us, direct_first)
        failed = f"  {row.failed} FAILED: {row.what[:60]}" if row.failed else ""
        yield f"  {name:<14}{row.requests:>14,} requests{cpu:>27}{added:>24}{early:>34}{failed}"


def _added(p50: float, p99: float, direct: tuple[float, float] | None) -> str:
    if direct is None:
        return f"{p50:,.0f}, {p99:,.0f}"
    return f"{p50 - direct[0]:+,.0f}, {p99 - direct[1]:+,.0f}"


def _idle_lines(result: Result) -> Iterator[str]:
    yield ""
    yield "memory of silent streams, MB per thousand"
    base = result.idle.get("nginx")
    for name, (opened, taken) in result.idle.items():
        if not opened:
            yield f"  {name:<14}none could be opened"
            continue
        ratio = f"{taken / opened / (base[1] / base[0]):>10.2f}x" if base and base[1] > 0 else ""
        yield f"  {name:<14}{ratio}  [{taken / opened * 1000:.1f}]  {opened} open"


def _verdict_line(each: Verdict) -> str:
    word = "not measured" if each.found is None else "holds" if each.holds else "BROKEN"
    found = "" if each.found is None else f"{each.found:.4g}"
    limit = f"at most {each.limit:.4g} {each.unit}"
    return f"  {each.other:<12}{each.of:<42}{found:>10}  {limit:<30}{word}"


def as_json(result: Result) -> str:
    """Return all of it, for machines."""
    cells = [
        {"cell": asdict(cell), "rows": {n: asdict(row) for n, row in result.rows(cell).items()}}
        for cell in result.samples
    ]
    kept = {
        "seconds": result.seconds,
        "rounds": result.rounds,
        "systems": result.systems,
        "absent": result.absent,
        "cells": cells,
        "idle": result.idle,
        "later_us": result.later_us,
        "python": sys.version,
        "limits": [asdict(each) | {"holds": each.holds} for each in verdicts(result)],
    }
    return json.dumps(kept, indent=2)
