import base64
import gzip
import hashlib
import html
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from itertools import count
from typing import Final

import pytest

from clearbar.gate.verdict import Verdict
from clearbar.own.card import CoveredCalls, Estimate, Scorecard, TierNeed, WorkflowCard
from clearbar.own.card_saving import measured
from clearbar.own.workflow import Bar, Workflow
from clearbar.spend.usage import Usage
from clearbar.web.report import render

from .cards import card_of, company, scorecard_of, usage_of, verdict_of
from .stories import STORIES

HOSTILE: Final = "<img src=x onerror=alert(1)>\"'&</script>"
VOID: Final = {"meta", "link", "br"}
MAY_STAY_OPEN: Final = {"p", "li", "dt", "dd", "tr", "td", "th"}


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, ids, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID | MAY_STAY_OPEN:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in MAY_STAY_OPEN:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(scorecard: Scorecard, verdicts: tuple[Verdict, ...] = ()) -> Page:
    return Page(render(scorecard, verdicts, workspace_name="Acme"))


def card_with(**changes: object) -> WorkflowCard:
    return replace(card_of(STORIES[0]), **changes)  # type: ignore[arg-type]


def page_with(**changes: object) -> str:
    return page_of(scorecard_of([card_with(**changes)])).text


@pytest.fixture(scope="module")
def text() -> str:
    return render(*company(), workspace_name="Acme")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_same_scorecard_always_makes_the_same_page(text: str) -> None:
    assert render(*company(), workspace_name="Acme") == text


def test_the_head_tells_whose_page_it_is_and_of_when(page: Page) -> None:
    assert "Acme AI workflows, 1 Oct 2026 to 30 Oct 2026 (30 days, UTC)" in page.text
    assert "As of 31 Oct 2026" in page.text


def test_unpriced_calls_and_quarantined_records_raise_an_alarm(page: Page) -> None:
    alarms = [attributes for _, attributes in page.tags if attributes.get("class") == "alarm"]
    assert len(alarms) == 2
    assert "Unpriced calls 49 no price is known" in page.text
    assert "Quarantined records 17 could not be read" in page.text


def test_calls_that_were_paid_in_advance_have_a_list_value() -> None:
    text = page_with(covered=CoveredCalls(1204, Decimal("45.2")))
    assert "paid in advance: $45.20 at list price" in text
    assert "Paid in advance 1,204 calls: $45.20 at list price" in text
    assert "1 call: no list price known" in page_with(covered=CoveredCalls(1, Decimal(0)))
    assert "paid in advance" not in page_with(covered=None).lower()


def test_nothing_unpriced_and_nothing_quarantined_is_calm() -> None:
    page = page_of(replace(scorecard_of([], quarantined=0), total=usage_of(Decimal(1), 3)))
    assert not [tag for tag in page.tags if tag[1].get("class") == "alarm"]
    assert "every call has a cost" in page.text


def test_the_money_under_each_verdict_and_unattributed_adds_up_to_the_total(text: str) -> None:
    purses = text[text.index('class="purses"') : text.index('id="overview"')]
    amounts = re.findall(r'<li>.*?title="([\d.]+) USD"', purses)
    scorecard, _ = company()
    assert sum(map(Decimal, amounts)) == scorecard.total.cost_usd


def test_money_without_a_verdict_is_shown_as_such() -> None:
    assert "no verdict $4,101.28" in page_of(scorecard_of([card_of(STORIES[0])])).text


def test_every_workflow_has_a_row_and_a_section_it_links_to(page: Page) -> None:
    ids = {attributes.get("id") for tag, attributes in page.tags if tag == "details"}
    links = {attributes["href"] for tag, attributes in page.tags if tag == "a"}
    assert len(ids) == len(STORIES)
    assert links == {f"#{anchor}" for anchor in ids} | {"#unattributed"}


def test_names_that_look_alike_keep_their_own_anchors() -> None:
    cards = [
        replace(card_of(STORIES[0]), workflow=Workflow(name))
        for name in ("Support replies", "support-replies", "??", "!!")
    ]
    page = page_of(scorecard_of(cards))
    ids = [attributes["id"] for tag, attributes in page.tags if tag == "details"]
    assert ids == ["w-support-replies", "w-support-replies.2", "w-", "w-.4"]


