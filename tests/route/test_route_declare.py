"""What clearbar.toml may say of the gateway, and what is said of one that says something else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import DeclarationError
from clearbar.declared import Declared, parse
from clearbar.route.declared_route import DeclaredGateway, DeclaredRoute, Team, Watch
from clearbar.route.route import Budget, Capture, GatewaySettings
from clearbar.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = Path("clearbar.toml")
START = """\
[[workflow]]
name = "replies"
budget_usd_month = 9
[[workflow]]
name = "digest"
[[tool]]
name = "haiku"
kind = "anthropic"
model = "claude-haiku-4-5"
[[tool]]
name = "opus"
kind = "anthropic"
model = "claude-opus-4-6"
[[tool]]
name = "thrifty"
kind = "cascade"
first = "haiku"
then = "opus"
"""


def read(*lines: str) -> Declared:
    return parse(START + "\n".join(lines), FILE)


def faults(*lines: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        read(*lines)
    return caught.value.message.splitlines()


def fault(*lines: str) -> str:
    (only,) = faults(*lines)
    return only


def route(*lines: str) -> Iterable[str]:
    return ["[[route]]", 'workflow = "replies"', *lines]


def budget(*lines: str) -> Iterable[str]:
    return ["[[budget]]", *lines]


def test_without_a_gateway_there_is_none() -> None:
    assert read().gateway == DeclaredGateway()


def test_the_gateway_says_where_it_listens_and_where_requests_go() -> None:
    made = read(
        "[gateway]",
        'host = "0.0.0.0"',
        "port = 9000",
        "admin_port = 9001",
        "workers = 4",
        'openai = { url = "https://llm.example.com/v1", key_env = "LLM_KEY" }',
        "anthropic = {}",
        'data_class = "public"',
        'default_workflow = "digest"',
        "max_body_bytes = 4096",
        "header_timeout_s = 1.5",
        "body_timeout_s = 2",
        "first_byte_timeout_s = 3",
        "stall_timeout_s = 4",
        "drain_s = 5",
        "retries = 0",
        "max_output_tokens = 100",
        'unpriced_usd = "0.10"',
        'store_env = "STORE"',
        'admin_token_env = "TOKEN"',
        "open_metrics = false",
        'durability = "process"',
        "shared_objects = true",
    ).gateway
    assert made.settings == GatewaySettings(
        "0.0.0.0",  # noqa: S104 - it is what the file says
        9000,
        9001,
        4,
        ("openai", "anthropic"),
        "digest",
        4096,
        1.5,
        2.0,
        3.0,
        4.0,
        5.0,
        0,
        100,
        Decimal("0.10"),
        "STORE",
        "TOKEN",
        open_metrics=False,
        durability="process",
        shared_objects=True,
    )
    assert made.upstreams == (
        Tool(
            "openai",
            "openai",
            data_class="public",
            url="https://llm.example.com/v1",
            key_env="LLM_KEY",
            line=24,
        ),
        Tool("anthropic", "anthropic", data_class="public", line=25),
    )


def test_a_gateway_that_says_nothing_keeps_every_default() -> None:
    made = read("[gateway]").gateway
    assert (made.settings, made.upstreams, made.line) == (GatewaySettings(), (), 19)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("port = 0", "a whole number from 1 to 65535"),
        ("port = true", "a whole number from 1 to 65535"),
        ("port = 8788", "is the admin_port too"),
        ('host = "a b"', "expected a host"),
        ("drain_s = 0", "seconds, above 0"),
        ('openai = { key_env = "sk-1234" }', "environment variable"),
        ('openai = { url = "llm.example.com" }', "expected an address"),
        ('openai = { ulr = "x" }', 'Did you mean "url"?'),
        ('default_workflow = "replys"', 'no workflow is called "replys". Did you mean "replies"?'),
        ("retrys = 1", 'Did you mean "retries"?'),
    ],
)
def test_a_gateway_that_makes_no_sense_is_a_fault_with_its_line(line: str, said: str) -> None:
    found = fault("[gateway]", line)
    assert found.startswith("clearbar.toml:20: ")
    assert said in found


def test_an_address_in_brackets_is_a_host() -> None:
    assert read("[gateway]", 'host = "[::1]"').gateway.settings.host == "::1"


def test_no_tool_may_have_the_name_of_an_upstream() -> None:
    tool = ["[[tool]]", 'name = "openai"', 'kind = "openai"', 'model = "x"']
    found = fault(*tool, "[gateway]", "openai = {}")
    assert found == (
        'clearbar.toml:24: gateway.openai: a [[tool]] is called "openai" too: give that another'
        " name"
    )


def test_a_route_says_all_that_is_declared_of_it() -> None:
    (made,) = read(
        *route(
            'mode = "shadow"',
            'tool = "haiku"',
            'fallbacks = ["opus"]',
            'tools = ["haiku", "opus"]',
            "holdout = 0.1",
            "shadow = 1",
            'old_tool = "opus"',
            'capture = { share = 0.5, days = "2w", redact = [\'a+\'], protect = "hashed" }',
            'watch = { false_alarm = "52w" }',
        )
    ).routes
    assert made == DeclaredRoute(
        "replies",
        "shadow",
        "haiku",
        ("opus",),
        ("haiku", "opus"),
        0.1,
        1.0,
        "opus",
        Capture(0.5, 14, ("a+",), "hashed"),
        Watch(364),
        19,
    )


def test_a_route_that_says_nothing_keeps_every_default() -> None:
    assert read(*route()).routes == (DeclaredRoute("replies", line=19),)


def test_a_route_may_name_an_upstream() -> None:
    made = read("[gateway]", "openai = {}", *route('tool = "openai"')).routes
    assert made[0].tool == "openai"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('tool = "haku"', 'no tool is called "haku". Did you mean "haiku"?'),
        ('tool = "thrifty"', "with the threshold that a trial certified"),
        ('old_tool = "thrifty"', "name one of the tools that it asks"),
        ('fallbacks = ["thrifty"]', "name one of the tools that it asks"),
        ('tools = ["gone"]', 'no tool is called "gone".'),
        ('fallbacks = ["opus", "opus"]', '"opus" is named twice'),
        ("holdout = 0.6", "a share from 0 to 0.5"),
        ("shadow = -1", "a share from 0 to 1"),
        ('mode = "enforced"', 'Did you mean "enforce"?'),
        ("capture = { share = 0 }", "a share above 0"),
        ("capture = { redact = ['(a+)+'] }", "may take for ever"),
        ("capture = { redact = ['('] }", "no regular expression"),
        ("watch = { false_alarm_samples = 0 }", "a whole number from 1"),
        (
            'watch = { false_alarm = "1d", false_alarm_samples = 9 }',
            "stands beside false_alarm: declare one of the two",
        ),
    ],
)
def test_a_route_that_makes_no_sense_is_a_fault_with_its_line(line: str, said: str) -> None:
    found = fault(*route(line))
    assert found.startswith("clearbar.toml:21: route.")
    assert said in found


def test_a_watch_may_count_in_samples() -> None:
    (made,) = read(*route("watch = { false_alarm_samples = 10_000 }")).routes
    assert made.watch == Watch(730, 10_000)


def test_a_tool_in_force_is_no_fallback_of_itself() -> None:
    found = fault(*route('tool = "haiku"', 'fallbacks = ["haiku"]'))
    assert found.endswith('"haiku" is the tool in force already')


def test_a_route_is_of_a_declared_workflow_and_there_is_one_of_each() -> None:
    assert "no workflow is called" in fault("[[route]]", 'workflow = "letters"')
    assert "declared twice" in fault(*route(), *route())
    assert 'expected the key "workflow"' in fault("[[route]]")


def test_a_budget_says_all_that_is_declared_of_it() -> None:
    (made,) = read(
        *budget(
            'scope = "user"',
            'name = "*"',
            "usd = 0.5",
            'per = "day"',
            "warn_at = [0.9, 0.5]",
            "drain_at = 0.95",
        )
    ).budgets
    assert made == Budget("user", "*", Decimal("0.5"), "day", (0.5, 0.9), 0.95, 19)


def test_what_ends_by_itself_has_a_budget_for_its_life() -> None:
    (made,) = read(*budget('scope = "run"', 'name = "*"', "usd = 5")).budgets
    assert (made.per, made.warn_at, made.drain_at) == ("run", (0.8,), None)
    (whole,) = read(*budget('scope = "organisation"', "usd = 5")).budgets
    assert (whole.per, whole.name) == ("month", "")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['scope = "team"', "usd = 1"], 'expected the key "name" of a budget of scope "team"'),
        (['scope = "organisation"', 'name = "us"', "usd = 1"], "the organisation has no name"),
        (['scope = "workflow"', 'name = "x"', "usd = 1"], 'no workflow is called "x".'),
        (['scope = "team"', 'name = "x"', "usd = 1"], 'no team is called "x".'),
        (['scope = "organisation"'], 'expected the key "usd"'),
        (["usd = 1", 'name = "x"'], 'expected the key "scope"'),
        (['scope = "user"', 'name = "x"', "usd = -1"], "expected US dollars"),
        (['scope = "user"', 'name = "x"', "usd = 1", 'per = "week"'], '"month", "day" or "run"'),
        (['scope = "user"', 'name = "x"', "usd = 1", "drain_at = 0"], "a share above 0"),
        (
            ['scope = "workflow"', 'name = "replies"', "usd = 1"],
            "declares budget_usd_month on line 1: keep one of the two",
        ),
    ],
)
def test_a_budget_that_makes_no_sense_is_a_fault(lines: list[str], said: str) -> None:
    assert said in faults(*budget(*lines))[0]


def test_one_thing_has_one_budget_of_a_kind() -> None:
    one = budget('scope = "user"', 'name = "u"', "usd = 1")
    found = fault(*one, *one)
    assert found.startswith("clearbar.toml:25: budget.name: has a budget per month already")
    assert found.endswith("on line 19")
    day = budget('scope = "workflow"', 'name = "replies"', "usd = 1", 'per = "day"')
    assert len(read(*one, *day).budgets) == 2


def test_a_team_lists_its_workflows() -> None:
    made = read("[[team]]", 'name = "support"', 'workflows = ["replies"]')
    assert made.teams == (Team("support", ("replies",), 19),)
    assert read("[[team]]", 'name = "empty"').teams[0].workflows == ()


def test_a_team_may_have_a_budget() -> None:
    team = ["[[team]]", 'name = "support"']
    made = read(*team, *budget('scope = "team"', 'name = "support"', "usd = 1"))
    assert made.budgets[0].name == "support"


def test_a_workflow_is_of_one_team() -> None:
    found = fault(
        "[[team]]",
        'name = "a"',
        'workflows = ["replies"]',
        "[[team]]",
        'name = "b"',
        'workflows = ["digest", "replies"]',
    )
    assert found == ('clearbar.toml:24: team.workflows: "replies" is of the team "a" already')


def test_a_team_lists_only_what_is_declared() -> None:
    assert "no workflow is called" in fault("[[team]]", 'name = "a"', 'workflows = ["x"]')
