from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO, TextIOWrapper

import pytest
from rich.console import Console

from clearbar.cli.card_view import card_lines
from clearbar.cli.scorecard_view import interval_text, print_scorecard, short_usd, trend_text
from clearbar.cli.spark import printable, spark
from clearbar.core.period import Period
from clearbar.gate.verdict import Override, Reason, Verdict
from clearbar.own.card import (
    DayFacts,
    Defence,
    Estimate,
    ModelUse,
    Scorecard,
    TierNeed,
    WorkflowCard,
)
from clearbar.own.card_saving import measured
from clearbar.own.workflow import Bar, Metric, Stakes, Workflow
from clearbar.spend.usage import Usage

START = date(2026, 10, 1)
AS_OF = date(2026, 10, 9)
WORKFLOW = Workflow(
    "support-replies",
    owner="support-lead@example.com",
    metric=Metric("resolved", "ticket", "outcomes/support.csv"),
    bar=Bar(at_least=0.92, text="resolved >= 0.92"),
    budget_usd_month=Decimal(1200),
    kill_rules=("usd_per_good > 0.30 for 28d",),
)
USAGE = Usage(calls=300, cost_usd=Decimal("1234.50"), calls_priced=300)
CARD = WorkflowCard(
    workflow=WORKFLOW,
    usage=USAGE,
    previous=Usage(calls=200, cost_usd=Decimal(1000)),
    days=tuple(
        DayFacts(START + timedelta(days=n), 1, 10, Decimal(n), 1, 1.0, None) for n in range(8)
    ),
    previous_days=(),
    models=tuple(ModelUse("openai", f"gpt-{n}", "frontier", USAGE) for n in range(7)),
    tier_cost_usd={"frontier": Decimal(80), "small": Decimal(20)},
    outcomes=8,
    good=8.0,
    mean_score=Estimate(0.94, 0.91, 0.96, 0.95, 8),
    cost_per_good_usd=Estimate(0.209, 0.0419, 0.377, 0.95, 8),
    worth_usd=Decimal(9000),
    return_usd=Estimate(7765.5, -120.0, 15_651.0, 0.95, 8),
    month_to_date_usd=Decimal(1234),
    first_day=START,
    defence=Defence("support-replies", "support-lead@example.com", START, date(2026, 12, 30)),
    gaps=("no next step",),
)
EMPTY = replace(
    CARD,
    workflow=Workflow("idle"),
    usage=Usage(),
    previous=Usage(),
    days=(),
    models=(),
    tier_cost_usd={},
    outcomes=0,
    mean_score=None,
    cost_per_good_usd=None,
    return_usd=None,
    defence=None,
    gaps=(),
)
VERDICT = Verdict(
    "support-replies",
    "pause",
    (Reason("over_budget", "pause", "spent $1,234.00 of $1,200.00", "Ask for more"),),
    "Ask for more",
    date(2026, 11, 8),
    Decimal(1234),
)
OVERRIDE = Override("support-replies", "fund", "cfo@example.com", "quarter end", START, AS_OF)


def named(name: str, stakes: Stakes = "normal") -> WorkflowCard:
    return replace(CARD, workflow=replace(WORKFLOW, name=name, stakes=stakes))


def scorecard(*cards: WorkflowCard, unattributed: Usage | None = None, bad: int = 0) -> Scorecard:
    left = unattributed or Usage()
    total = sum((card.usage for card in cards), left)
    return Scorecard(Period(START, AS_OF), AS_OF, cards, left, (), total, bad)


def printed(
    card: Scorecard,
    verdicts: Mapping[str, Verdict] | None = None,
    encoding: str = "utf-8",
) -> list[str]:
    raw = BytesIO()
    file = TextIOWrapper(raw, encoding)
    print_scorecard(Console(file=file, width=80, color_system=None), card, verdicts)
    file.flush()
    return raw.getvalue().decode(encoding).splitlines()


def test_the_table_fits_eighty_columns() -> None:
    wide = replace(
        named("a-workflow-with-twenty-four"[:24]),
        usage=replace(USAGE, cost_usd=Decimal("123456.78"), calls_unpriced=3),
        cost_per_good_usd=Estimate(0.000191, 0.0000383, 0.000345, 0.95, 8),
        return_usd=Estimate(-1234, -4564.0, -1234.0, 0.95, 8),
    )
    lines = printed(scorecard(wide, EMPTY), {wide.workflow.name: VERDICT})
    assert max(map(len, lines)) <= 80
    assert any("a-workflow-with-twenty-f PAUSE $123,456.78" in line for line in lines)
    assert any("0.00004..0.00034" in line for line in lines)