def test_only_sections_in_which_something_must_be_done_stand_open(page: Page) -> None:
    opened = {
        attributes["id"]
        for tag, attributes in page.tags
        if tag == "details" and "open" in attributes
    }
    overridden = {"chat-experiment"}
    expected = {story.name for story in STORIES if story.decision != "fund"} - overridden
    assert opened == {f"w-{name}" for name in expected}


def test_a_verdict_gives_its_fact_its_next_step_and_its_lapse_date(page: Page) -> None:
    assert "spent $1,851.20 of a budget of $1,200.00 this month" in page.text
    assert "Next step support-lead@example.com: raise the budget" in page.text
    assert "Lapses on 1 Dec 2026" in page.text


def test_a_reason_keeps_its_own_next_step_where_it_differs() -> None:
    card = card_of(STORIES[0])
    verdict = replace(verdict_of(STORIES[0], card), next_step="Do this first", since=None)
    text = page_of(scorecard_of([card]), (verdict,)).text
    assert "Do this first" in text
    assert "Trial a small model on test writing" in text
    assert "Since" not in text


def test_an_override_names_the_person_and_keeps_what_the_rules_found(page: Page) -> None:
    assert "Overridden to fund by research-lead@example.com on 20 Oct 2026" in page.text
    assert "The rules found: kill kill_rule usd_per_good > 1.50 for 28d has held" in page.text


def test_every_amount_of_money_carries_its_exact_value(page: Page) -> None:
    scorecard, _ = company()
    titles = {attributes.get("title") for _, attributes in page.tags}
    assert f"{scorecard.total.cost_usd} USD" in titles


def test_what_is_not_declared_is_said_and_never_zero() -> None:
    text = page_with(
        workflow=Workflow("bare"),
        outcomes=0,
        good=0.0,
        mean_score=None,
        cost_per_good_usd=None,
        return_usd=None,
        worth_usd=None,
        defence=None,
        first_day=None,
    )
    assert "no owner" in text
    assert "not measured" in text
    assert "unknown" in text
    assert "never defended" in text
    for name in ("Purpose", "Owner", "Metric", "Bar", "Worth", "Budget"):
        assert f"{name} not declared" in text


def test_outcomes_of_which_none_is_good_are_not_called_unmeasured() -> None:
    assert "none good" in page_with(cost_per_good_usd=None, good=0.0)


def test_a_good_outcome_that_cost_nothing_has_no_place_on_a_log_scale() -> None:
    free = page_with(cost_per_good_usd=Estimate(0.0, 0.0, 0.0, 0.95, 30))
    assert "$0.00 to $0.00" in free


def test_an_interval_that_reaches_below_zero_is_told_but_drawn_open() -> None:
    card = card_with(cost_per_good_usd=Estimate(0.5, -0.1, 1.1, 0.95, 30))
    text = render(scorecard_of([card]), (), workspace_name="Acme")
    assert "-$0.10 to $1.10" in text
    assert 'class="interval open"' in text


def test_a_worth_that_the_outcomes_state_is_shown() -> None:
    workflow = replace(card_of(STORIES[0]).workflow, worth_usd=None)
    assert "$12.00 , said by the outcomes" in page_with(workflow=workflow, worth_usd=Decimal(12))


def test_a_relative_bar_is_told_without_a_mark() -> None:
    workflow = replace(card_of(STORIES[0]).workflow, bar=Bar(within=0.02, of="gpt-5"))
    text = page_with(workflow=workflow)
    assert "within 0.02 of gpt-5" in text
    assert "bar dashed" not in text


def test_a_budget_is_compared_with_the_month_of_the_last_whole_day(page: Page) -> None:
    assert "of $1,200.00 , 141.5%, in October 2026 (30 of 31 days)" in page.text


def test_a_defence_that_ran_out_is_called_expired() -> None:
    defence = card_of(STORIES[0]).defence
    assert defence
    text = page_with(defence=replace(defence, expires=date(2026, 10, 2), why=""))
    assert "expired 2 Oct 2026" in text


