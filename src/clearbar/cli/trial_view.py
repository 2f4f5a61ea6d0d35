"""Trials in the terminal: the answer first, then a row for each tool; 80 columns suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.cli.spark import printable
from clearbar.core.money import usd
from clearbar.trial.certifying.certificate_answer import answer, answer_text
from clearbar.trial.certifying.certificate_words import (
    assumptions,
    interval_text,
    is_relative,
    lines_of,
    mean_text,
    outcome_text,
    per_thousand,
    percent_text,
    split_unasked,
    unasked_text,
    why_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from clearbar.trial.certifying.certificate_answer import Answer
    from clearbar.trial.trial import Certificate, Finding

_NAME_WIDTH: Final = 20
_MARGIN: Final = 10
_WHY_INDENT: Final = 2
_STYLES: Final[dict[str, str]] = {
    "clears": "bold green",
    "fails": "red",
    "undecided": "yellow",
}
_ANSWER_STYLES: Final[dict[Answer, str]] = {
    "clears": "bold green",
    "fails": "bold",
    "undecided": "bold yellow",
}


def print_certificate(
    console: Console,
    certificate: Certificate,
    *,
    identifier: str | None = None,
    stale: Sequence[str] = (),
) -> None:
    """Print a certificate: the answer, what was found of each tool, and what it rests on."""
    if stale:
        print_wrapped(console, f"STALE, it no longer holds: {'; '.join(stale)}.", "bold red")
    style = "" if stale else _ANSWER_STYLES[answer(certificate)]
    print_wrapped(console, answer_text(certificate), style)
    console.print()
    _print_findings(console, certificate)
    for note in _notes(certificate):
        console.print(note)
    console.print()
    identity = [*lines_of(certificate), *([("id", identifier)] if identifier else [])]
    warnings = [("WARNING", text) for text in certificate.warnings]
    for word, text in (*identity, *warnings):
        style = "bold yellow" if word == "WARNING" else "dim"
        print_labelled(console, word, text, style)
    console.print()
    console.print("It rests on this:")
    for text in assumptions(certificate):
        print_wrapped(console, text, first="- ", rest="  ")


def print_wrapped(
    console: Console, text: str, style: str = "", *, first: str = "", rest: str | None = None
) -> None:
    """Print a text between the margins: `first` before its first line, `rest` before others."""
    from rich.text import Text

    indent = first if rest is None else rest
    width = max(console.width - len(first), _NAME_WIDTH)
    for number, line in enumerate(Text(printable(text), style).wrap(console, width)):
        line.rstrip()
        console.print(Text(indent if number else first) + line, soft_wrap=True)


def print_labelled(console: Console, word: str, text: str, style: str = "dim") -> None:
    """Print a text beside a word in the margin."""
    from rich.text import Text

    width = max(console.width - _MARGIN, _MARGIN)
    margin = Text(f"{word:{_MARGIN}}", style)
    for line in Text(printable(text)).wrap(console, width):
        line.rstrip()
        console.print(margin + line, soft_wrap=True)
        margin = Text(" " * _MARGIN)


def _print_findings(console: Console, certificate: Certificate) -> None:
    from rich.text import Text

    relative = is_relative(certificate)
    levels = sorted({percent_text(each.level) for each in certificate.findings})
    interval = f"{levels[0]} bounds" if len(levels) == 1 else "bounds"
    mean = "diff." if relative else "mean"
    head = _row("tool", "outcome", "cases", mean, interval, "$/1,000", "spent")
    console.print(Text(head, "dim"), soft_wrap=True)
    rows, unasked = split_unasked(certificate)
    for finding in rows:
        name = Text(printable(finding.tool))
        if name.cell_len > _NAME_WIDTH:
            print_wrapped(console, finding.tool)
            name = Text()
        name.pad_right(_NAME_WIDTH - name.cell_len)
        outcome = outcome_text(finding)
        word = Text(f" {outcome.upper():9}", _STYLES.get(outcome, ""))
        console.print(name + word + Text(_figures(finding, relative=relative)), soft_wrap=True)
        indent = " " * _WHY_INDENT
        print_wrapped(console, why_text(finding, certificate), "dim", first=indent)
    if unasked:
        print_wrapped(console, unasked_text(unasked), rest="  ")


def _row(name: str, outcome: str, *figures: str) -> str:
    return f"{name:{_NAME_WIDTH}} {outcome:9}{_columns(*figures)}"


def _figures(finding: Finding, *, relative: bool) -> str:
    spent = usd(finding.spent_usd) + (" +?" if finding.spent_unpriced_calls else "")
    return _columns(
        f"{finding.n:,}",
        mean_text(finding.mean, relative=relative),
        interval_text(finding, relative=relative),
        per_thousand(finding.usd_per_case),
        spent,
    )


def _columns(cases: str, mean: str, interval: str, price: str, spent: str) -> str:
    return f" {cases:>6} {mean:>6} {interval:>14} {price:>9} {spent:>10}".rstrip()


def _notes(certificate: Certificate) -> Iterator[str]:
    """Yield what the signs in the table mean, as far as it has them."""
    if any(each.spent_unpriced_calls for each in certificate.findings):
        count = sum(each.spent_unpriced_calls for each in certificate.findings)
        yield f"+? {count:,} calls have no known price: they are not in what was spent."
