"""Which rule took what."""

from __future__ import annotations

from decimal import Decimal

from clearbar.own.attribution import attribute_all
from clearbar.own.explanation import by_rule, explain
from clearbar.own.workflow import UNATTRIBUTED, MatchRule, Workflow
from clearbar.spend.charge import Origin, label_text
from clearbar.spend.usage import Usage

SUPPORT = Workflow("support", match_rules=(MatchRule((("project", ("help*",)),)),))
ORIGINS = {
    1: Origin("otlp", project="helpdesk", labels=label_text({"branch": "main"})),
    2: Origin("otlp", project="helpdesk", labels=label_text({"branch": "fix"})),
    3: Origin("otlp", project="other"),
}
USAGES = {key: Usage(calls=key, cost_usd=Decimal(key)) for key in ORIGINS}
LINES = explain(USAGES, ORIGINS, attribute_all(ORIGINS, [SUPPORT]))


def test_every_origin_is_explained_dearest_first() -> None:
    assert [line.usage.calls for line in LINES] == [3, 2, 1]


def test_an_origin_that_no_rule_took_says_so() -> None:
    assert LINES[0].workflow == UNATTRIBUTED
    assert LINES[0].why


def test_the_origins_of_one_rule_stand_together() -> None:
    taken = {each.workflow: each for each in by_rule(LINES)}
    assert len(taken["support"].lines) == 2
    assert taken["support"].usage.calls == 3


def test_an_origin_in_words_leaves_out_what_it_does_not_say() -> None:
    assert LINES[2].origin_text == "source=otlp project=helpdesk branch=main"


def test_an_origin_in_json_has_every_dimension() -> None:
    assert LINES[0].json()["origin"]["team"] == ""
    assert LINES[0].json()["cost_usd"] == "3"