def test_a_workflow_that_spent_nothing_has_no_tier_and_no_trend() -> None:
    text = page_with(usage=Usage(), previous=Usage(), tier_cost_usd={}, models=())
    assert "frontier 1" not in text
    assert "new" not in text


def test_a_model_of_which_no_call_has_a_price_is_unpriced_not_free() -> None:
    (first, *_) = card_of(STORIES[0]).models
    unpriced = replace(first, model="", usage=usage_of(Decimal(0), 5, unpriced=5))
    text = page_with(models=(unpriced,))
    assert "not reported anthropic frontier 5 11.7k unpriced" in text


def test_a_workflow_of_which_no_call_has_a_price_is_unpriced_not_free() -> None:
    text = page_with(usage=usage_of(Decimal(0), 5, unpriced=5), models=())
    assert "platform-lead@example.com no verdict unpriced 5 unpriced" in text


NEED = TierNeed("small", "haiku", "frontier", "opus", Decimal(540), date(2026, 10, 20))


@pytest.mark.parametrize(
    ("need", "said"),
    [
        (None, "not known: no trial has ended"),
        (NEED, "$540.00 a month leak"),
        (replace(NEED, leak_usd_month=None), "needs small"),
        (replace(NEED, tier=None), "no tool is certified by the trial of"),
        (replace(NEED, stale=("the prompt changed",)), "no longer holds (the prompt changed)"),
    ],
)
def test_the_tier_that_a_trial_found_is_told(need: TierNeed | None, said: str) -> None:
    assert said in page_with(need=need)


SAVING = measured(
    Estimate(0.25, 0.2, 0.3, 0.95, 240),
    0.8,
    requests=(60, 600),
    conversations=(40, 200),
    days=30,
)


def test_what_a_route_saves_is_told_with_its_interval_and_both_arms() -> None:
    text = page_with(saving=SAVING)
    assert "route saves $150.00 a month" in text
    assert "$150.00 a month (95% interval $120.00 to $180.00), $0.25 a request" in text
    assert "a request, 80% of its cost" in text
    assert "200 conversations were routed, 40 were drawn by lot to stay on the old tool" in text


def test_a_saving_of_too_few_conversations_has_no_bounds() -> None:
    few = Estimate(0.25, None, None, 0.95, 4)
    saving = measured(few, None, requests=(2, 2), conversations=(2, 2), days=30)
    assert "$0.50 a month (no bounds yet), $0.25 a request" in page_with(saving=saving)


def test_where_nothing_is_held_out_no_saving_is_shown() -> None:
    assert "Route saves" not in page_with(saving=None)


def test_a_long_list_of_models_is_cut_and_says_so() -> None:
    models = card_of(STORIES[0]).models
    assert "and 2 more models, each cheaper" in page_with(models=(models * 4)[:10])


def test_each_number_tells_the_command_that_traces_it(page: Page) -> None:
    period = "2026-10-01..2026-10-31"
    assert f"clearbar own {period} --workflow support-replies" in page.text
    assert "clearbar gate history support-replies" in page.text
    assert f"clearbar spend {period} --by model" in page.text
    assert f"clearbar spend {period} --explain" in page.text
    assert f"clearbar spend trace --period {period}" in page.text
    assert "clearbar spend problems" in page.text


def test_a_name_in_a_command_is_quoted_for_the_shell() -> None:
    assert "clearbar gate history 'two words; rm'" in page_with(workflow=Workflow("two words; rm"))


def test_unattributed_spend_names_its_dearest_origins_and_what_to_do(page: Page) -> None:
    assert "Unattributed: $250.35 No rule took 1,403 calls" in page.text
    assert "service notebook-server, model claude-sonnet-4-5" in page.text
    assert "add a match rule to its workflow" in page.text


def test_a_scorecard_without_loose_ends_says_so() -> None:
    scorecard = replace(
        scorecard_of([card_of(STORIES[0])]), unattributed=Usage(), unattributed_origins=()
    )
    text = page_of(scorecard).text
    assert "Every charge belongs to a workflow" in text
    assert "all spend has a workflow" in text


