"""What is done with a request: refused, passed, sent to the tool in force, kept on the old one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.made import (
    CASCADE,
    CHAT,
    CLAUDE,
    EMBEDDINGS,
    HAIKU,
    MESSAGES,
    MODELS,
    OPUS,
    RULES,
    TOOLS,
    UNKNOWN,
    UPSTREAM,
    asked,
    caller,
    route,
    table,
)

from clearbar.route.admit import Admission, Admitted, Step, arm_draw
from clearbar.route.protocols import permits
from clearbar.route.route import MODES, Cascade, Refusal, Route, RouteTable

if TYPE_CHECKING:
    from clearbar.route.wire.operation import Operation

ROUTED: Final = (Step("haiku", "tool"), Step("opus", "fallback"))
DATA: Final = ("public", "internal", "restricted")


def found(
    made: Route | RouteTable,
    operation: Operation = CHAT,
    model: str | None = "opus-4-6",
    draw: float = 0.5,
    **more: Any,
) -> Admitted | Refusal:
    used = made if isinstance(made, RouteTable) else table(made)
    body = None if model is None else asked(model)
    begun = more.pop("begun", False)
    return Admission(used).admit(caller(**more), operation, body, draw, begun=begun)


def admitted(made: Route | RouteTable, *of: Any, **more: Any) -> Admitted:
    given_ = found(made, *of, **more)
    assert isinstance(given_, Admitted), given_
    return given_


def refused(made: Route | RouteTable, *of: Any, **more: Any) -> Refusal:
    given_ = found(made, *of, **more)
    assert isinstance(given_, Refusal), given_
    return given_


def steps(made: Route | RouteTable, *of: Any, **more: Any) -> tuple[Step, ...]:
    return admitted(made, *of, **more).steps


def test_the_tool_in_force_is_asked_then_its_fallbacks() -> None:
    assert steps(route()) == ROUTED


def test_a_killed_workflow_is_refused_with_who_can_change_that() -> None:
    refusal = refused(route(verdict="kill", next_step="Find a metric"))
    assert (refusal.code, refusal.status) == ("killed", 403)
    for said in (
        "replies is killed",
        "lead@example.com",
        "Find a metric",
        "clearbar gate override",
    ):
        assert said in refusal.message


def test_a_killed_workflow_is_refused_what_has_begun_and_the_list_of_models_too() -> None:
    assert refused(route(verdict="kill"), begun=True).code == "killed"
    assert refused(route(verdict="kill"), MODELS, None).code == "killed"


def test_of_a_killed_workflow_without_an_owner_the_refusal_says_so() -> None:
    assert "owner is nobody" in refused(route(verdict="kill", owner=None)).message


def test_a_paused_workflow_drains() -> None:
    assert refused(route(verdict="pause")).code == "paused"
    assert steps(route(verdict="pause"), begun=True) == ROUTED


@pytest.mark.parametrize("mode", ["advise", "shadow"])
def test_no_other_mode_refuses_for_a_verdict(mode: str) -> None:
    assert steps(route(mode=mode, verdict="kill")) == (Step("opus", "passed"),)


def test_advice_says_the_tool_and_the_verdict() -> None:
    said = admitted(route(mode="advise", verdict="pause", next_step="Prüfe\nit")).advice
    assert said == "tool=haiku; verdict=pause; next=Pr?fe?it"


def test_who_follows_the_advice_hears_none() -> None:
    assert admitted(route(mode="advise"), model="haiku-4-5").advice == ""
    assert admitted(route(mode="advise", tool=None)).advice == ""


def test_advice_is_not_endless() -> None:
    assert len(admitted(route(mode="advise", verdict="kill", next_step="x" * 999)).advice) == 300


def test_only_advise_advises() -> None:
    assert admitted(route()).advice == admitted(route(mode="shadow")).advice == ""


def test_in_shadow_a_copy_goes_to_the_winner() -> None:
    shadowing = route(mode="shadow", shadow_share=0.1)
    assert admitted(shadowing).shadow == "haiku"
    assert admitted(shadowing, model="haiku-4-5").shadow == ""
    assert admitted(route(mode="shadow")).shadow == ""
    assert admitted(shadowing, EMBEDDINGS).shadow == ""


@pytest.mark.parametrize(
    "changed",
    [
        {"tool": "claude"},
        {"tool": "thrifty", "cascade": Cascade("haiku", "opus", 0.9)},
        {"tool": None},
        {"tool": "gone"},
        {"tool": "claude", "data_class": "restricted"},
    ],
)
def test_no_copy_goes_to_what_cannot_answer_it(changed: dict[str, Any]) -> None:
    tools = tuple(
        replace(each, data_class="restricted") if each.name == "opus" else each for each in TOOLS
    )
    made = table(route(mode="shadow", shadow_share=0.1, **changed), tools=tools)
    assert admitted(made).shadow == ""


def test_while_a_tool_is_in_force_copies_go_to_the_old_one() -> None:
    assert admitted(route(shadow_share=0.02)).shadow == "opus"
    assert admitted(route(shadow_share=0.02, old_tool=None)).shadow == ""
    assert admitted(route(shadow_share=0.02, old_tool="haiku")).shadow == ""
    assert admitted(route(shadow_share=0.02, old_tool="claude")).shadow == ""


def test_the_hold_out_stays_on_the_old_tool() -> None:
    held = route(holdout_share=0.1)
    assert steps(held, draw=0.05) == (Step("opus", "holdout"), Step("haiku", "fallback"))
    assert steps(held, draw=0.1) == ROUTED


def test_a_hold_out_takes_no_copies() -> None:
    assert admitted(route(holdout_share=0.1, shadow_share=1.0), draw=0.0).shadow == ""


def test_where_the_old_tool_is_not_known_the_hold_out_stays_on_what_is_asked_for() -> None:
    held = route(holdout_share=0.1, old_tool=None)
    assert steps(held, model="opus-4-6", draw=0.0)[0] == Step("opus", "holdout")
    assert steps(held, model="any", draw=0.0)[0] == Step("openai", "holdout")
    assert steps(table(held, tools=(HAIKU, OPUS)), model="any", draw=0.0) == ROUTED


@pytest.mark.parametrize("old", ["claude", "gone"])
def test_who_cannot_stay_on_the_old_tool_goes_to_the_one_in_force(old: str) -> None:
    assert steps(route(holdout_share=0.5, old_tool=old), draw=0.0) == ROUTED


def test_a_conversation_stays_on_one_arm() -> None:
    held = route(holdout_share=0.5)
    for who in ({"task": "t"}, {"run": "r"}, {"user": "u"}):
        arms = {steps(held, draw=number / 10, **who) for number in range(10)}
        assert len(arms) == 1


@given(st.text(min_size=1))
def test_what_stands_for_a_draw_is_a_share(task: str) -> None:
    assert 0 <= arm_draw(caller(task=task), 0.5) < 1


def test_about_the_declared_share_of_tasks_stays_on_the_old_tool() -> None:
    draws = [arm_draw(caller(task=f"task-{number}"), 0.0) for number in range(20_000)]
    assert sum(draw < 0.05 for draw in draws) == pytest.approx(1000, abs=125)


def test_a_task_counts_before_a_run_and_a_run_before_a_user() -> None:
    task = arm_draw(caller(task="a"), 0)
    assert arm_draw(caller(task="a", run="b", user="c"), 0) == task
    assert arm_draw(caller(run="a", user="c"), 0) == task
    assert arm_draw(caller(workflow="digest", task="a"), 0) != task


def test_a_cascade_asks_the_first_those_that_agree_and_the_last() -> None:
    made = route(
        tool="thrifty", cascade=Cascade("haiku", "opus", 0.9, ("rules",)), fallbacks=("rules",)
    )
    assert steps(made) == (Step("haiku", "first"), Step("rules", "agree"), Step("opus", "then"))
    held = replace(made, holdout_share=1.0, old_tool="rules")
    assert steps(held, draw=0.0) == (Step("rules", "holdout"), Step("opus", "fallback"))


def test_a_tool_without_a_model_answers_both_protocols() -> None:
    ruled = route(tool="rules", fallbacks=("claude", "opus"))
    assert steps(ruled) == (Step("rules", "tool"), Step("opus", "fallback"))
    assert steps(ruled, MESSAGES) == (Step("rules", "tool"), Step("claude", "fallback"))


def test_a_tool_in_force_of_the_other_protocol_refuses_clearly() -> None:
    refusal = refused(route(), MESSAGES)
    assert (refusal.code, refusal.status) == ("protocol", 400)
    assert "does not speak Anthropic's protocol" in refusal.message
    assert refused(route(tool="thrifty", cascade=Cascade("haiku", "opus", 1)), MESSAGES).code == (
        "protocol"
    )


def test_a_tool_in_force_that_is_gone_refuses_clearly() -> None:
    assert refused(route(tool="gone")).code == "no_tool"


def test_what_asks_for_no_text_goes_where_it_asks_to() -> None:
    assert steps(route(), EMBEDDINGS, "embed-3") == (Step("openai", "passed"),)
    assert steps(route(), UNKNOWN, None) == (Step("openai", "passed"),)


def test_without_a_tool_in_force_the_client_chooses_by_model_or_by_tool() -> None:
    free = route(tool=None, fallbacks=())
    assert steps(free, model="haiku-4-5") == (Step("haiku", "passed"),)
    assert steps(free, model="haiku") == (Step("haiku", "passed"),)
    assert steps(free, model="rules") == (Step("rules", "passed"),)
    assert steps(free, MESSAGES, "claude-opus") == (Step("claude", "passed"),)


def test_what_no_tool_is_called_goes_to_the_upstream() -> None:
    free = route(tool=None, fallbacks=())
    assert steps(free, model="gpt-9") == (Step("openai", "passed"),)
    assert steps(free, model="thrifty") == (Step("openai", "passed"),)
    assert steps(free, model="claude-opus") == (Step("openai", "passed"),)


def test_a_tool_without_a_model_embeds_nothing() -> None:
    assert refused(table(route(), tools=(HAIKU, OPUS, RULES)), EMBEDDINGS, "rules").code == (
        "unknown_model"
    )


def test_where_verdicts_hold_what_the_client_chose_has_fallbacks_too() -> None:
    assert steps(route(tool=None), model="haiku-4-5") == (
        Step("haiku", "passed"),
        Step("opus", "fallback"),
    )
    assert steps(route(tool=None, mode="shadow"), model="haiku-4-5") == (Step("haiku", "passed"),)


def test_clients_may_choose_only_among_the_tools_that_the_route_lists() -> None:
    listed = route(tool=None, fallbacks=(), allowed=("haiku", "openai"))
    assert steps(listed, model="haiku-4-5") == (Step("haiku", "passed"),)
    assert steps(listed, model="opus-4-6") == (Step("openai", "passed"),)
    only = replace(listed, allowed=("haiku",))
    refusal = refused(only, model="opus-4-6")
    assert (refusal.code, refusal.status) == ("unknown_model", 404)
    assert 'no tool for the model "opus-4-6"' in refusal.message
    assert "known are haiku, haiku-4-5." in refusal.message


def test_where_nothing_serves_a_protocol_the_refusal_says_what_to_declare() -> None:
    alone = table(route(tool=None), tools=(HAIKU, OPUS))
    assert "none is known" in refused(alone, MESSAGES, "claude-9").message
    assert refused(alone, UNKNOWN, None).code == "no_upstream"
    many = tuple(replace(HAIKU, name=f"t{number}", model=None) for number in range(12))
    assert "and 4 more" in refused(table(route(tool=None), tools=many), model="x").message


def test_a_long_model_name_is_not_quoted_whole() -> None:
    alone = table(route(tool=None), tools=(HAIKU, OPUS))
    assert len(refused(alone, model="x" * 5000).message) < 400


def test_the_list_of_models_needs_no_upstream() -> None:
    assert steps(route(), MODELS, None) == (Step("openai", "passed"),)
    assert steps(table(route(), tools=(HAIKU, OPUS)), MODELS, None) == ()
    assert steps(route(data_class="restricted", tool=None), MODELS, None) == ()


def test_data_does_not_go_to_a_tool_outside_even_where_it_is_in_force() -> None:
    refusal = refused(route(data_class="restricted"))
    assert (refusal.code, refusal.status) == ("data_class", 403)
    assert refused(route(data_class="restricted", tool=None)).code == "data_class"


def test_of_tools_of_one_model_the_one_that_may_have_the_data_is_asked() -> None:
    inside = replace(OPUS, name="inside", data_class="restricted")
    made = table(route(tool=None, data_class="restricted"), tools=(OPUS, HAIKU, inside, UPSTREAM))
    assert steps(made) == (Step("inside", "passed"),)


def test_the_admission_of_another_table_is_another() -> None:
    first, second = table(route()), table(route(tool="opus", fallbacks=()))
    assert steps(first) == ROUTED
    assert steps(second) == (Step("opus", "tool"),)
    assert steps(first) == ROUTED


def test_a_workflow_that_the_table_does_not_have_is_refused() -> None:
    assert refused(route(workflow="digest")).code == "unknown_workflow"


@given(
    st.sampled_from(MODES),
    st.sampled_from(DATA),
    st.lists(st.sampled_from(DATA), min_size=len(TOOLS), max_size=len(TOOLS)),
    st.sampled_from([None, "haiku", "claude", "rules", "thrifty"]),
    st.sampled_from([None, "opus", "claude", "haiku"]),
    st.sampled_from([CHAT, MESSAGES, EMBEDDINGS, MODELS, UNKNOWN]),
    st.sampled_from(["haiku-4-5", "opus-4-6", "claude-opus", "rules", "any", ""]),
    st.floats(0, 1, exclude_max=True),
    st.booleans(),
)
def test_no_tool_is_asked_that_may_not_be_given_the_data(
    mode: Any,
    data: Any,
    classes: list[Any],
    tool: str | None,
    old: str | None,
    operation: Operation,
    model: str,
    draw: float,
    begun: bool,  # noqa: FBT001 - hypothesis gives it so
) -> None:
    tools = tuple(replace(each, data_class=of) for each, of in zip(TOOLS, classes, strict=True))
    cascade = Cascade("haiku", "opus", 0.5, ("rules",)) if tool == "thrifty" else None
    made = table(
        route(
            mode=mode,
            data_class=data,
            tool=tool,
            old_tool=old,
            cascade=cascade,
            fallbacks=("opus", "claude", "rules"),
            holdout_share=0.5,
            shadow_share=0.5,
        ),
        tools=tools,
    )
    given_ = found(made, operation, model, draw, begun=begun)
    if isinstance(given_, Admitted):
        asked_tools = {*(step.tool for step in given_.steps), *filter(None, [given_.shadow])}
        assert all(permits(name, data, made.tools) for name in asked_tools)


def test_the_parts_of_a_cascade_bound_what_it_may_be_given() -> None:
    named = {each.name: each for each in (HAIKU, OPUS, CASCADE, CLAUDE)}
    assert permits("thrifty", "internal", named)
    assert not permits("thrifty", "restricted", named)
    del named["opus"]
    assert not permits("thrifty", "public", named)
