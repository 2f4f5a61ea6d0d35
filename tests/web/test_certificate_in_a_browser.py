"""The page of a certificate as a real browser shows it, from a file, without a network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.trial.certificates import (
    KINDS,
    certificate,
    crowd,
    haiku,
    rules,
    won,
)

from clearbar.web.certificate import render

from .pages import GROUND, HOSTILE, IN_A_BROWSER, LONG, sideways

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from clearbar.trial.trial import Certificate

pytestmark = IN_A_BROWSER


@pytest.fixture
def show(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Return what opens the page of a certificate."""

    def opened(
        made: Certificate, *, width: int = 1280, stale: tuple[str, ...] = (), **options: Any
    ) -> Page:
        text = render(made, identifier="ab" * 32, stale=stale)
        return open_page(text, width=width, **options)

    return opened


def overlapping(page: Page) -> list[str]:
    """Return the texts of a path that lie on each other."""
    found: list[str] = page.evaluate("""() => [...document.querySelectorAll(".evidence")].flatMap(
        (plot) => {
            const texts = [...plot.querySelectorAll("text")];
            const boxes = texts.map((text) => text.getBoundingClientRect());
            return texts.flatMap((text, i) => texts.slice(i + 1).flatMap((other, j) => {
                const a = boxes[i], b = boxes[i + 1 + j];
                const apart = a.right <= b.left || b.right <= a.left ||
                    a.bottom - 3 <= b.top || b.bottom - 3 <= a.top;
                return apart ? [] : [`${text.textContent} / ${other.textContent}`];
            }));
        })""")
    return found


@pytest.mark.parametrize("width", [360, 390, 768, 960, 961, 1280, 1920])
@pytest.mark.parametrize("made", KINDS)
def test_nothing_scrolls_sideways(
    show: Callable[..., Page], made: Callable[[], Certificate], width: int
) -> None:
    assert sideways(show(made(), width=width)) <= 0


@pytest.mark.parametrize("width", [360, 1280])
def test_a_long_word_breaks_rather_than_widens_the_page(
    show: Callable[..., Page], width: int
) -> None:
    made = certificate(
        replace(rules(), tool=LONG, note=LONG), replace(haiku(), tool=f"{LONG}b"), warnings=(LONG,)
    )
    identity = replace(made.identity, workflow=LONG, grader=LONG, cases_from=LONG)
    page = show(replace(made, identity=identity), width=width, stale=(LONG,))
    assert sideways(page) <= 0


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("made", KINDS)
def test_the_texts_of_a_path_do_not_overlap(
    show: Callable[..., Page], made: Callable[[], Certificate], width: int
) -> None:
    assert overlapping(show(made(), width=width)) == []


@pytest.mark.parametrize("width", [360, 1280])
def test_no_text_of_a_path_is_cut_off(show: Callable[..., Page], width: int) -> None:
    cut = show(won(), width=width).evaluate(
        """() => [...document.querySelectorAll(".evidence")].filter((plot) => {
            const frame = plot.getBoundingClientRect();
            return [...plot.querySelectorAll("text")].some((text) => {
                const box = text.getBoundingClientRect();
                return box.left < frame.left - 1 || box.right > frame.right + 1 ||
                    box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
            });
        }).length"""
    )
    assert cut == 0


def test_pointing_at_a_path_tells_what_was_known_then(show: Callable[..., Page]) -> None:
    page = show(won())
    strip = page.locator("#t3 .strips rect").nth(10)
    strip.scroll_into_view_if_needed()
    box = strip.bounding_box()
    assert box
    hit = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).textContent",
        [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2],
    )
    assert "cases: mean 0.9" in hit
    assert "wealth for" in hit


def test_the_strips_cover_a_path_without_gaps(show: Callable[..., Page]) -> None:
    covered = show(won()).evaluate("""() => [...document.querySelectorAll("#t3 .strips rect")]
        .reduce((sum, strip) => sum + strip.getBoundingClientRect().width, 0) /
        document.querySelector("#t3 .evidence").getBoundingClientRect().width""")
    assert covered == pytest.approx(1, abs=0.02)


def test_a_bet_ends_at_its_threshold_on_the_screen(show: Callable[..., Page]) -> None:
    """Check the drawing as it is painted: the winner's bet touches the line that it needs."""
    gap = show(won()).evaluate("""() => {
        const plot = document.querySelector("#t3");
        const top = plot.querySelector("path.for:not(.area)").getBoundingClientRect().top;
        const line = plot.querySelector("line.needed").getBoundingClientRect().top;
        return Math.abs(top - line);
    }""")
    assert gap < 2


def test_following_a_tool_leads_to_its_path(show: Callable[..., Page]) -> None:
    page = show(won())
    page.get_by_role("link", name="haiku").click()
    assert page.evaluate("document.querySelector(':target').id") == "t3"


def test_markup_in_a_name_is_shown_as_text_and_does_nothing(show: Callable[..., Page]) -> None:
    made = certificate(replace(haiku(), tool=HOSTILE))
    page = show(replace(made, identity=replace(made.identity, workflow=HOSTILE)))
    assert HOSTILE in page.get_by_role("heading", level=1).inner_text()
    assert page.title().startswith(HOSTILE)


def test_it_prints_whole_on_a_sheet(show: Callable[..., Page]) -> None:
    page = show(crowd(6), width=720)
    page.emulate_media(media="print")
    assert sideways(page) <= 0
    assert page.locator(".evidence").last.is_visible()
    assert page.evaluate(GROUND) == "rgb(255, 255, 255)"


def test_dark_and_light_differ(show: Callable[..., Page]) -> None:
    light = show(won(), color_scheme="light").evaluate(GROUND)
    dark = show(won(), color_scheme="dark").evaluate(GROUND)
    assert light != dark


@pytest.mark.parametrize("width", [360, 1280])
def test_the_table_keeps_its_meaning_for_a_screen_reader(
    show: Callable[..., Page], width: int
) -> None:
    page = show(won(), width=width)
    assert page.get_by_role("rowheader", name="haiku").count() == 1
    assert page.get_by_role("columnheader", name="Outcome").count() == 1
    assert page.get_by_role("img", name="haiku after 240 cases").count() == 1


def test_without_scripts_nothing_is_missing(show: Callable[..., Page]) -> None:
    page = show(won(), java_script_enabled=False)
    assert page.locator("h1").inner_text().startswith("haiku clears")
    assert page.locator(".evidence").count() == 3