def test_a_name_of_twenty_five_characters_ends_in_an_ellipsis() -> None:
    assert any(f"{'n' * 23}… " in line for line in printed(scorecard(named("n" * 25))))


def test_a_workflow_takes_two_lines() -> None:
    first, second = printed(scorecard(CARD))[3:5]
    assert first.split() == ["support-replies", "$1,234.50", "+23%", "$0.209", "$7.77k"]
    assert second.split() == [
        *("normal", "F80", "S20"),
        *("_▂▃▄▅▆▇█", "0.0419..0.377", "-120..15.7k"),
    ]


def test_what_is_not_known_is_a_dash_not_a_zero() -> None:
    assert printed(scorecard(EMPTY))[3].split() == ["idle", "$0.00", "-", "-", "-"]


def test_equal_usage_at_other_stakes_looks_different() -> None:
    high, low = (printed(scorecard(named("same", stakes))) for stakes in ("high", "low"))
    assert high != low


def test_verdicts_are_words() -> None:
    lines = printed(scorecard(CARD, EMPTY), {"support-replies": VERDICT})
    assert lines[3].split()[1] == "PAUSE"
    assert lines[5].split()[1] == "-"


def test_a_verdict_by_a_person_is_marked_and_explained() -> None:
    lines = printed(scorecard(CARD), {"support-replies": replace(VERDICT, override=OVERRIDE)})
    assert "*" in lines[4]
    assert lines[-1] == "* support-replies: decided by a person, until 2026-10-09."


def test_what_belongs_to_no_workflow_has_a_line_of_its_own() -> None:
    lines = printed(scorecard(CARD, unattributed=Usage(calls=4, cost_usd=Decimal("1234.50"))))
    assert any(line.split() == ["(unattributed)", "$1,234.50"] for line in lines)
    assert any(line.split() == ["total", "$2,469.00"] for line in lines)
    assert "4 calls, 50.0% of the spend, belong to no workflow." in lines


def test_unpriced_calls_and_bad_records_are_said() -> None:
    unpriced = replace(CARD, usage=replace(USAGE, calls_unpriced=1234))
    lines = printed(scorecard(unpriced, bad=17))
    assert lines[4].split()[3:5] == ["_▂▃▄▅▆▇█", "+?"]
    assert "+? 1,234 calls have no known price: they are not in the spend." in lines
    assert "17 records were not taken in." in lines


def test_a_terminal_without_unicode_gets_ascii() -> None:
    lines = printed(scorecard(named("n" * 25)), {"n" * 25: VERDICT}, encoding="ascii")
    assert any("_:-=+*#@" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_markup_in_a_name_is_shown_as_it_stands() -> None:
    assert any("[red]x\\[/]" in line for line in printed(scorecard(named("[red]x\\[/]"))))


def test_codes_that_a_terminal_obeys_are_not_passed_on() -> None:
    assert printable("a\x1b[31mb\n") == "a?[31mb?"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0"),
        (0.000191, "$0.000191"),
        (0.21, "$0.210"),
        (4.2, "$4.20"),
        (-171.3, "-$171"),
        (999.4, "$999"),
        (999.6, "$1.00k"),
        (1.5e6, "$1.50M"),
        (2e9, "$2.00B"),
    ],
)
def test_an_amount_is_shortened_to_three_digits(amount: float, text: str) -> None:
    assert short_usd(amount) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1.0, 2.0, "1.00..2.00"),
        (-5.0, 2000.0, "-5.00..2.00k"),
        (0.5, None, "0.500 or more"),
        (None, 0.5, "0.500 or less"),
        (None, None, "no bounds"),
    ],
)
def test_bounds_read_as_words(low: float | None, high: float | None, text: str) -> None:
    assert interval_text(Estimate(1.0, low, high, 0.95, 9)) == text


@pytest.mark.parametrize(("before", "text"), [("0", "new"), ("1000", "+23%"), ("1", ">10x")])
def test_the_trend_is_a_percentage(before: str, text: str) -> None:
    assert trend_text(replace(CARD, previous=Usage(cost_usd=Decimal(before)))) == text


def test_a_spark_line_shows_neighbours_together() -> None:
    assert spark([0, 0, 1, 1, 2, 2], 3) == "_▅█"


@pytest.mark.parametrize("values", [[], [0.0, 0.0]])
def test_no_spend_has_no_spark_line(values: list[float]) -> None:
    assert spark(values, 8) == ""