def test_the_page_states_the_level_of_its_intervals(page: Page) -> None:
    assert "with a probability of 95%" in page.text


def test_an_empty_scorecard_is_still_a_page() -> None:
    scorecard = replace(
        scorecard_of([]), total=Usage(), unattributed=Usage(), unattributed_origins=()
    )
    page = page_of(scorecard)
    assert "Total spend $0.00" in page.text
    assert "nothing was spent" in page.text
    assert "there were no calls" in page.text
    assert "There are no intervals yet" in page.text


def test_text_from_the_ledger_is_never_markup() -> None:
    card = card_of(STORIES[0])
    story = replace(STORIES[0], name=HOSTILE, owner=HOSTILE, purpose=HOSTILE, unit=HOSTILE)
    hostile = replace(
        card_of(story),
        gaps=(HOSTILE,),
        models=tuple(replace(use, model=HOSTILE, provider=HOSTILE) for use in card.models),
    )
    verdict = verdict_of(replace(story, fact=HOSTILE, step=HOSTILE, rule=HOSTILE), hostile)
    scorecard = replace(scorecard_of([hostile]), unattributed_origins=((HOSTILE, Usage(calls=1)),))
    text = render(scorecard, [verdict], workspace_name=HOSTILE)
    assert "<img" not in text
    assert text.count("</script>") == 1
    assert html.escape(HOSTILE).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in text


def test_every_tag_that_must_be_closed_is_closed(page: Page) -> None:
    assert page.open == []


def test_no_two_elements_share_an_id(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_page_refers_to_nothing_outside_itself(page: Page) -> None:
    for _, attributes in page.tags:
        for name in ("href", "src", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,"))
        assert "style" not in attributes


def test_the_content_policy_allows_only_the_style_and_the_script_that_are_there(text: str) -> None:
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]+)"', text)[0])
    for tag in ("style", "script"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_every_header_cell_has_a_scope_and_every_picture_a_name(page: Page) -> None:
    for tag, attributes in page.tags:
        if tag == "th":
            assert attributes.get("scope") in ("row", "col")
        if attributes.get("role") == "img":
            assert attributes.get("aria-label")


def test_twelve_workflows_over_a_month_fit_in_150_kilobytes(text: str) -> None:
    assert len(text.encode()) < 150_000


@pytest.mark.slow
def test_three_hundred_workflows_over_ninety_days_stay_small() -> None:
    names = (replace(STORIES[number % 12], name=f"workflow-{number}") for number in count())
    stories = [next(names) for _ in range(300)]
    cards = [card_of(story, 90) for story in stories]
    verdicts = [verdict_of(story, card) for story, card in zip(stories, cards, strict=True)]
    text = render(scorecard_of(cards), verdicts, workspace_name="Acme").encode()
    assert len(text) < 2_000_000
    assert len(gzip.compress(text)) < 300_000


def luminance(colour: str) -> float:
    digits = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    parts = (int(digits[index : index + 2], 16) / 255 for index in (0, 2, 4))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


TEXT_ON_GROUND: Final = (
    ("ink", "page"), ("ink", "sheet"), ("ink", "faint"), ("soft", "page"), ("soft", "sheet"),
    ("soft", "faint"), ("link", "page"), ("link", "sheet"), ("link", "faint"), ("alarm", "sheet"),
    ("alarm", "alarm-sheet"), ("alarm", "faint"), ("good", "sheet"), ("fund-ink", "fund-sheet"),
    ("pause-ink", "pause-sheet"), ("kill-ink", "kill"),
)  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_ON_GROUND)
def test_text_has_the_contrast_that_wcag_aa_asks_for(
    text: str, scheme: str, ink: str, ground: str
) -> None:
    light, dark = text[: text.index("box-sizing")].split("(prefers-color-scheme: dark)")
    found = re.findall(r"--([a-z-]+): #([0-9a-f]{3,6});", light if scheme == "light" else dark)
    colours = dict(found)
    one, other = sorted((luminance(colours[ink]), luminance(colours[ground])))
    assert (other + 0.05) / (one + 0.05) >= 4.5
