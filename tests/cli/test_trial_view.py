"""Certificates on a terminal of 80 columns, and a trial's progress, with and without colour."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import pytest
from rich.console import Console
from tests.trial.certificates import (
    BAR,
    KINDS,
    certificate,
    crowd,
    haiku,
    opus,
    relative,
    rules,
    unasked,
    undecided,
    won,
)

from clearbar.cli.distil_view import DISTIL_DOCS, distil_json, print_distil
from clearbar.cli.trial_forecast import (
    LISTING_DOCS,
    agree,
    listing_json,
    print_forecast,
    print_import,
    print_listing,
)
from clearbar.cli.trial_progress import (
    PlainProgress,
    standing_line,
    standings_table,
    trial_progress,
    wealth_bar,
)
from clearbar.cli.trial_view import print_certificate
from clearbar.core.errors import ClearbarError, Problem
from clearbar.trial.distilling.distil_report import DistilReport
from clearbar.trial.distilling.learning_curve import Forecast, point
from clearbar.trial.forecast import (
    FORECAST_DOCS,
    ToolForecast,
    TrialForecast,
    forecast_json,
)
from clearbar.trial.recorded.recorded_score import RecordedScore
from clearbar.trial.recorded.recorded_scores import RecordedScores
from clearbar.trial.running.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clearbar.trial.trial import Certificate


def shown(made: Certificate, stale: Sequence[str] = (), identifier: str | None = None) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_certificate(console, made, stale=stale, identifier=identifier)
    return text_of(console)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_answer_comes_first() -> None:
    assert shown(undecided()).splitlines()[0] == (
        "Undecided on resolved >= 0.92: nano needs about 130 more cases, about $0.40;"
    )


def test_each_tool_has_a_row_and_the_reason_below_it() -> None:
    assert [line.rstrip() for line in shown(won()).splitlines()[4:13]] == [
        "tool                 outcome    cases   mean     95% bounds   $/1,000      spent",
        "rules                FAILS         93  0.839   0.706..0.994     $0.00      $0.00",
        "  the bet that it is below 0.93 made 1 into 22; 10 were needed",
        "nano                 UNDECIDED    400  0.925   0.878..0.973     $0.11     $0.044",
        "  too unlikely to clear within the cases and the budget",
        "haiku                CLEARS       240  0.971   0.921..1.000     $0.42      $0.10",
        "  the bet that it clears made 1 into 81; 80 were needed",
        "opus                 NOT ASKED      0      -                    $6.10      $0.00",
        "  a cheaper tool had cleared",
    ]


def test_differences_have_their_sign() -> None:
    text = shown(relative())
    assert "diff." in text
    assert "CLEARS       755 +0.012 -0.028..+0.045" in text
    assert "opus                 IN USE         0" in text


@pytest.mark.parametrize("made", KINDS)
def test_no_line_is_wider_than_eighty_columns(made: Callable[[], Certificate]) -> None:
    long = replace(made(), warnings=("word " * 60, "x" * 200))
    wide = (replace(rules(), tool="x" * 120, note="note " * 40), *long.findings)
    text = shown(replace(long, findings=wide), ["it is old " * 12], "ab" * 32)
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_long_name_stands_whole_above_its_row() -> None:
    name = "a-model-with-a-name-of-many-words"
    lines = shown(certificate(replace(haiku(), tool=name))).splitlines()
    at = lines.index(name)
    assert lines[at + 1].startswith(" " * 20 + " CLEARS")


def test_a_stale_certificate_says_so_before_its_answer() -> None:
    lines = shown(won(), ["the prompt has changed", "haiku is now version 2"]).splitlines()
    assert lines[0] == (
        "STALE, it no longer holds: the prompt has changed; haiku is now version 2."
    )
    assert lines[1].startswith("haiku clears")


def test_broken_evidence_is_a_warning() -> None:
    text = shown(replace(won(), warnings=("strong scores 3.0% on algebra",)))
    assert "WARNING   strong scores 3.0% on algebra" in text


def test_what_it_is_about_and_its_assumptions_are_said() -> None:
    text = shown(won(), identifier="ab" * 32)
    for part in (
        "cases     800 from",
        "seed      7",
        f"id        {'ab' * 32}",
        "It rests on this:",
    ):
        assert part in text


def test_calls_without_a_price_are_counted_apart() -> None:
    made = certificate(replace(haiku(), usd_per_case=None, spent_unpriced_calls=240))
    assert "+? 240 calls have no known price" in shown(made)


def test_bounds_of_different_levels_are_not_given_one() -> None:
    text = shown(certificate(rules(), replace(haiku(), level=0.9)))
    assert " bounds " in text
    assert "95% bounds" not in text


def test_many_tools_that_were_not_asked_are_one_paragraph() -> None:
    dear = [unasked(f"dear-{n}", "frontier", "1") for n in range(4)]
    text = " ".join(shown(certificate(haiku(), *dear, opus())).split())
    assert "4 more tools were not asked, as a cheaper one had cleared: dear-0 ($1,000.00)," in text
    assert "opus NOT ASKED 0 - $6.10" in text


def test_codes_and_markup_in_a_name_reach_the_terminal_as_text() -> None:
    assert "[red]evil?[2J" in shown(certificate(replace(haiku(), tool="[red]evil\x1b[2J")))


def test_colour_is_added_where_the_terminal_has_it() -> None:
    console = Console(
        file=io.StringIO(), width=80, color_system="standard", force_terminal=True, no_color=False
    )
    print_certificate(console, certificate(rules(), haiku(), opus()))
    assert "\x1b[31m FAILS" in text_of(console)
    assert "\x1b[1;32m CLEARS" in text_of(console)


STANDING = Standing(
    tool="haiku",
    n=120,
    cases=800,
    mean=0.9583,
    low=0.9,
    high=0.99,
    log_for=math.log(12),
    log_for_needed=math.log(80),
    log_against=-3.0,
    log_against_needed=math.log(10),
    tool_usd=Decimal("0.0303"),
    spent_usd=Decimal("0.0504"),
)


def test_a_standing_is_one_line() -> None:
    assert standing_line(STANDING) == (
        "haiku: 120 cases, mean 0.958 (0.900..0.990), wealth for 12 of 80, against 0.05 of 10; "
        "$0.030 on it, $0.050 spent so far"
    )


def test_before_the_first_case_there_is_nothing_to_tell() -> None:
    none = replace(STANDING, n=0, mean=None, low=None, high=None)
    assert standing_line(none).startswith("haiku: 0 cases, wealth")
    lines: list[str] = []
    PlainProgress(lines.append)(none)
    assert lines == []


def test_lines_come_every_few_seconds_and_at_a_decision() -> None:
    times = iter([0.0, 1.0, 4.9, 5.1, 5.2, 5.3])
    lines: list[str] = []
    progress = PlainProgress(lines.append, lambda: next(times))
    for n in (1, 2, 3, 4):
        progress(replace(STANDING, n=n))
    progress(replace(STANDING, n=5, outcome="clears"))
    progress(replace(STANDING, n=6, outcome="clears"))
    assert [line.split(",")[0] for line in lines] == [
        "haiku: 1 case",
        "haiku: 4 cases",
        "CLEARS haiku: 5 cases",
    ]


def test_the_bar_fills_from_the_middle_and_is_full_only_at_a_threshold() -> None:
    assert wealth_bar(STANDING, ascii_only=True).plain == ".........|=====...."
    almost = replace(STANDING, log_for=math.log(79.9), log_against=math.log(9.9))
    assert wealth_bar(almost, ascii_only=True).plain == ".========|========."
    there = replace(STANDING, log_for=math.log(80), log_against=math.log(10))
    assert wealth_bar(there, ascii_only=True).plain == "=========|========="


def live(standings: Sequence[Standing], width: int = 80, room: int | None = None) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(standings_table(standings, room=room, ascii_only=True))
    return text_of(console).splitlines()


def test_the_live_table_tells_of_each_tool_in_two_lines() -> None:
    early = replace(STANDING, tool="opus", n=0, mean=None, low=None, high=None, tool_usd=Decimal(0))
    lines = live([replace(STANDING, outcome="clears"), early], 60)
    assert [line.rstrip() for line in lines[3:]] == [
        "haiku                   120 of 800  0.958 (0.900..0.990)",
        "CLEARS                      $0.030  .........|=====....",
        "opus                      0 of 800  -",
        "                             $0.00  .........|=====....",
        "$0.050 spent so far",
    ]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_live_table_fits_the_terminal(width: int) -> None:
    wide = replace(STANDING, n=23_456, cases=50_000, mean=-0.5, low=-0.75, high=-0.25)
    lines = live([replace(wide, tool="x" * 60), replace(STANDING, outcome="clears")], width)
    assert max(len(line) for line in lines) <= width
    assert "xxxxx" in lines[3]
    assert "CLEARS" in lines[6]
    assert len(lines) == 8


def test_the_last_line_of_the_live_table_is_not_filled_up() -> None:
    """What is echoed there on Ctrl-C would begin another line, and one would be left behind."""
    assert live([STANDING])[-1] == "$0.050 spent so far"


def test_of_many_tools_the_last_are_shown() -> None:
    many = [replace(STANDING, tool=f"tool-{number}") for number in range(30)]
    lines = live(many, room=24)
    assert len(lines) == 24
    assert lines[3].startswith("tool-20")
    assert lines[-1] == "20 more before these; $0.050 spent so far"
    assert live(many, room=3)[-1] == "29 more before it; $0.050 spent so far"


def test_before_anybody_has_answered_the_live_table_says_so() -> None:
    assert live([]) == ["no answer yet"]


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with trial_progress(quiet=False) as progress:
        assert progress is not None
        progress(STANDING)
    said = capsys.readouterr()
    assert (said.out, said.err.split(":")[0]) == ("", "haiku")


def test_a_person_sees_a_table_that_is_gone_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with trial_progress(quiet=False) as progress:
        assert progress is not None
        progress(STANDING)
    assert "haiku" in screen.getvalue()
    assert "\x1b[2K" in screen.getvalue()


def test_nothing_is_shown_where_quiet_is_asked_for() -> None:
    with trial_progress(quiet=True) as progress:
        assert progress is None


def test_a_crowd_of_tools_is_shown_whole() -> None:
    text = shown(crowd(30))
    assert all(f"rules-{number} " in text for number in range(30))


FORECAST = TrialForecast(
    workflow="support-replies",
    bar=BAR,
    metric="resolved",
    certify=0.05,
    cases=800,
    tools=(
        ToolForecast("rules", "none", Decimal(0), 43, 120, Decimal(0)),
        ToolForecast("haiku", "small", Decimal("0.00042"), 43, 120, Decimal("0.336")),
        ToolForecast("x" * 40, "unknown", None, None, None, None, "it may not be given this data"),
    ),
    ceiling_usd=Decimal("3.10"),
)


def forecast_text(forecast: TrialForecast) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_forecast(console, forecast)
    return text_of(console)


def test_a_dry_run_says_what_each_tool_would_take() -> None:
    assert [line.rstrip() for line in forecast_text(FORECAST).splitlines()] == [
        "support-replies: resolved >= 0.92, tried on up to 800 cases; at most 5% of such",
        "trials certify a tool that is below its bar.",
        "",
        "tool                            $/1,000    least   likely    at most",
        "rules                             $0.00       43      120      $0.00",
        "haiku                             $0.42       43      120      $0.34",
        "x" * 40,
        "                                      -        -        -          -",
        "  it may not be given this data",
        "",
        "least: so many cases passed in a row would do",
        "likely: about how many it takes if its mean is halfway from bar to 1",
        "it can cost at most $3.10",
    ]


def test_a_dry_run_that_costs_nothing_says_so() -> None:
    assert forecast_text(replace(FORECAST, ceiling_usd=Decimal(0))).endswith("it costs nothing\n")


def test_a_dry_run_against_the_tool_in_use_hopes_for_no_difference() -> None:
    against = replace(FORECAST, bar=relative().identity.bar)
    assert "if it is as good as the tool in use" in forecast_text(against)


def test_a_dry_run_tells_its_budget_and_warnings() -> None:
    limited = replace(FORECAST, budget_usd=Decimal(2), ceiling_usd=None, warnings=("9 rows bad",))
    text = forecast_text(limited)
    assert "what it can cost at most is not known; its budget is $2.00" in text
    assert "WARNING   9 rows bad" in text


def test_every_field_of_a_forecast_is_documented() -> None:
    written = forecast_json(FORECAST)
    assert {name for name in FORECAST_DOCS if "." not in name} == set(written)
    [first, *_] = cast("list[dict[str, object]]", written["tools"])
    assert {f"tools[].{name}" for name in first} <= set(FORECAST_DOCS)
    assert first["usd_per_case"] == "0"


def test_money_is_spent_only_where_somebody_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    agree(FORECAST, yes=True)
    agree(replace(FORECAST, ceiling_usd=Decimal(0)), yes=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(ClearbarError, match=r"at most \$3\.10"):
        agree(FORECAST, yes=False)


@pytest.mark.parametrize(("key", "begins"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_is_asked_before_money_is_spent(
    monkeypatch: pytest.MonkeyPatch, key: str, *, begins: bool
) -> None:
    terminal = io.StringIO(key)
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    if begins:
        agree(FORECAST, yes=False)
    else:
        with pytest.raises(click.Abort):
            agree(FORECAST, yes=False)


def test_trials_are_listed_with_what_is_known_of_them() -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_listing(
        console,
        {"a": None, "b": (won(), ()), "c": (undecided(), ("the prompt has changed",))},
    )
    lines = text_of(console).splitlines()
    assert lines[:4] == [
        "a: not tried yet",
        "  see what it takes: clearbar trial a --dry-run",
        "b: CLEARS, 2026-11-02",
        "  haiku clears resolved >= 0.92 and is the cheapest of 4 tools shown to (nano",
    ]
    assert "c: STALE, 2026-11-02" in lines
    assert lines[-1] == "  It no longer holds: the prompt has changed."


def test_trials_are_listed_as_json() -> None:
    listed = listing_json({"a": None, "b": (won(), ("old",))})["trials"]
    assert [set(each) for each in listed] == [set(LISTING_DOCS)] * 2
    assert [each["winner"] for each in listed] == [None, "haiku"]
    assert [each["stale"] for each in listed] == [[], ["old"]]


def test_what_was_imported_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    rows = tuple(RecordedScore(f"c{n}", "haiku", 1.0) for n in range(3))
    problems = tuple(Problem("no score", line=n) for n in range(1, 13))
    scores = RecordedScores(rows, (Problem("torn"), *problems), name="results.json")
    print_import(scores)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 scores: 1 tools on 3 cases, 13 left out"
    assert lines[1:3] == ["results.json: torn", "results.json:1: no score"]
    assert lines[-1] == "and 3 more"


DISTILLED = DistilReport(
    task="label",
    labelled_by="opus",
    examples=800,
    labels=("billing", "other"),
    points=(point(100, 0.80, 800), point(400, 0.88, 800), point(800, 0.91, 800)),
    available=2000,
    predicted=Forecast(2000, 0.935, 0.92, 0.95),
    needed=0.94,
    worthwhile=False,
    advice="2000 labels are expected to agree in 93.5% of cases",
    calibration_error=0.02,
    seed=0,
)


def distil_text(report: DistilReport, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    screen = io.TextIOWrapper(raw, encoding=encoding)
    print_distil(Console(file=screen, width=80, color_system=None), report)
    screen.flush()
    return raw.getvalue().decode(encoding)


def test_the_learning_curve_is_drawn_with_what_is_expected_of_more() -> None:
    lines = distil_text(DISTILLED, "ascii").splitlines()
    assert lines[:3] == [
        "2000 labels are expected to agree in 93.5% of cases",
        "",
        "  labels  agreement    90% bounds",
    ]
    assert lines[3].startswith("     100      0.800  0.776..0.822  ###################")
    assert lines[6].endswith(" expected")
    assert "answers   2: billing, other" in lines
    assert max(map(len, lines)) <= 80
    assert "█" in distil_text(DISTILLED)


def test_a_file_that_was_written_is_named() -> None:
    written = replace(DISTILLED, file=Path("a.classifier"), file_bytes=12_345, available=800)
    text = distil_text(written)
    assert "file      a.classifier (12,345 bytes)" in text
    assert "expected\n" not in text


def test_where_nothing_was_learned_the_reason_is_told() -> None:
    none = replace(
        DISTILLED, points=(), predicted=None, labels=(), calibration_error=None, advice="too few"
    )
    assert distil_text(none).splitlines()[0] == "too few"
    assert distil_json(none)["predicted"] is None


def test_every_field_of_a_distil_report_is_documented() -> None:
    written = distil_json(replace(DISTILLED, file=Path("a.classifier")))
    assert {name for name in DISTIL_DOCS if "." not in name} == set(written)
    assert {f"points[].{name}" for name in written["points"][0]} <= set(DISTIL_DOCS)
    assert {f"predicted.{name}" for name in written["predicted"]} <= set(DISTIL_DOCS)
    assert written["file"] == "a.classifier"