def test_a_card_says_who_answers_and_what_is_missing() -> None:
    lines = list(card_lines(CARD))
    assert lines[0] == "support-replies"
    assert "  owner      support-lead@example.com" in lines
    assert "  metric     resolved per ticket, from outcomes/support.csv" in lines
    assert "  bar        resolved >= 0.92" in lines
    assert "  stakes     normal; data internal" in lines
    assert "  defended   on 2026-10-01 by support-lead@example.com, until 2026-12-30" in lines
    assert "  next step  not declared" in lines
    assert "  month      $1,234.00 so far; budget $1,200.00" in lines
    assert "  per good   $0.209 (95%, 8 days: 0.0419..0.377)" in lines
    assert "  outcomes   8, mean score 0.940 (95%: 0.910 to 0.960)" in lines
    assert "  gaps       no next step" in lines


def test_a_card_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, card_lines(CARD))) <= 60


def test_a_card_shows_the_dearest_models_and_counts_the_rest() -> None:
    lines = list(card_lines(CARD))
    assert sum(line.startswith("  model ") for line in lines) == 5
    assert "             and 2 more models" in lines


def test_a_card_of_nothing_says_so() -> None:
    lines = list(card_lines(EMPTY))
    assert "  owner      not declared" in lines
    assert "  metric     not declared" in lines
    assert "  bar        not declared" in lines
    assert "  defended   never" in lines
    assert "  outcomes   none in the period" in lines
    assert "  return     not known" in lines
    assert "  gaps       none" in lines
    assert "  month      $1,234.00 so far; no budget declared" in lines


def test_a_score_of_few_days_says_how_few() -> None:
    card = replace(CARD, mean_score=Estimate(0.5, None, None, 0.95, 2))
    assert "  outcomes   8, mean score 0.500 (no bounds: 2 days)" in list(card_lines(card))


def test_a_card_with_a_verdict_gives_its_reasons() -> None:
    lines = list(card_lines(CARD, replace(VERDICT, override=OVERRIDE)))
    assert lines[1:3] == [
        "  gate       PAUSE by cfo@example.com, lapses 2026-11-08",
        "             over_budget: spent $1,234.00 of $1,200.00",
    ]


def test_long_texts_are_wrapped_under_themselves() -> None:
    purposeful = replace(CARD, workflow=replace(WORKFLOW, purpose="word " * 40))
    lines = list(card_lines(purposeful))
    assert max(map(len, lines)) <= 80
    assert f"{' ' * 13}word word" in "\n".join(lines)


NEED = TierNeed("small", "haiku", "frontier", "opus", Decimal(540), AS_OF)


def test_the_tier_that_is_needed_stands_beside_the_tiers_in_use() -> None:
    lines = printed(scorecard(replace(CARD, need=NEED)))
    assert any(line.startswith("  normal F80 S20 needs S") for line in lines)


def test_what_leaks_a_month_is_said_with_both_tools() -> None:
    lines = " ".join(printed(scorecard(replace(CARD, need=NEED))))
    assert "support-replies leaks $540.00 a month: uses opus (frontier), needs haiku" in lines


@pytest.mark.parametrize(
    ("need", "said"),
    [
        (None, "what it needs is not known: no trial has ended"),
        (NEED, "leaks $540.00 a month: uses opus (frontier), needs haiku (small); trial of"),
        (replace(NEED, leak_usd_month=Decimal(0)), "needs small (haiku) by its trial of"),
        (replace(NEED, tier=None, leak_usd_month=None), "no tool is certified by its trial of"),
        (replace(NEED, stale=("the prompt changed",)), "no longer holds: the prompt changed"),
    ],
)
def test_a_card_says_which_tier_its_trial_found(need: TierNeed | None, said: str) -> None:
    assert said in " ".join(" ".join(card_lines(replace(CARD, need=need))).split())


SAVING = measured(
    Estimate(0.25, 0.2, 0.3, 0.95, 240),
    0.8,
    requests=(60, 600),
    conversations=(40, 1200),
    days=30,
)


def test_what_a_route_saves_is_said_with_its_interval_and_both_arms() -> None:
    said = (
        "saves $150.00 a month (95% interval $120.00 to $180.00), $0.25 a request, 80% of its cost:"
        " 1,200 conversations routed, 40 held out"
    )
    card = replace(CARD, saving=SAVING)
    assert f"support-replies {said}." in " ".join(" ".join(printed(scorecard(card))).split())
    assert said in " ".join(" ".join(card_lines(card)).split())


def test_a_saving_without_bounds_says_why() -> None:
    few = replace(SAVING, usd_month=Estimate(150.0, None, None, 0.95, 12), share=None)
    lines = " ".join(" ".join(card_lines(replace(CARD, saving=few))).split())
    assert "$150.00 a month (too few conversations for an interval), $0.25 a request:" in lines


def test_where_nothing_is_held_out_nothing_is_said_to_be_saved() -> None:
    assert "saves" not in " ".join([*printed(scorecard(CARD)), *card_lines(CARD)])
