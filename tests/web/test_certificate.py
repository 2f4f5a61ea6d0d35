"""The page of a certificate, read as text."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from tests.trial.certificates import (
    KINDS,
    certificate,
    crowd,
    haiku,
    opus,
    relative,
    rules,
    unasked,
    untried,
    won,
)

from clearbar.trial.certifying.certificate_answer import answer_text
from clearbar.trial.trial import Step
from clearbar.web.certificate import MeanScale, mean_scale, render
from clearbar.web.evidence_plot import evidence_plot, thinned

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.trial.trial import Certificate

HOSTILE = "<img src=x onerror=alert(1)>"
VOID = {"meta", "link", "br", "path", "line", "rect"}


class Reading(HTMLParser):
    """What a page says, and which elements it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def read(made: Certificate) -> str:
    return Reading(render(made)).text


@pytest.mark.parametrize("made", KINDS)
def test_the_answer_is_the_headline(made: Callable[[], Certificate]) -> None:
    page = render(made())
    headline = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    assert headline
    assert Reading(headline[1]).text == answer_text(made())


def test_every_tool_has_a_row_with_its_figures() -> None:
    text = read(won())
    assert "rules no model fails 93 0.839 0.706..0.994 $0.00 $0.00 93 calls" in text
    assert "haiku small clears 240 0.971 0.921..1.000 $0.42 $0.10 240 calls" in text
    assert "opus frontier not asked 0 - $6.10" in text


def test_the_saving_is_told_as_a_share_of_the_price_in_use() -> None:
    assert "instead of $6.10: 93.1% less" in read(won())
    dear = replace(haiku(), usd_per_case=Decimal("0.0122"))
    assert "instead of $6.10: 100% more" in read(certificate(dear, opus()))


@pytest.mark.parametrize(
    "made",
    [
        certificate(replace(haiku(), usd_per_case=None), opus()),
        certificate(haiku(), replace(opus(), usd_per_case=None)),
        certificate(replace(haiku(), tool="opus")),
        certificate(haiku(), incumbent=None),
    ],
)
def test_a_saving_that_is_not_known_is_not_told(made: Certificate) -> None:
    text = read(made)
    assert "less" not in text.split("The tools, in the order")[0]
    assert "measured over the cases asked" in text


def test_a_price_that_is_not_known_is_not_zero() -> None:
    assert "not known" in read(certificate(replace(haiku(), usd_per_case=None)))


def test_a_stale_certificate_says_so_before_all_else() -> None:
    page = render(won(), stale=("the prompt has changed", "haiku is now version 2"))
    text = Reading(page).text
    assert "Stale, it no longer holds the prompt has changed; haiku is now version 2" in text
    assert text.index("Stale") < text.index("haiku clears")
    assert '<h1 class="answer stale"' in page


def test_warnings_stand_before_the_tools() -> None:
    text = read(replace(won(), warnings=("strong scores 3.0% on algebra",)))
    assert text.index("strong scores 3.0%") < text.index("The tools, in the order")


def test_the_id_the_assumptions_and_what_it_is_about_are_told() -> None:
    text = Reading(render(won(), identifier="ab" * 32)).text
    for part in ("ab" * 32, "Seed 7", "800 from 2026-09-01", "At most 5% of such trials"):
        assert part in text


def test_where_nothing_was_asked_no_path_is_drawn() -> None:
    page = render(untried())
    assert '<svg class="evidence"' not in page
    assert "No tool was asked." in page


def test_many_tools_that_were_not_asked_are_one_line() -> None:
    more = [unasked(f"dear-{n}", "frontier", "1" if n else None) for n in range(5)]
    text = read(certificate(haiku(), *more, opus()))
    assert (
        "5 more tools were not asked, as a cheaper one had cleared: dear-0, dear-1 ($1,000" in text
    )
    assert "opus frontier not asked" in text


def test_each_path_says_in_words_what_it_shows() -> None:
    labels = [
        attributes["aria-label"]
        for tag, attributes in Reading(render(won())).tags
        if tag == "svg" and attributes.get("class") == "evidence"
    ]
    assert labels[-1] == (
        "haiku after 240 cases: mean 0.971, bounds 0.921..1.000, bar 0.92; the bet that it clears "
        "stands at 81 of 80 needed, the bet that it fails at 0.016 of 10"
    )


