"""Whose a charge is: the first rule of the file that matches takes it."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.own.attribution import Attribution, attribute, attribute_all
from clearbar.own.workflow import MatchRule, Workflow
from clearbar.spend.charge import Origin, label_text, labels_of


def rule(*conditions: tuple[str, str], line: int | None = None) -> MatchRule:
    return MatchRule(tuple((field, tuple(globs.split("|"))) for field, globs in conditions), line)


def taken_by(origin: Origin, *workflows: Workflow) -> str | None:
    return attribute(origin, workflows).workflow


SUPPORT = Workflow(
    "support-replies",
    match_rules=(
        rule(("service", "support-*"), line=20),
        rule(("project", "helpdesk|tickets"), ("label.channel", "email"), line=21),
    ),
)
LETTERS = Workflow("letters", line=30)


def test_a_glob_takes_what_it_stands_for() -> None:
    assert taken_by(Origin("otlp", service="support-chat"), SUPPORT) == "support-replies"


def test_the_case_of_letters_does_not_matter() -> None:
    assert taken_by(Origin("otlp", service="SUPPORT-Chat"), SUPPORT) == "support-replies"
    assert taken_by(Origin("otlp", team="ops"), Workflow("w", match_rules=(rule(("team", "Ops")),)))


def test_all_conditions_of_a_rule_have_to_match() -> None:
    email = label_text({"channel": "email"})
    assert taken_by(Origin("otlp", project="tickets", labels=email), SUPPORT)
    assert not taken_by(Origin("otlp", project="tickets"), SUPPORT)
    assert not taken_by(Origin("otlp", labels=email), SUPPORT)


def test_any_glob_of_a_condition_may_match() -> None:
    email = label_text({"channel": "email"})
    for project in ("helpdesk", "tickets"):
        assert taken_by(Origin("otlp", project=project, labels=email), SUPPORT)


def test_a_dimension_that_was_not_reported_matches_no_glob() -> None:
    anything = Workflow("anything", match_rules=(rule(("team", "*")),))
    assert taken_by(Origin("otlp", team="ops"), anything) == "anything"
    assert taken_by(Origin("otlp"), anything) is None


def test_a_workflow_without_rules_takes_what_its_callers_named() -> None:
    found = attribute(Origin("otlp", workflow="letters"), [SUPPORT, LETTERS])
    assert found == Attribution("letters", None, 'its caller named "letters" (clearbar.toml:30)')


def test_a_workflow_with_rules_does_not_take_what_callers_named() -> None:
    assert taken_by(Origin("otlp", workflow="support-replies"), SUPPORT) is None


def test_the_first_matching_rule_of_the_file_wins() -> None:
    origin = Origin("otlp", service="support-chat", workflow="letters")
    assert taken_by(origin, SUPPORT, LETTERS) == "support-replies"
    assert taken_by(origin, LETTERS, SUPPORT) == "letters"


def test_what_no_rule_takes_belongs_to_none_and_says_so() -> None:
    found = attribute(Origin("otlp", service="search"), [SUPPORT, LETTERS])
    assert (found.workflow, found.rule) == (None, None)
    assert found.why == "no rule of any workflow takes it"


def test_the_reason_names_the_rule_its_line_and_its_conditions() -> None:
    origin = Origin("otlp", project="tickets", labels=label_text({"channel": "email"}))
    assert attribute(origin, [SUPPORT]).why == (
        'rule 2 of "support-replies" (clearbar.toml:21): '
        "project = helpdesk | tickets and label.channel = email"
    )


def test_a_rule_that_was_not_read_from_a_file_has_no_line() -> None:
    made = Workflow("made", match_rules=(rule(("team", "ops")),))
    assert attribute(Origin("otlp", team="ops"), [made]).why == 'rule 1 of "made": team = ops'


@pytest.mark.parametrize("glob", ["[ab]*", "?-1", "a-[!2]"])
def test_sets_and_single_letters_are_globs_too(glob: str) -> None:
    workflow = Workflow("w", match_rules=(rule(("team", glob)),))
    assert taken_by(Origin("otlp", team="a-1"), workflow) == "w"
    assert taken_by(Origin("otlp", team="c-2x"), workflow) is None


globs = st.text("ab*?", min_size=1, max_size=3)
fields = st.sampled_from(["team", "service", "label.x", "label.y"])
rules = st.builds(
    MatchRule,
    st.lists(
        st.tuples(fields, st.lists(globs, min_size=1, max_size=2).map(tuple)),
        min_size=1,
        max_size=2,
        unique_by=lambda condition: condition[0],
    ).map(tuple),
)
workflows = st.lists(
    st.builds(
        Workflow,
        st.sampled_from(["a", "b", "c"]),
        match_rules=st.lists(rules, max_size=3).map(tuple),
    ),
    max_size=5,
    unique_by=lambda workflow: workflow.name,
)
values = st.text("abAB", max_size=2)
origins = st.builds(
    Origin,
    st.just("otlp"),
    team=values,
    service=values,
    workflow=st.sampled_from(["", "a", "b", "z"]),
    labels=st.dictionaries(st.sampled_from("xy"), values).map(label_text),
)


def by_the_book(origin: Origin, declared: list[Workflow]) -> tuple[str | None, MatchRule | None]:
    for workflow in declared:
        if not workflow.match_rules and origin.workflow == workflow.name:
            return workflow.name, None
        for each in workflow.match_rules:
            if all(satisfies(origin, field, some) for field, some in each.conditions):
                return workflow.name, each
    return None, None


def satisfies(origin: Origin, field: str, some: tuple[str, ...]) -> bool:
    label = field.removeprefix("label.")
    value = getattr(origin, field) if label == field else labels_of(origin.labels).get(label, "")
    return bool(value) and any(fnmatchcase(value.lower(), glob.lower()) for glob in some)


@given(origins, workflows)
def test_it_is_the_first_rule_by_the_book(origin: Origin, declared: list[Workflow]) -> None:
    found = attribute(origin, declared)
    assert (found.workflow, found.rule) == by_the_book(origin, declared)


@given(st.dictionaries(st.integers(0, 99), origins, max_size=6), workflows)
def test_all_at_once_is_each_alone(some: dict[int, Origin], declared: list[Workflow]) -> None:
    assert attribute_all(some, declared) == {
        origin_id: attribute(origin, declared) for origin_id, origin in some.items()
    }


@given(origins, workflows, st.lists(rules, min_size=1, max_size=2))
def test_a_later_rule_changes_nothing_that_was_taken_before(
    origin: Origin, declared: list[Workflow], added: list[MatchRule]
) -> None:
    before = attribute(origin, declared)
    after = attribute(origin, [*declared, Workflow("later", match_rules=tuple(added))])
    assert after == before if before.workflow else after.workflow in {None, "later"}


def test_what_a_workflow_s_trial_asked_is_its_own_whatever_the_rules() -> None:
    greedy = Workflow("greedy", match_rules=(rule(("source", "*")),))
    asked = Origin("trial", workflow="support-replies")
    assert taken_by(asked, greedy, SUPPORT) == "support-replies"
    assert "a trial" in attribute(asked, (greedy, SUPPORT)).why


def test_what_went_through_the_gateway_for_a_workflow_is_its_own_whatever_the_rules() -> None:
    greedy = Workflow("greedy", match_rules=(rule(("source", "*")),))
    asked = Origin("gateway", workflow="support-replies")
    assert taken_by(asked, greedy, SUPPORT) == "support-replies"
    assert "the gateway" in attribute(asked, (greedy, SUPPORT)).why


def test_a_trial_of_an_undeclared_workflow_follows_the_rules() -> None:
    greedy = Workflow("greedy", match_rules=(rule(("source", "*")),))
    assert taken_by(Origin("trial", workflow="gone"), greedy) == "greedy"
