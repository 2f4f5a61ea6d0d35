"""Spend in the terminal: readable at 80 columns and without colour."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clearbar.cli.spark import printable
from clearbar.cli.terminal import NARROW, console, say, table
from clearbar.core.money import usd
from clearbar.own.explanation import by_rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clearbar.own.explanation import Explanation
    from clearbar.spend.ingest import Progress, Summary
    from clearbar.spend.report import SpendReport
    from clearbar.spend.trace import Trace, Witness
    from clearbar.spend.usage import Usage

_SHOWN_ROWS = 50


def print_report(report: SpendReport) -> None:
    """Print the rows, the total, and what is left out of them."""
    shown = console()
    narrow = shown.width < NARROW
    tokens = ["tokens"] if narrow else ["input", "cache", "output"]
    made = table(report.by, "calls", *tokens, "cost")
    for row in report.rows[:_SHOWN_ROWS] if report.by != "day" else report.rows:
        made.add_row(printable(row.key), *_cells(row.usage, narrow=narrow))
    made.add_section()
    made.add_row("total", *_cells(report.total, narrow=narrow))
    shown.print(made)
    if not report.rows:
        _say("no charges in this period: clearbar spend add PATH")
    hidden = len(report.rows) - _SHOWN_ROWS
    if hidden > 0 and report.by != "day":
        _say(f"{hidden} smaller rows are not shown; --json has them all")
    for line in _caveats(report):
        _say(line)


def print_summary(summary: Summary) -> None:
    """Print what an `add` did."""
    files = f"{summary.files:,} file{'' if summary.files == 1 else 's'} read"
    if summary.unchanged_files:
        files += f", {summary.unchanged_files:,} unchanged since last time"
    if summary.unrecognised_files:
        files += f", {len(summary.unrecognised_files):,} not recognised"
    _say(files)
    _say(
        f"{summary.records:,} records: {summary.new:,} new, {summary.known:,} known, "
        f"{summary.merged:,} merged, {summary.quarantined:,} quarantined"
    )
    for source, count in sorted(summary.records_by_source.items()):
        _say(f"  {source}: {count:,}")
    if summary.quarantined:
        _say("see what is wrong with them: clearbar spend problems")
    for note in summary.notes[:_SHOWN_ROWS]:
        _say(f"{printable(note['uri'])}: {note['what']}")
    if (hidden := len(summary.notes) - _SHOWN_ROWS) > 0:
        _say(f"{hidden:,} more notes are not shown; --json has them all")


def print_problems(problems: Sequence[dict[str, Any]]) -> None:
    """Print where each bad record stands, and why it was not taken in."""
    for problem in problems:
        line = "" if problem["line"] is None else f":{problem['line']}"
        _say(f"{problem['uri']}{line}: {problem['what']}")
        if problem["hint"]:
            _say(f"  {problem['hint']}")
    _say(f"{len(problems):,} problems" if problems else "no problems")


def print_dearest(charges: Sequence[dict[str, Any]]) -> None:
    """Print the dearest charges with their ids."""
    if not charges:
        _say("no charges in this period: clearbar spend add PATH")
        return
    made = table("charge", "day", "model", "basis", "cost", left=4)
    for number in (0, 1, 3):  # ids, days and the basis are never cut: models give way
        made.columns[number].no_wrap = True
    for charge in charges:
        model, cost = charge["model"] or "(none)", usd(Decimal(charge["cost_usd"]))
        made.add_row(
            charge["charge_id"][:12], charge["day"], printable(model), charge["basis"], cost
        )
    console().print(made)
    _say("follow one to its bytes: clearbar spend trace CHARGE")


def print_trace(trace: Trace) -> None:
    """Print a charge, its price line by line, and each record that tells of it."""
    _fact("charge", trace.charge_id)
    _fact("identity", trace.identity)
    _fact("began", trace.started_at)
    _fact("tool", f"{trace.origin.model or '(none)'} from {trace.origin.provider or '(unknown)'}")
    _fact("workflow", f"{trace.workflow or '(unattributed)'}: {trace.rule}")
    _fact("cost", f"{usd(trace.cost_usd)} ({trace.basis})")
    if trace.covered_usd is not None:
        _fact("list", f"{usd(trace.covered_usd)}, paid in advance")
    if trace.price_id:
        _fact("price", f"{trace.price_id} of {trace.price_version}")
    for key, value in trace.price.items():
        _fact("", f"{key}: {value}")
    made = table("meter", "quantity", "unit price", "cost")
    for line in trace.lines:
        unit = "-" if line.unit_price_usd is None else f"${line.unit_price_usd.normalize():f}"
        cost = "-" if line.cost_usd is None else f"${line.cost_usd.normalize():f}"
        made.add_row(line.meter, f"{line.quantity:,}", unit, cost)
    console().print(made)
    for witness in trace.witnesses:
        _print_witness(witness)


def print_explanation(lines: Sequence[Explanation]) -> None:
    """Print what each rule took, dearest first, with the dearest of its origins."""
    for taken in by_rule(lines):
        first, *others = taken.lines
        _say(f"{usd(taken.usage.cost_usd):>12}  {taken.workflow}: {taken.why}")
        _say(f"{'':>12}  {first.origin_text}")
        if others:
            _say(f"{'':>12}  and {len(others):,} more origins; --json has them all")


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress | None]:
    """Yield what shows progress on standard error, if a person is looking."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    shown = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    with shown as bar:
        task = bar.add_task("reading", total=None)

        def show(done_bytes: int, total_bytes: int, name: str) -> None:
            bar.update(task, completed=done_bytes, total=total_bytes, description=name[-30:])

        yield show


