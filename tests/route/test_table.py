"""Which routes follow from declarations, verdicts, certificates and alarms, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.route.made import NOW, TODAY, UPSTREAM, key
from tests.trial import certificates as made_certificates

from clearbar.gate.verdict import Override
from clearbar.own.workflow import Workflow
from clearbar.route.declared_route import DeclaredGateway, DeclaredRoute, Team
from clearbar.route.route import Alarm, Budget, Capture, Cascade, GatewaySettings
from clearbar.route.standing import Standing
from clearbar.route.table import DeclaredRouting, Known, routes_in_force
from clearbar.tools.tool import Tool
from clearbar.trial.in_force import in_force

if TYPE_CHECKING:
    from clearbar.route.route import Route, RouteTable
    from clearbar.trial.in_force import InForce
    from clearbar.trial.trial import Certificate, Finding

NAME: Final = "support-replies"
WORKFLOW: Final = Workflow(NAME, owner="lead@example.com", next_step="Try a smaller one", line=12)
RULES: Final = Tool("rules", "rules", "none", data_class="restricted", file="rules.toml")
HAIKU: Final = Tool("haiku", "anthropic", "small", model="claude-haiku-4-5")
SONNET: Final = Tool("sonnet", "anthropic", "frontier", model="claude-sonnet-4-5")
OPUS: Final = Tool("opus", "anthropic", "frontier", model="claude-opus-4-6")
THRIFTY: Final = Tool("thrifty", "cascade", first="haiku", then="opus")
TOOLS: Final = (RULES, HAIKU, SONNET, OPUS, THRIFTY)
STANDING: Final = Standing("fund", date(2026, 10, 1), date(2026, 12, 1), "", ("It earns it",))
ALARM: Final = Alarm(
    NAME, "haiku", NOW + timedelta(days=3), "its score fell to 0.81 in 140 samples"
)


def sonnet() -> Finding:
    return made_certificates.asked("sonnet", "frontier", 0.99, "0.0030", seed=3)


def thrifty(threshold: float | None) -> Finding:
    finding = made_certificates.asked("thrifty", "frontier", 0.98, "0.0002", seed=3)
    return replace(finding, threshold=threshold)


def certified(
    certificate: Certificate | None = None, *stale: str, tools: tuple[Tool, ...] = TOOLS
) -> InForce:
    """What a certificate means: by default haiku and sonnet clear, and opus is in use."""
    found = certificate or made_certificates.certificate(
        made_certificates.rules(), made_certificates.haiku(), sonnet(), made_certificates.opus()
    )
    return in_force([found], stale, (), {each.name: each for each in tools})


def table(
    plan: DeclaredRoute | None = None,
    known: InForce | None = None,
    *,
    workflow: Workflow = WORKFLOW,
    standing: Standing | None = STANDING,
    alarm: Alarm | None = None,
    before: RouteTable | None = None,
    **changed: Any,
) -> RouteTable:
    declared = DeclaredRouting((workflow,), TOOLS, routes=() if plan is None else (plan,))
    happened = Known(
        TODAY,
        {} if standing is None else {NAME: standing},
        {} if known is None else {NAME: known},
        {} if alarm is None else {NAME: alarm},
    )
    return routes_in_force(replace(declared, **changed), happened, {}, NOW, before)


def route(*of: Any, **more: Any) -> Route:
    return table(*of, **more).routes[NAME]


def plan(**said: Any) -> DeclaredRoute:
    return DeclaredRoute(NAME, **{"mode": "enforce", **said})


def test_a_workflow_without_a_route_has_one_that_only_advises() -> None:
    made = route()
    assert (made.mode, made.tool, made.fallbacks, made.line) == ("advise", None, (), 12)
    assert made.owner == "lead@example.com"


def test_where_the_policy_enforces_so_does_a_route_that_says_nothing() -> None:
    assert route(enforced=True).mode == "enforce"
    assert route(plan(mode="shadow"), enforced=True).mode == "shadow"
    assert route(plan(mode=None)).mode == "advise"


def test_the_cheapest_certified_tool_is_in_force_with_the_numbers_why() -> None:
    made = route(plan(), certified())
    assert (made.tool, made.old_tool) == ("haiku", "opus")
    assert made.why == (
        "It is funded since 2026-10-01, lapses 2026-12-01. It earns it.",
        (
            "haiku clears resolved >= 0.92: mean 0.971 (0.921..1.000 at 95%) over 240 cases,"
            " certified on 2026-11-02."
        ),
        "A thousand cases cost $0.42 with haiku, $6.10 with opus.",
        "haiku speaks Anthropic's protocol: requests in OpenAI's are refused.",
        "5% of requests stay on opus, to measure the saving.",
    )


def test_the_other_certified_tools_and_the_old_one_stand_in() -> None:
    assert route(plan(), certified()).fallbacks == ("sonnet", "opus")


def test_declared_fallbacks_replace_them() -> None:
    assert route(plan(fallbacks=("opus",)), certified()).fallbacks == ("opus",)
    assert route(plan(fallbacks=()), certified()).fallbacks == ()
    assert route(plan(fallbacks=("haiku", "opus")), certified()).fallbacks == ("opus",)


def test_without_a_tool_in_force_only_declared_fallbacks_stand_in() -> None:
    assert route(plan(fallbacks=("opus",))).fallbacks == ("opus",)


def test_without_a_trial_no_tool_is_in_force() -> None:
    made = route(plan())
    assert (made.tool, made.holdout_share, made.shadow_share) == (None, 0, 0)
    assert f"No trial has certified a tool: clearbar trial {NAME}." in made.why


def test_from_a_stale_certificate_nothing_follows() -> None:
    made = route(plan(), certified(None, "the prompt has changed", "so has haiku"))
    assert (made.tool, made.old_tool, made.fallbacks) == (None, None, ())
    assert (
        "The certificate of 2026-11-02 is stale, so nothing follows from it: the prompt has"
        " changed; so has haiku." in made.why
    )


def test_where_no_tool_clears_the_certificate_says_so() -> None:
    lost = made_certificates.certificate(made_certificates.rules(), made_certificates.opus())
    made = route(plan(), certified(lost))
    assert made.tool is None
    assert "By the certificate of 2026-11-02 no tool clears resolved >= 0.92." in made.why


def test_of_a_relative_bar_the_tool_in_use_may_be_in_force_itself() -> None:
    made = route(plan(), certified(made_certificates.lost()))
    assert (made.tool, made.old_tool, made.holdout_share) == ("opus", "opus", 0)
    assert (
        "opus is in use, and by the certificate of 2026-11-02 no cheaper tool is enough."
        in made.why
    )


def test_of_a_relative_bar_the_mean_is_a_difference() -> None:
    made = route(plan(), certified(made_certificates.relative()))
    assert made.tool == "haiku"
    assert "haiku is within 0.03 of opus: mean difference +" in made.why[1]


def test_a_declared_tool_comes_before_the_certified_one() -> None:
    made = route(plan(tool="sonnet", line=40), certified())
    assert made.tool == "sonnet"
    assert made.fallbacks == ("haiku", "opus")
    assert "sonnet is declared (clearbar.toml:40), and certified." in made.why
    assert "A thousand cases cost $3.00 with sonnet, $6.10 with opus." in made.why


def test_a_declared_tool_needs_no_certificate_and_is_said_to_have_none() -> None:
    made = route(plan(tool="rules", fallbacks=("opus",), old_tool="opus"))
    assert (made.tool, made.fallbacks, made.old_tool) == ("rules", ("opus",), "opus")
    assert "rules is declared, not certified." in made.why
    assert not any("protocol" in each for each in made.why)


def test_the_price_is_said_alone_where_the_old_tool_has_none() -> None:
    unknown = made_certificates.unasked("opus", "frontier", None)
    found = made_certificates.certificate(made_certificates.haiku(), unknown)
    assert "A thousand cases cost $0.42 with haiku." in route(plan(), certified(found)).why


def test_a_price_that_is_not_known_is_not_said() -> None:
    free = replace(made_certificates.haiku(), usd_per_case=None)
    made = route(plan(), certified(made_certificates.certificate(free, made_certificates.opus())))
    assert made.tool == "haiku"
    assert not any("thousand" in each for each in made.why)


def test_the_old_tool_may_be_declared() -> None:
    assert route(plan(old_tool="sonnet"), certified()).old_tool == "sonnet"


def test_without_an_incumbent_the_tool_in_use_is_the_old_one() -> None:
    known = certified(
        made_certificates.certificate(
            made_certificates.haiku(), made_certificates.opus(), incumbent=None
        )
    )
    assert route(plan(), known).old_tool is None
    assert "5% of requests stay on the models that they name, to measure the saving." in (
        route(plan(), known).why
    )


def test_an_old_tool_that_is_no_more_is_none() -> None:
    found = made_certificates.certificate(
        made_certificates.haiku(), made_certificates.opus(), incumbent="gone"
    )
    assert route(plan(), certified(found)).old_tool is None


def test_an_alarm_goes_back_to_the_old_tool_and_never_to_the_one_that_fell() -> None:
    made = route(plan(), certified(), alarm=ALARM)
    assert (made.tool, made.fallbacks) == ("opus", ("sonnet",))
    assert (made.holdout_share, made.shadow_share) == (0, 0)
    assert (
        "Alarm of 2026-11-05 on haiku: its score fell to 0.81 in 140 samples. Back to opus."
        in made.why
    )


def test_an_alarm_without_an_old_tool_goes_back_to_what_requests_name() -> None:
    found = made_certificates.certificate(made_certificates.haiku(), incumbent=None)
    made = route(plan(), certified(found), alarm=ALARM)
    assert made.tool is None
    assert made.why[-1].endswith("Back to the models that requests name.")


def test_a_newer_certificate_ends_an_alarm() -> None:
    earlier = replace(ALARM, at=NOW - timedelta(days=1))
    assert route(plan(), certified(), alarm=earlier).tool == "haiku"


def test_an_alarm_on_another_tool_changes_nothing() -> None:
    assert route(plan(), certified(), alarm=replace(ALARM, tool="rules")).tool == "haiku"


def test_an_alarm_holds_for_a_declared_tool_too() -> None:
    assert route(plan(tool="haiku", old_tool="opus"), alarm=ALARM).tool == "opus"
    assert route(plan(tool="haiku", old_tool="haiku"), alarm=ALARM).tool is None


def test_a_tool_that_may_not_have_the_data_is_in_no_place_of_the_route() -> None:
    secret = replace(WORKFLOW, data_class="restricted")
    made = route(plan(), certified(), workflow=secret)
    assert (made.tool, made.old_tool, made.fallbacks) == (None, None, ())
    assert (
        "haiku is left out: internal data at most may be given to it, and this is restricted."
        in made.why
    )
    assert made.why[-1] == "None of the tools certified on 2026-11-02 can be in force."
    kept = route(plan(tool="haiku", fallbacks=("opus", "rules")), workflow=secret)
    assert (kept.tool, kept.fallbacks) == (None, ("rules",))


def test_the_next_certified_tool_that_may_have_the_data_is_in_force() -> None:
    secret = replace(WORKFLOW, data_class="restricted")
    inside = replace(SONNET, data_class="restricted")
    made = route(
        plan(tool="haiku"), certified(), workflow=secret, tools=(RULES, HAIKU, inside, OPUS)
    )
    assert made.tool == "sonnet"


def cascading(threshold: float | None) -> InForce:
    return certified(
        made_certificates.certificate(
            thrifty(threshold), made_certificates.haiku(), sonnet(), made_certificates.opus()
        )
    )


def test_a_certified_cascade_carries_its_threshold() -> None:
    made = route(plan(), cascading(0.8372))
    assert made.tool == "thrifty"
    assert made.cascade == Cascade("haiku", "opus", 0.8372)
    assert made.fallbacks == ("sonnet",)
    assert (
        "thrifty: the answer of haiku stands where its confidence is at least 0.8372, else opus"
        " is asked." in made.why
    )


def test_a_cascade_without_its_threshold_is_not_in_force() -> None:
    made = route(plan(), cascading(None))
    assert (made.tool, made.cascade) == ("haiku", None)
    assert "thrifty is certified without its threshold on record: run the trial again." in made.why


def test_of_a_cascade_the_part_is_named_that_may_not_have_the_data() -> None:
    secret = replace(WORKFLOW, data_class="restricted")
    made = route(plan(), cascading(0.9), workflow=secret)
    assert any(each.startswith("thrifty is left out, as haiku: ") for each in made.why)


def test_a_cascade_over_both_protocols_is_said_to_answer_none() -> None:
    mixed = (*TOOLS[:1], replace(HAIKU, kind="openai"), *TOOLS[2:])
    made = route(plan(), cascading(0.9), tools=mixed)
    assert made.tool == "thrifty"
    assert any("OpenAI's and Anthropic's protocol at once" in each for each in made.why)


def test_a_cascade_is_no_old_tool() -> None:
    known = cascading(0.9)
    known = replace(known, certificate=replace(known.certificate, incumbent="thrifty"))
    assert route(plan(), known).old_tool is None


@pytest.mark.parametrize(("decision", "word"), [("pause", "paused"), ("kill", "killed")])
def test_the_verdict_is_that_of_the_docket(decision: Any, word: str) -> None:
    made = route(standing=replace(STANDING, decision=decision, next_step="Find a metric"))
    assert (made.verdict, made.next_step) == (decision, "Find a metric")
    assert made.lapses_on == date(2026, 12, 1)
    assert made.why[0].startswith(f"It is {word} since 2026-10-01")


def test_without_a_verdict_it_is_funded_and_the_gate_wants_to_be_asked() -> None:
    made = route(standing=None)
    assert (made.verdict, made.lapses_on, made.next_step) == ("fund", None, "Try a smaller one")
    assert made.why[0].endswith("so it is funded: ask clearbar gate.")


def test_a_lapsed_verdict_stands_until_the_gate_is_asked() -> None:
    made = route(standing=replace(STANDING, decision="kill", lapses_on=TODAY, facts=()))
    assert made.verdict == "kill"
    assert made.why[0] == (
        "It is killed since 2026-10-01, lapsed 2026-11-02; it stands until clearbar gate is asked"
        " again."
    )


def test_an_override_says_by_whom_and_why() -> None:
    override = Override(NAME, "fund", "CFO", "The audit!", TODAY, date(2026, 12, 15))
    made = route(standing=replace(STANDING, override=override))
    assert made.why[0] == "It is funded until 2026-12-15: CFO decided so, because: The audit!"


def test_a_route_carries_what_is_declared_of_it() -> None:
    kept = Capture(0.5, 7, protect="hashed")
    made = route(
        plan(tools=("haiku",), holdout_share=0.2, shadow_share=0.3, capture=kept, line=9),
        certified(),
    )
    assert (made.allowed, made.capture, made.line) == (("haiku",), kept, 9)
    assert (made.holdout_share, made.shadow_share) == (0.2, 0.3)


def test_a_route_without_a_hold_out_says_nothing_of_one() -> None:
    made = route(plan(holdout_share=0.0), certified())
    assert not any("stay on" in each for each in made.why)


def test_the_team_that_lists_a_workflow_is_on_its_route() -> None:
    assert route(teams=(Team("support", (NAME,)), Team("sales"))).team == "support"


def test_the_budget_of_a_workflow_is_a_budget_like_others() -> None:
    made = table(
        workflow=replace(WORKFLOW, budget_usd_month=Decimal(900)),
        budgets=(
            Budget("user", "*", Decimal(5)),
            Budget("organisation", "", Decimal(5000), line=3),
        ),
    )
    assert made.budgets == (
        Budget("organisation", "", Decimal(5000), line=3),
        Budget("workflow", NAME, Decimal(900), line=12),
        Budget("user", "*", Decimal(5)),
    )


def test_the_table_holds_the_tools_the_upstreams_and_the_settings() -> None:
    settings = GatewaySettings(port=9000, upstreams=("openai",))
    made = table(gateway=DeclaredGateway(settings, (UPSTREAM,), 1))
    assert made.tools.keys() == {"openai", *(each.name for each in TOOLS)}
    assert made.settings == settings


def test_a_table_that_has_not_changed_is_the_one_before() -> None:
    first = table(plan(), certified())
    assert table(plan(), certified(), before=first) is first


def test_each_change_is_another_generation() -> None:
    first = table(plan(), certified())
    second = routes_in_force(
        DeclaredRouting((WORKFLOW,), TOOLS), Known(TODAY), {"aaaabbbb": key()}, NOW, first
    )
    assert (first.generation, second.generation) == (1, 2)
