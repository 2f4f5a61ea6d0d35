"""The page as a real browser shows it, from a file, without a network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.web.report import render

from .cards import card_of, company, scorecard_of, verdict_of
from .pages import GROUND, HOSTILE, IN_A_BROWSER, LONG, sideways
from .stories import STORIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = IN_A_BROWSER


@pytest.fixture
def show(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Return what opens a page of the sample company, or given HTML."""

    def opened(text: str = "", *, width: int = 1440, **options: Any) -> Page:
        page = text or render(*company(), workspace_name="Acme")
        return open_page(page, width=width, **options)

    return opened


def names(page: Page) -> list[str]:
    return page.locator(".overview tbody th a").all_inner_texts()


@pytest.mark.parametrize("width", [360, 390, 768, 960, 961, 1100, 1241, 1440, 1920])
def test_nothing_scrolls_sideways(show: Callable[..., Page], width: int) -> None:
    assert sideways(show(width=width)) <= 0


@pytest.mark.parametrize("width", [360, 1440])
def test_a_long_word_breaks_rather_than_widens_the_page(
    show: Callable[..., Page], width: int
) -> None:
    story = replace(STORIES[1], name=LONG, owner=LONG, purpose=LONG, fact=LONG, step=LONG)
    card = card_of(story)
    models = tuple(replace(use, model=LONG) for use in card.models)
    card = replace(card, models=models, gaps=(LONG,))
    scorecard = replace(scorecard_of([card]), unattributed_origins=((LONG, card.usage),))
    text = render(scorecard, [verdict_of(story, card)], workspace_name=LONG)
    assert sideways(show(text, width=width)) <= 0


def test_the_labels_of_a_plot_do_not_overlap(show: Callable[..., Page]) -> None:
    page = show(width=360)
    overlaps = page.evaluate("""() => [...document.querySelectorAll("details[open] .plot")].filter(
        (plot) => {
            const boxes = [...plot.querySelectorAll("text")].map((t) => t.getBoundingClientRect());
            return boxes.some((a, i) => boxes.slice(i + 1).some((b) =>
                a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom));
        }).length""")
    assert overlaps == 0


def test_no_label_of_a_plot_is_cut_off(show: Callable[..., Page]) -> None:
    page = show(width=360)
    cut = page.evaluate("""() => [...document.querySelectorAll("details[open] .plot")].filter(
        (plot) => {
            const frame = plot.getBoundingClientRect();
            return [...plot.querySelectorAll("text")].some((text) => {
                const box = text.getBoundingClientRect();
                return box.left < frame.left - 1 || box.right > frame.right + 1;
            });
        }).length""")
    assert cut == 0


def test_a_column_sorts_when_its_head_is_pressed(show: Callable[..., Page]) -> None:
    page = show()
    page.get_by_role("button", name="Workflow").click()
    assert names(page) == sorted(story.name for story in STORIES)
    page.get_by_role("button", name="Workflow").click()
    assert names(page) == sorted((story.name for story in STORIES), reverse=True)


def test_a_column_of_numbers_starts_with_the_greatest_and_ends_with_the_unknown(
    show: Callable[..., Page],
) -> None:
    page = show()
    page.get_by_role("button", name="Return").click()
    assert names(page)[0] == "regulated-letters"
    assert set(names(page)[-3:]) == {"sales-research", "weekly-digest", "meeting-notes"}
    head = page.get_by_role("columnheader", name="Return")
    assert head.get_attribute("aria-sort") == "descending"


def test_verdicts_sort_by_gravity(show: Callable[..., Page]) -> None:
    page = show()
    page.get_by_role("button", name="Verdict").click()
    assert set(names(page)[:2]) == {"sales-research", "weekly-digest"}


def test_without_scripts_the_page_is_whole_and_dearest_first(show: Callable[..., Page]) -> None:
    page = show(java_script_enabled=False)
    assert names(page)[0] == "coding-assistant"
    page.locator("#w-coding-assistant summary").click()
    assert page.get_by_text("Write and review code with engineers").is_visible()


def test_following_a_name_opens_its_section(show: Callable[..., Page]) -> None:
    page = show()
    page.get_by_role("link", name="coding-assistant").click()
    page.wait_for_selector("#w-coding-assistant[open]")
    assert page.get_by_text("Write and review code with engineers").is_visible()


def test_an_address_with_an_anchor_opens_its_section(show: Callable[..., Page]) -> None:
    assert show(at="#w-translation").locator("#w-translation[open]").count() == 1


def test_markup_in_a_name_is_shown_as_text_and_does_nothing(show: Callable[..., Page]) -> None:
    story = replace(STORIES[1], name=HOSTILE)
    card = card_of(story)
    text = render(scorecard_of([card]), [verdict_of(story, card)], workspace_name=HOSTILE)
    page = show(text)
    assert page.get_by_role("heading", level=1).inner_text() == HOSTILE
    assert page.title().startswith(HOSTILE)
    assert names(page) == [HOSTILE]


def test_a_foreign_script_is_refused_even_if_it_got_in(
    show: Callable[..., Page], complaints: list[str]
) -> None:
    text = render(*company(), workspace_name="Acme")
    page = show(text.replace("</main>", "<script>document.title = 'broken'</script></main>"))
    assert page.title() != "broken"
    assert "Content Security Policy" in complaints.pop()


def test_every_section_is_printed_open(show: Callable[..., Page]) -> None:
    page = show(width=720)
    page.emulate_media(media="print")
    assert page.get_by_text("Write and review code with engineers").is_visible()
    assert sideways(page) <= 0


def test_dark_and_light_differ(show: Callable[..., Page]) -> None:
    light = show(color_scheme="light").evaluate(GROUND)
    dark = show(color_scheme="dark").evaluate(GROUND)
    assert light != dark


def test_the_tables_keep_their_meaning_for_a_screen_reader_on_a_narrow_screen(
    show: Callable[..., Page],
) -> None:
    page = show(width=360)
    assert page.get_by_role("rowheader", name="coding-assistant").count() == 1