def _caveats(report: SpendReport) -> list[str]:
    lines = [basis] if (basis := _basis(report.total)) else []
    left = sum((-usage for _, _, usage in report.lines), report.unattributed)
    if left.calls or left.cost_usd:
        lines.append(f"unattributed: {usd(left.cost_usd)}, see --explain")
    if report.residual.cost_usd:
        lines.append(f"{_residual(report.residual.cost_usd)}, see spend reconcile")
    lines += [f"{name}: {usd(cost)}" for name, cost in _corrected(report).items()]
    for each in report.covered:
        value = f"list value {usd(each.list_usd)}"
        lines.append(f"covered by {each.name}: {each.calls:,} calls, {value}, nothing extra")
    if report.unpriced_lines:
        lines.append(f"unpriced: {report.unpriced_lines:,} lines of bills, not in the cost")
    if report.total.calls_unpriced:
        lines.append(f"unpriced: {report.total.calls_unpriced:,} calls, not in the cost")
    if report.overlap.calls:
        lines.append(f"told of twice, counted once: {usd(-report.overlap.cost_usd)}")
    if report.quarantined_records:
        lines.append(f"quarantined: {report.quarantined_records:,} records, see spend problems")
    return lines


def _basis(usage: Usage) -> str:
    """Return what the figures of a sum are, and what its cost rests on."""
    counts = {
        "billed": usage.calls_billed,
        "priced": usage.calls_priced,
        "estimated": usage.calls_estimated,
    }
    found = [f"{count:,} {name}" for name, count in counts.items() if count]
    return f"input, cache, output: tokens; cost: {', '.join(found)} calls" if found else ""


def _residual(cost_usd: Decimal) -> str:
    if cost_usd > 0:
        return f"billed beyond the logs: {usd(cost_usd)}"
    return f"billed less than logged: {usd(cost_usd)}"


def _corrected(report: SpendReport) -> dict[str, Decimal]:
    """Return words -> what corrects each month that was closed before."""
    sums: dict[str, Decimal] = {}
    for each in report.corrections:
        name = f"corrections of {each.month}, which is closed"
        sums[name] = sums.get(name, Decimal(0)) + each.usage.cost_usd
    return sums


def _print_witness(witness: Witness) -> None:
    line = "" if witness.line is None else f":{witness.line}"
    _fact("told by" if witness.wins else "and by", f"{witness.uri}{line}")
    where = ""
    if witness.byte_offset is not None:
        end = witness.byte_offset + (witness.byte_length or 0)
        where = f"bytes {witness.byte_offset:,} to {end:,}, "
    reader = f"read by {witness.source} version {witness.parser_version}"
    lines = f"{witness.lines:,} line{'' if witness.lines == 1 else 's'}"
    _fact("", f"{where}{witness.bytes}; {reader}; {lines}")


def _cells(usage: Usage, *, narrow: bool) -> tuple[str, ...]:
    cached = usage.cache_read_tokens + usage.cache_write_tokens
    counts = [usage.tokens] if narrow else [usage.input_tokens, cached, usage.output_tokens]
    tokens = map(short, counts)
    cost = usd(usage.cost_usd)
    return (f"{usage.calls:,}", *tokens, cost if not usage.calls_unpriced else f"{cost} +?")


def short(count: int) -> str:
    """Return a count in at most six characters: `1.2M`."""
    for size, unit in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k")):
        if abs(count) >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)


def _fact(name: str, value: str) -> None:
    """Print what is known under a name, further lines beneath the first."""
    say(printable(f"{name:<10}{value}"), 10 if name else 0)


def _say(line: str) -> None:
    say(printable(line))