def test_every_drawing_has_a_role_and_a_name_or_is_hidden() -> None:
    for tag, attributes in Reading(render(relative())).tags:
        if tag == "svg" and attributes.get("class") != "panel":
            named = attributes.get("role") == "img" and attributes.get("aria-label")
            assert named or attributes.get("aria-hidden") == "true"


def test_nothing_is_loaded_and_no_script_is_there() -> None:
    page = render(won())
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert "default-src 'none'" in page.replace("&#39;", "'")


def test_every_text_of_a_file_is_shown_as_text() -> None:
    made = won()
    identity = replace(
        made.identity, workflow=HOSTILE, grader=HOSTILE, cases_from=HOSTILE, metric=HOSTILE
    )
    findings = tuple(replace(each, tool=HOSTILE, note=HOSTILE) for each in made.findings)
    hostile = replace(
        made, identity=identity, findings=findings, winner=HOSTILE, warnings=(HOSTILE,)
    )
    page = render(hostile, identifier=HOSTILE, stale=(HOSTILE,))
    assert "<img" not in page
    assert "onerror=alert(1)&gt;" in page


@pytest.mark.parametrize("made", [won, lambda: crowd(20)])
def test_the_page_stays_small(made: Callable[[], Certificate]) -> None:
    assert len(render(made()).encode()) < 150_000


def test_the_same_certificate_gives_the_same_page() -> None:
    assert render(won()) == render(won())


def test_a_scale_holds_the_bar_and_all_means() -> None:
    scale = mean_scale([rules(), haiku(), opus()], 0.92)
    assert 0 < scale.at(0.839) < scale.at(0.92) < scale.at(0.971) < 1
    assert scale.high <= 1


def test_a_bound_outside_the_scale_is_left_open() -> None:
    scale = MeanScale(0.8, 1.0)
    assert (scale.end(0.7), scale.end(0.9), scale.end(None)) == (None, 0.9, None)


def test_a_thinned_path_keeps_its_last_step() -> None:
    path = haiku().path
    assert thinned(path, 10)[-1] == path[-1]
    assert len(thinned(path, 10)) <= 10
    assert thinned(path, 10_000) == path


def test_a_tool_without_a_path_has_no_plot() -> None:
    assert not evidence_plot(opus(), 0.92, relative=False, points=100)


def test_a_path_of_one_case_can_be_drawn() -> None:
    step = Step(1, 1.0, 0.0, 1.0, 0.1, -2.0)
    one = replace(rules(), n=1, mean=1.0, low=0.0, high=1.0, path=(step,))
    drawing = evidence_plot(one, 0.92, relative=False, points=100)
    assert "1 case" in drawing
    assert "nan" not in drawing


def test_a_bet_that_can_never_win_has_no_threshold() -> None:
    never = replace(rules(), log_for_needed=math.inf)
    drawing = evidence_plot(never, 1.0, relative=False, points=100)
    assert "fails at" in drawing
    assert "clears at" not in drawing


def test_the_bet_that_has_lost_is_not_drawn_beyond_the_middle() -> None:
    drawing = evidence_plot(haiku(), 0.92, relative=False, points=100)
    against = re.search(r'<path class="against" d="([^"]*)"', drawing)
    assert against
    assert len(against[1]) < len(re.findall(r'<path class="for" d="([^"]*)"', drawing)[0])


@pytest.mark.parametrize("last", [1, 2, 3, 7, 10, 19, 20, 99, 100, 101, 450, 1000, 9999, 20_000])
def test_the_numbers_of_cases_below_a_path_are_few_and_before_its_end(last: int) -> None:
    path = (Step(last, 0.9, 0.8, 1.0, 0.5, -0.5),)
    drawing = evidence_plot(replace(rules(), path=path), 0.92, relative=False, points=9)
    ticks = re.findall(r'text-anchor="middle">([\d,]+)</text>', drawing)
    assert len(ticks) <= 4
    assert all(0 < int(each.replace(",", "")) < last for each in ticks)


def test_a_relative_bar_is_a_difference() -> None:
    drawing = evidence_plot(relative().findings[1], -0.03, relative=True, points=100)
    assert "bar -0.03" in drawing
    assert "Mean difference" in drawing
